# SPDX-License-Identifier: Apache-2.0
"""The machine's core_pattern, for one test at a time, put back after it."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
from pathlib import Path
from typing import Iterator

KERNEL = Path("/proc/sys/kernel")


class Pattern:
    def read(self) -> str:
        return (KERNEL / "core_pattern").read_text().rstrip("\n")


def set_pattern(text: str) -> None:
    (KERNEL / "core_pattern").write_text(text + "\n")


@contextlib.contextmanager
def locked(how: int) -> Iterator[None]:
    with open(Path(tempfile.gettempdir()) / "pydumpd-core-pattern.lock", "w") as lock:
        fcntl.flock(lock, how)
        yield


def unchanged() -> contextlib.AbstractContextManager[None]:
    """Nobody changes it meanwhile: for tests in which programs crash."""
    return locked(fcntl.LOCK_SH)


@contextlib.contextmanager
def core_pattern() -> Iterator[Pattern]:
    """Holds it for the caller, who may change it; no other test crashes meanwhile."""
    with locked(fcntl.LOCK_EX):
        pattern = Pattern()
        before = pattern.read(), (KERNEL / "core_pipe_limit").read_text()
        try:
            yield pattern
        finally:
            set_pattern(before[0])
            (KERNEL / "core_pipe_limit").write_text(before[1])
