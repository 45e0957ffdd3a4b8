# SPDX-License-Identifier: Apache-2.0
"""pandas' frames, series, indexes and scalars are shown as pandas shows them,
without pandas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import packages
import pytest
from harness import TARGETS, attach, open_dump, start, thread_with

COUNT = int(os.environ.get("PYDUMPD_FRAMES") or 30)
SEED = int(os.environ.get("PYDUMPD_SEED") or 20240229)

# Each has other layouts of blocks, timestamps or periods.
RELEASES = {
    "3.7": ("pandas==1.3.5", "numpy==1.21.6"),
    "3.8": ("pandas==2.0.3", "numpy==1.24.4"),
    "3.10": ("pandas==1.5.3", "numpy==1.26.4"),
    "3.13": ("pandas",),
}
# The others by PYDUMPD_PANDAS=all.
if os.environ.get("PYDUMPD_PANDAS") != "all":
    RELEASES = {k: RELEASES[k] for k in ("3.8", "3.13")}


def seen(frame: Any, series: Any, index: Any) -> dict[str, Any]:
    columns = [(frame[c], frame.dtypes[c]) for c in frame]
    return {
        "frame": repr(frame),
        "series": repr(series),
        "index": repr(index),
        "shape": list(frame.shape),
        "labels": [str(c) for c in frame],
        "dtypes": list(frame.dtypes.values()),
        "floats": [[repr(v) for v in c.tolist()] for c, d in columns if d == "float64"],
        "ints": [c.tolist() for c, d in columns if d == "int64"],
    }


@pytest.mark.parametrize("short", RELEASES)
def test_frames(short: str, tmp_path: Path) -> None:
    interpreter = packages.find(short)
    site = packages.install(interpreter, *RELEASES[short])
    argv = interpreter.argv(str(TARGETS / "frames.py"), str(SEED), str(COUNT))
    path = tmp_path / "frames.pydump"
    with start(argv, env={"PYTHONPATH": site}) as target:
        told = [target.json() for _ in range(COUNT)]
        release, *scalars = target.json()
        assert target.line() == "ready"
        attach(target, path)
        target.close_input()
        assert target.wait() == 0
    problems = []
    with open_dump(path) as dump:
        frame = thread_with(dump, "hold_frames").frames[0]
        things = frame.locals["things"]
        assert len(things) == COUNT
        for number, (truth, thing) in enumerate(zip(told, things)):
            shown = seen(*thing)
            for key in truth:
                if shown[key] != truth[key]:
                    problems.append(f"{number} {key}:\n{shown[key]}\nis\n{truth[key]}")
            labels = list(thing[0])
            assert labels[0] in thing[0] and len(thing[0]) == truth["shape"][0]
            assert thing[1].name == labels[0] and len(thing[2]) == truth["shape"][0]
        for (text, words, name), scalar in zip(scalars, frame.locals["scalars"]):
            got = [repr(scalar), str(scalar), type(scalar).__name__]
            if got != [text, words, name]:
                problems.append(f"scalar: {got}\nis {[text, words, name]}")
    assert not problems, f"seed {SEED}, pandas {release}, {len(problems)} differ:\n" + "\n".join(
        problems[:5]
    )
