# SPDX-License-Identifier: Apache-2.0
"""Carets under the part of a line that raised, in frames that still run."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from harness import attach, open_dump, start_script, thread_with
from interpreters import Interpreter


def test_carets(interpreter: Interpreter, tmp_path: Path) -> None:
    with start_script(interpreter, "carets.py") as target:
        entries, text = target.json()
        attach(target, tmp_path / "d")
    assert [e[4] for e in entries] == ["hold", "outer", "inner"]
    with open_dump(tmp_path / "d") as dump:
        (handled,) = thread_with(dump, "hold").exceptions
        error = handled.value
        made = traceback.TracebackException(type(error), error, error.__traceback__)
        names = "lineno", "end_lineno", "colno", "end_colno", "name"
        shown = [[getattr(s, n, None) for n in names] for s in made.stack]
        if interpreter.version < (3, 11) or sys.version_info < (3, 11):
            entries = [[e[0], e[4]] for e in entries]
            shown = [[s[0], s[4]] for s in shown]
        else:
            # What is without columns is none in the program, too.
            assert all(None not in e for e in entries)
        assert shown == entries
        if interpreter.version == sys.version_info[:3]:
            assert "".join(made.format()) == "".join(text)
            assert interpreter.version < (3, 11) or "^^^" in "".join(text)
