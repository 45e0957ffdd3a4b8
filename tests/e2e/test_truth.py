# SPDX-License-Identifier: Apache-2.0
"""Every thread, frame, line, local and value is as the target says it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare import compare
from harness import TARGETS, attach, open_dump, start_script
from interpreters import Interpreter


def report(problems: list[str]) -> str:
    return f"{len(problems)} differ:\n" + "\n".join(problems[:60])


@pytest.mark.every_build
def test_truth(interpreter: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "truth.pydump"
    with start_script(interpreter, "truth.py") as target:
        truth = target.json()
        attach(target, path)
        assert target.unharmed()
        assert target.ask("check") == "same"
        target.say("exit")
        assert target.line() == "bye"
        assert target.wait() == 0
    with open_dump(path) as dump:
        problems = compare(dump, truth)
        assert not problems, report(problems)
        sources = dump.sources
        written = (TARGETS / "truth.py").read_text(encoding="utf-8")
        assert sources[truth["file"]].text == written
        assert sources["<module in linecache>"].origin == "linecache"
        assert "module_function" in sources["<module in linecache>"].text


def test_untouched(interpreter: Interpreter, tmp_path: Path) -> None:
    """The same of a process that never made frame objects or f_locals."""
    path = tmp_path / "untouched.pydump"
    # The order of sets and of what comes of them must be the same in both.
    env = {"PYTHONHASHSEED": "1", "TRUTH_LARGE": "300"}
    with start_script(interpreter, "truth.py", env=env) as target:
        truth = target.json()
    with start_script(interpreter, "truth.py", "--untouched", env=env) as target:
        assert target.json() == {"pid": target.pid}
        attach(target, path)
        target.say("exit")
        assert target.line() == "bye"
        assert target.wait() == 0
    if interpreter.root is not None:
        # Each start has a folder of its own there.
        for thread in truth["threads"]:
            for frame in thread["frames"]:
                if frame["file"] == truth["file"]:
                    frame["file"] = "truth.py"
        truth["file"] = "truth.py"
    with open_dump(path) as dump:
        if interpreter.root is not None:
            for thread in dump.threads:
                for frame in thread.frames:
                    if frame.file.endswith("/truth.py"):
                        frame.file = "truth.py"
        problems = compare(dump, truth, another_run=True)
        assert not problems, report(problems)
