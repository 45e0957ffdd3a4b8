# SPDX-License-Identifier: Apache-2.0
"""Other tools that dump a Python process, in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from measure import gap_of, span_of
from processes import Failed, Target, environment, run

#: What each does, beside pydumpd: its pause is what the target felt.
PEERS = ["coredumpy", "py-spy", "pystack", "gcore"]
#: Of PyPI, for the workload with many libraries.
LIBRARIES = ["flask", "numpy", "pandas", "requests", "rich", "sqlalchemy"]
_INSTALL = 180.0


class Environment:
    """A virtual environment of the target's Python, made once."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = str(folder / "bin" / "python")
        self.missing: dict[str, str] = {}
        try:
            self._make(python)
        except Failed as e:
            self.missing = {name: f"no environment: {e}" for name in ("pip", *PEERS[:3])}
            self.python = python

    def _make(self, python: str) -> None:
        if not Path(self.python).exists():
            run([python, "-m", "venv", str(self.folder)], 60)
        # pip's own settings say which index is used.
        env = {**environment(), **{k: v for k, v in os.environ.items() if k[:4] == "PIP_"}}
        for name in [*PEERS[:3], *LIBRARIES]:
            stamp = self.folder / f".{name}"
            if stamp.exists():
                continue
            argv = [self.python, "-m", "pip", "install", "--quiet", "--no-input"]
            argv += ["--disable-pip-version-check", "--only-binary=:all:"]
            try:
                run([*argv, "--retries=1", "--timeout=10", name], _INSTALL, env)
                stamp.touch()
            except Failed as e:
                self.missing[name] = f"cannot be installed ({e})"

    def version(self, name: str) -> str:
        if name == "gcore":
            done = subprocess.run(["gdb", "--version"], capture_output=True, text=True)
            return done.stdout.split("\n")[0].rpartition(" ")[2]
        code = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
        return run([self.python, "-c", code, name], 20).output.decode().strip()


def measure(
    env: Environment, peer: str, target: Target, folder: Path, patience: float
) -> dict[str, Any]:
    """One run of a peer on a target that is nobody else's."""
    if peer in env.missing:
        raise Failed(env.missing[peer])
    file = folder / f"{peer}.out"
    target.ask("reset")
    row: dict[str, Any] = {}
    if peer == "coredumpy":
        path = str(file) + ".gz"
        file = Path(path)
        told = target.ask(f"coredumpy {path}", patience)
        if told is None:
            raise Failed("the target does not know it")
        row["total_s"] = told["seconds"]
        row["objects"] = told["objects"]
        row["objects_per_s"] = told["objects"] / told["seconds"]
        row["bytes"] = file.stat().st_size
        row["bytes_per_object"] = row["bytes"] / told["objects"]
    elif peer == "gcore":
        gcore = shutil.which("gcore")
        if gcore is None:
            raise Failed("not installed; it is in the package gdb")
        ran = run([gcore, "-o", str(file), str(target.pid)], patience)
        file = folder / f"{peer}.out.{target.pid}"
        if not file.exists():
            raise Failed("it wrote no core")
        row["bytes"] = file.stat().st_size
    else:
        tool = str(Path(env.python).parent / peer)
        argv = {
            "py-spy": [tool, "dump", "--locals", "--pid", str(target.pid)],
            "pystack": [tool, "remote", "--locals", str(target.pid)],
        }[peer]
        ran = run(argv, patience)
        if not ran.output.strip():
            raise Failed("it printed nothing")
        row["bytes"] = len(ran.output)
    if peer != "coredumpy":
        row["total_s"], row["peak_mb"] = ran.seconds, ran.peak / 1e6
    row["pause_felt_ms"] = float(target.ask("gap")) * 1e3
    row["quiet_gap_ms"] = gap_of(target, span_of(row["total_s"])) * 1e3
    file.unlink(missing_ok=True)
    return row
