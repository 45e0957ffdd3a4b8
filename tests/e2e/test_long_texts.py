# SPDX-License-Identifier: Apache-2.0
"""Texts of many megabytes are read, searched and written in pieces."""

from __future__ import annotations

import collections
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import PYDUMPD, attach, record, records, start_code, start_script
from interpreters import Interpreter

PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
ALL = "q7hunter2x9Q", "AKIAQ7ZJ3MB5W2XKLD9R", "la57-one", "is part of it, 4711"


def values(path: Path) -> list[list[Any]]:
    """Length and digest of the values of objects that have a frame of their own."""
    found = []
    for frame in records(path):
        if frame["kind"] == "objects":
            value = frame["values"]
            if frame["n"] == 1:
                found.append([len(value), hashlib.sha256(value).hexdigest()])
            assert all(secret.encode() not in value for secret in ALL)
    return found


@pytest.mark.parametrize("capture", ["fork", "copy"])
def test_secrets_across_borders(interpreter: Interpreter, tmp_path: Path, capture: str) -> None:
    # Where a str has its characters is known of all others by shorter ones.
    if (
        interpreter.version[:2]
        not in {"fork": ((3, 7), (3, 12), (3, 15)), "copy": ((3, 9),)}[capture]
    ):
        pytest.skip("read alike in all versions")
    with start_script(interpreter, "long_texts.py") as target:
        said = target.json()
        attach(target, tmp_path / "d", "--capture", capture)
        target.close_input()
        assert target.line() == "bye"
    found = values(tmp_path / "d")
    for name, told in said["told"].items():
        assert told in found, (name, told, found)
        found.remove(told)
    texts = [m.get("text", "") for r in records(tmp_path / "d") for m in r.get("marks", ())]
    tags = collections.Counter(t[-8:] for t in texts if t.startswith(("name tag=", "known tag=")))
    assert 3 in tags.values(), texts
    placeholders = b"".join(r["values"] for r in records(tmp_path / "d") if r["kind"] == "objects")
    assert b"an ASCII str has other bytes" in placeholders
    assert b"the text of a str is not mapped" in placeholders


def test_own_memory(one: Interpreter, tmp_path: Path) -> None:
    code = (
        "import sys\nx = 'the quick: brown fox ' * 3000000\nb = bytearray(16 << 20)\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    with start_code(one, code) as target:
        target.line()
        # A small parent: what it has counts until the program begins.
        argv = [str(PYDUMPD), "attach", str(target.pid), "--capture=fork", "-o", tmp_path / "d"]
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *argv], stdout=subprocess.PIPE, text=True, check=True
        )
    # With the text of 63 MB in memory it was 96, and is 30.
    assert int(done.stdout.splitlines()[-1]) < 48 << 10
    assert record(tmp_path / "d", "end")["complete"] is True
