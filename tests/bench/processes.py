# SPDX-License-Identifier: Apache-2.0
"""Processes that the benchmark starts, and ends: targets, clients, tools."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
#: Seconds for a heap to be built, or a tool to come to its end.
PATIENCE = 300.0


class Failed(Exception):
    """What could not be measured, and why; one line."""


def environment() -> dict[str, str]:
    """Nothing of ours that changes a Python."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return {**kept, "PYTHONIOENCODING": "utf-8"}


class Talker:
    """A process that answers lines with lines."""

    def __init__(self, argv: list[str], env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=env or environment(),
        )  # fmt: skip
        self.pid = self.process.pid
        self._pending = b""

    def until(self, ending: bytes, patience: float = PATIENCE) -> bytes:
        """What it says up to that ending."""
        assert self.process.stdout and self.process.stderr
        deadline = time.monotonic() + patience
        while ending not in self._pending:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self.process.stdout], [], [], left)
            if not ready:
                raise Failed(f"no answer in {patience:.0f} s")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                said = self.process.stderr.read().decode(errors="replace").strip()
                raise Failed("it ended: " + (said.splitlines() or ["without a word"])[-1][:200])
            self._pending += chunk
        said, _, self._pending = self._pending.partition(ending)
        return said

    def say(self, text: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(text.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed("it has ended") from None

    def ask(self, text: str, patience: float = PATIENCE) -> Any:
        self.say(text)
        return json.loads(self.until(b"\n", patience))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: Any) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]


class Target(Talker):
    """A process with one of the workloads; the service with its load."""

    def __init__(self, python: str, workload: str, scale: float = 1.0) -> None:
        super().__init__([python, str(HERE / "target.py"), workload, str(scale)])
        self.workload = workload
        self.client: Talker | None = None
        try:
            self.until(b"ready\n")
            if workload == "service":
                port = str(self.ask("port"))
                self.client = Talker([python, str(HERE / "client.py"), port])
                self.client.ask("begin")
            self.ask("pass")
        except BaseException:
            self.__exit__()
            raise

    def rss(self) -> int:
        """Bytes of it that are resident."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failed("it has no resident memory any more")

    def __exit__(self, *_: Any) -> None:
        if self.client is not None:
            self.client.__exit__()
        super().__exit__()


def peak_of(pid: int) -> int:
    """Bytes that were resident at most so far; 0 when it has ended.

    Not what wait4() tells: that begins with the peak of who started it.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


class Ran(NamedTuple):
    """A tool that came to its end."""

    seconds: float
    peak: int  # bytes resident at most, looked at every 10 ms
    output: bytes
    errors: str


def run(argv: list[str], patience: float, env: dict[str, str] | None = None) -> Ran:
    """Runs a tool to its end; ends it, and what it started, when it takes too
    long."""
    import tempfile

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env=env or environment(), start_new_session=True,
            )  # fmt: skip
        except OSError as e:
            raise Failed(f"{argv[0]}: {e.strerror}") from None
        late = True
        peak = 0
        done = os.pidfd_open(process.pid)
        try:
            while late and time.perf_counter() - begin < patience:
                late = not select.select([done], [], [], 0.01)[0]
                # Until it is what it is to be, it is a copy of us.
                if late and time.perf_counter() - begin > 0.005:
                    peak = max(peak, peak_of(process.pid))
        finally:
            os.close(done)
            seconds = time.perf_counter() - begin
            if late:
                with contextlib.suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        errors = err.read().decode(errors="replace").strip()
        if late:
            raise Failed(f"not done after {patience:.0f} s")
        if process.returncode:
            lines = [line for line in errors.splitlines() if line.strip()]
            told = next((x for x in lines if "rror" in x), (lines or ["no reason given"])[-1])
            raise Failed(f"status {process.returncode}: {told.strip()[:200]}")
        out.seek(0)
        return Ran(seconds, peak, out.read(), errors)
