# SPDX-License-Identifier: Apache-2.0
"""What is read at a glance is what the readers of the families make of it.

Objects are taken out of blocks of memory where the target has them at hand
(src/read/quick.c), which a copy of the memory does not: two dumps of the same
moment, one of each kind, have to be equal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from harness import BUILD, Target, attach, start_script
from interpreters import Interpreter

N = 200


def dump(target: Target, folder: Path, mode: str, limits: list[str]) -> list[str]:
    """A line for each object."""
    path = folder / f"{mode}{len(limits)}.pydump"
    attach(target, path, "--no-redact", f"--capture={mode}", *limits)
    done = subprocess.run([BUILD / "dumptool", "read", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


def test_same_objects(interpreter: Interpreter, tmp_path: Path) -> None:
    with start_script(interpreter, "common.py", str(N)) as target:
        assert target.line() == "ready"
        os.kill(target.pid, signal.SIGSTOP)
        while set(target.task_states()) != {"T"}:
            time.sleep(0.01)
        for limits in ([], ["--max-items=19", "--max-string=5", "--max-blob=7"]):
            copied, quick = (dump(target, tmp_path, mode, limits) for mode in ("copy", "stop"))
            assert len(copied) > 90 * N
            assert copied == quick
        os.kill(target.pid, signal.SIGCONT)
        target.close_input()
        assert target.wait() == 0
