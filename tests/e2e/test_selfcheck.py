# SPDX-License-Identifier: Apache-2.0
"""A program that checks itself sees nothing of many dumps, in any mode."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
from pathlib import Path

import pytest
from harness import TARGETS, attach, start_script
from interpreters import Interpreter

DUMPS = int(os.environ.get("PYDUMPD_DUMPS") or 6)


@pytest.fixture(scope="session")
def registers(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The library that keeps values in registers."""
    if platform.machine() != "x86_64":
        return []
    path = tmp_path_factory.mktemp("registers") / "registers.so"
    argv = ["cc", "-O1", "-shared", "-fPIC", "-o", str(path), str(TARGETS / "registers.c")]
    subprocess.run(argv, check=True)
    return [str(path)]


def own_memory(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(x.split()[1]) << 10 for x in file if x.startswith("RssAnon"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["copy", "fork", "stop", "live"])
@pytest.mark.versions((3, 7), (3, 11), (3, 14))  # it is the same for all
def test_checks_itself(
    interpreter: Interpreter, tmp_path: Path, mode: str, registers: list[str]
) -> None:
    args = [] if interpreter.root else registers
    with start_script(interpreter, "selfcheck.py", *args) as target:
        assert target.line() == "ready"
        at_first = 0
        for number in range(DUMPS):
            path = tmp_path / f"{number}.pydump"
            attach(target, path, f"--capture={mode}", "--max-objects=500", "--native=off")
            counts, wrong = ast.literal_eval(target.ask(""))
            assert wrong == [], number
            assert target.unharmed()
            memory = own_memory(target.pid)
            path.unlink()
            # What the first dumps find may still grow by itself.
            if number <= DUMPS // 2:
                at_first = max(at_first, memory)
        target.close_input()
        counts, wrong = ast.literal_eval(target.line())
        assert target.wait() == 0
    assert wrong == []
    assert counts["rounds"] and counts["alarm"] and counts["children"]
    if mode != "fork":
        assert memory < at_first + (8 << 20)
    print(counts, memory - at_first)
