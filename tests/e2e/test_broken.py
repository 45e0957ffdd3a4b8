# SPDX-License-Identifier: Apache-2.0
"""A program whose objects are broken: each says why, and only each itself."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from harness import TOP, attach, open_dump, pydumpd, start_script, thread_with
from interpreters import Interpreter

sys.path.insert(0, str(TOP / "tools" / "offsets"))

from test_offsets import select  # noqa: E402

MODES = ("copy", "stop", "live")


def test_broken_objects(interpreter: Interpreter, tmp_path: Path) -> None:
    table = select(interpreter)
    told = {"offsets": table.offsets, "models": table.models}
    with start_script(interpreter, "broken.py", json.dumps(told)) as target:
        expected = target.json()
        assert len(expected) > 45
        for mode in MODES:
            attach(target, tmp_path / mode, "--capture", mode)
            assert target.unharmed()
        attach(target, tmp_path / "cut", "--max-items", "2", "--max-string", "5", "--max-blob", "1")
        attach(target, tmp_path / "gc", "--gc", "--exclude", "*.Plain")
    for mode in MODES:
        problems = []
        with open_dump(tmp_path / mode) as dump:
            frame = next(f for f in thread_with(dump, "broken").frames if f.name == "broken")
            cases = frame.locals["cases"]
            assert len(cases) == len(expected)
            for name, reason in expected.items():
                if mode == "live":
                    reason = reason.replace("corrupt", "torn")
                before, thing, after = cases[name]
                if (before, after) != (f"before {name}", {"after": name}):
                    problems.append(f"{name}: neighbours are {before!r}, {after!r}")
                if not re.search(reason, repr(thing)):
                    problems.append(f"{name}: {thing!r} is not {reason}")
            lost = cases["attributes"][1]
            if "unreadable" not in repr(lost):
                with pytest.raises(AttributeError, match="not known: not all names"):
                    _ = lost.attribute
        assert not problems, f"{mode}:\n" + "\n".join(problems)
        shown = pydumpd("show", tmp_path / mode)
        assert shown.returncode == 0 and "before type null" in shown.stdout
    # Under limits, too, nothing broken is passed off as what was merely cut.
    with open_dump(tmp_path / "cut") as dump:
        frame = next(f for f in thread_with(dump, "broken").frames if f.name == "broken")
        assert len(frame.locals["cases"]) == len(expected)
        marks = [
            r.mark.total
            for r in map(dump.graph.record, dump.file.addresses())
            if r is not None and r.mark is not None and r.mark.word == "truncated"
        ]
        assert marks and max(marks) < 1 << 20
    with open_dump(tmp_path / "gc") as dump:
        assert dump.complete
    for name in ("cut", "gc"):
        assert pydumpd("show", tmp_path / name).returncode == 0


def test_changed_while_it_is_read(interpreter: Interpreter, tmp_path: Path) -> None:
    rounds = 2
    with start_script(interpreter, "churn.py") as target:
        told = target.json()
        for i in range(rounds):
            attach(target, tmp_path / str(i), "--capture", "live")
            assert target.unharmed()
        target.close_input()
        assert target.wait() == 0
    for i in range(rounds):
        with open_dump(tmp_path / str(i)) as dump:
            assert dump.header["capture"]["torn"] is True
            values = next(
                f for f in thread_with(dump, "steady").frames if f.name == "steady"
            ).locals
            for name, text in told.items():
                assert repr(values[name]) == text, name
            assert values["frozen"] == frozenset([1, "one", (1,)])
            # What does not hold up is torn, or was gone: nothing is called corrupt.
            words = set()
            for addr in dump.file.addresses():
                rec = dump.graph.record(addr)
                if rec is not None and rec.mark is not None:
                    words.add(rec.mark.word)
            assert words <= {"torn", "unreadable", "redacted"}, words
            for thread in dump.threads:
                for frame in thread.frames:
                    for name in frame.locals:
                        assert isinstance(repr(frame.locals[name]), str)
        assert pydumpd("show", tmp_path / str(i)).returncode == 0
