# SPDX-License-Identifier: Apache-2.0
"""Broken memory: a process frozen into an image, dumped with bytes flipped.

imagetool flips from one word in eight to one in tens of thousands, a different
set each time; nothing may crash, hang or grow without bound. Under "make asan"
the same test runs with the sanitizers on.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import harness
import pytest
from interpreters import Interpreter, one_of_each

# 10,000 in all, whatever the number of interpreters; --tb of a failure names
# the seed, with which imagetool repeats it.
ROUNDS = int(os.environ.get("PYDUMPD_MUTATIONS") or 10_000)
SUPPORTED = one_of_each()


def imagetool(*args: str | Path, patience: float = 600) -> str:
    done = subprocess.run(
        [str(harness.BUILD / "imagetool"), *map(str, args)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience,
    )
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("python", SUPPORTED, ids=[i.key for i in SUPPORTED])
def test_flipped_bytes_crash_nothing(python: Interpreter, tmp_path: Path) -> None:
    image = tmp_path / "image"
    with harness.start_script(python, "truth.py") as target:
        target.json()
        imagetool("record", str(target.pid), image)
    # The image itself is sound: it dumps like the process.
    whole = imagetool("dump", image, tmp_path / "whole.pydump")
    assert int(whole.split()[0]) > 5_000

    rounds = max(1, ROUNDS // len(SUPPORTED))
    said = imagetool("mutate", image, str(rounds), str(python.hex))
    found = re.fullmatch(r"(\d+) mutations, (\d+) refused, (\d+) objects\n", said)
    assert found, said
    assert int(found[1]) == rounds
    # Most of them get through to objects: the readers were really tried.
    assert int(found[2]) < rounds * 3 / 4
    assert int(found[3]) > rounds * 100
