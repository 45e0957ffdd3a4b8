# SPDX-License-Identifier: Apache-2.0
"""pydumpd run: one dump of what nobody catches, however the program was started."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import open_dump, record, scripts
from interpreters import Interpreter, environment

pytestmark = pytest.mark.crashes

SMALL = ("--no-globals", "--max-objects=2000", "--native=off", "--max-dumps=none")
# A debug build starts slowly, and no otherwise.
DEBUG = ("file", "module")


def started(interpreter: Interpreter, watch: list[str]) -> dict[str, Any]:
    """What started.py tells, under a watchdog or not; its files have one place."""
    with scripts(interpreter) as where:
        place = Path(interpreter.outside("/tmp")) / f"pydumpd-started-{harness.os.getpid()}"
        place.mkdir()
        try:
            ways = DEBUG if interpreter.debug else ()
            argv = interpreter.argv(f"{where}/started.py", f"/tmp/{place.name}", *ways)
            argv = [*watch, *argv]
            done = harness.pydumpd(*argv[1:], binary=argv[0], env=environment())
        finally:
            shutil.rmtree(place)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def begun(path: Path) -> tuple[int, int]:
    process = record(path, "header")["process"]
    return process["start_time"], process["pid"]


def test_started(interpreter: Interpreter, tmp_path: Path) -> None:
    alone = started(interpreter, [])
    watch = [str(harness.PYDUMPD), "run", "--dir", str(tmp_path), "-q", *SMALL, "--"]
    assert started(interpreter, watch) == alone
    assert {w for w, (_, status) in alone.items() if status != 1} <= {"prompt_after"}
    assert len(list(tmp_path.iterdir())) == len(alone)
    for way, path in zip(alone, sorted(tmp_path.iterdir(), key=begun)):
        check(way, path)


def test_prompt(interpreter: Interpreter, tmp_path: Path) -> None:
    """An error at the interpreter's prompt is no end of anything."""
    watch = [str(harness.PYDUMPD), "run", "--dir", str(tmp_path), "-q", *SMALL, "--"]
    with harness.start([*watch, *interpreter.argv("-SEiq")]) as target:
        target.say("1/0")
        target.say("def f():\n  raise ValueError\n\nf()")
        target.say("f(")
        target.say(")")
        assert target.ask("print('on')") == "on"
        target.close_input()
        assert target.wait() == 0
        assert target.stderr().count("ZeroDivisionError") == 1
    assert not list(tmp_path.iterdir())


def check(way: str, path: Path) -> None:
    trigger = record(path, "header")["trigger"]
    assert trigger["kind"] == "exception", way
    assert trigger["type"].rpartition(".")[2] == "Problem", way
    assert record(path, "end")["complete"], way
    with open_dump(path) as dump:
        (entry,) = dump.threads[0].exceptions
        traceback, frames = entry.value.__traceback__, []
        while traceback is not None:
            frames.append(traceback.tb_frame)
            traceback = traceback.tb_next
        names = [f.f_code.co_name for f in frames]
        assert names[-2:] == ["main", "fail"] and "<module>" in names, (way, names)
        assert frames[-2].f_locals["mine"] == {"number": 1}, way
        assert frames[-1].f_locals["inside"] == ["of fail", 1], way
