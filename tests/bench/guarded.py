# SPDX-License-Identifier: Apache-2.0
"""What "pydumpd run" costs a program to which nothing happens: the time of it
alone and under run, by turns."""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from processes import Failed, environment

Row = dict[str, Any]

#: Takes how often, and how much work each time.
PROGRAM = """
import sys, threading
times, work, threads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "threads"
def once():
    total = 0
    for i in range(work):
        total += i * i % 7
for _ in range(times):
    if threads:
        t = threading.Thread(target=once)
        t.start()
        t.join()
    else:
        once()
"""
#: Name: how often, work, whether in a thread of its own each time.
PROGRAMS = {
    "CPU-bound": (200, 120_000, "alone"),
    "long threads": (200, 120_000, "threads"),
    "threads": (400, 60_000, "threads"),
    "short threads": (5000, 1000, "threads"),
}


def _run(argv: list[str]) -> tuple[float, float]:
    """Seconds, and seconds of processor time: of it and all below it."""
    begin = time.perf_counter()
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{argv[0]}: status {process.returncode}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime


def _least(tool: str, argv: list[str], rounds: int) -> list[float]:
    """Time and processor time alone, and the same under run: what else runs
    only adds to them."""
    alone, under = [], []
    for _ in range(rounds):
        alone.append(_run(argv))
        under.append(_run([tool, "run", "-q", "--", *argv]))
    return [min(r[i] for r in runs) for runs in (alone, under) for i in (0, 1)]


def measure(tool: str, python: str, name: str, rounds: int, scale: float) -> Row:
    times, work, how = PROGRAMS[name]
    times = max(1, int(times * scale))
    argv = [python, "-c", PROGRAM, str(times), str(work), how]
    alone_time, alone, under_time, under = _least(tool, argv, rounds)
    # The start of pydumpd is told apart.
    argv[3] = "0"
    empty_time, empty, start_time, start = _least(tool, argv, rounds)
    more = (under - alone) - (start - empty)
    more_time = (under_time - alone_time) - (start_time - empty_time)
    return {
        "runs": rounds,
        "times": times,
        "alone_s": alone,
        "start_s": start - empty,
        "cpu_ratio": 1 + more / alone,
        "time_ratio": 1 + more_time / alone_time,
        "us_each": more / times * 1e6,
    }
