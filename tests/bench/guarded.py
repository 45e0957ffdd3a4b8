# SPDX-License-Identifier: Apache-2.0
"""What standing by costs a program to which nothing happens: one process, whose
watch is switched on and off again and again."""

from __future__ import annotations

import contextlib
import mmap
import random
import select
import signal
import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from processes import Failed, environment

Row = dict[str, Any]

#: Notes the time and its own processor time after each unit of work, in memory
#: that it shares with us: how many, then pairs.
PROGRAM = """
import mmap, os, socket, struct, sys, threading, time
kind, work, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
with open(path, "r+b") as f:
    memory = mmap.mmap(f.fileno(), 0)
put, size = struct.Struct("<qq").pack_into, struct.Struct("<q").pack_into
room = len(memory) // 16 - 1
lock = threading.Lock()
marks = 0
def note():
    global marks
    with lock:
        marks += 1
        if marks > room:
            os._exit(3)
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        put(memory, 16 * marks, now, time.clock_gettime_ns(time.CLOCK_PROCESS_CPUTIME_ID))
        size(memory, 0, marks)
def compute():
    total = 0
    for i in range(work):
        total += i * i % 7
def forever():
    while True:
        compute()
        note()
if kind == "alone":
    forever()
elif kind == "several":
    for _ in range(3):
        threading.Thread(target=forever, daemon=True).start()
    forever()
elif kind == "threads":
    while True:
        t = threading.Thread(target=compute)
        t.start()
        t.join()
        note()
elif kind == "echo":
    server = socket.create_server(("127.0.0.1", 0))
    ours = os.getpid()
    if not os.fork():
        client = socket.create_connection(server.getsockname())
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while os.getppid() == ours:
                client.sendall(b"x" * 64)
                client.recv(64)
        except OSError:
            pass
        os._exit(0)
    conn = server.accept()[0]
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        for _ in range(work):
            conn.sendall(conn.recv(64))
        note()
"""


class Program(NamedTuple):
    kind: str
    work: int  # of each unit
    unit: str
    triggers: tuple[str, ...] = ()  # with the default ones


#: Each unit of these takes 0.1 to 10 ms.
PROGRAMS = {
    "CPU-bound": Program("alone", 10_000, "piece of work"),
    "with hang, rss": Program("alone", 10_000, "piece of work", ("hang=1", "rss=1000G")),
    "4 threads": Program("several", 10_000, "piece of work"),
    "echo": Program("echo", 50, "50 answers"),
    "thread, 10 ms": Program("threads", 130_000, "thread"),
    "thread, 5 ms": Program("threads", 65_000, "thread"),
    "empty thread": Program("threads", 0, "thread"),
}
PHASE = 0.13  # seconds
UNITS = 3  # that a phase has to have
LONGER = 50  # times as long, at most
PAIRS_OF_A_RUN = 10
#: Of a phase, that are left out at its beginning: what just came or went has
#: used the caches.
QUIET = 0.01
PATIENCE = 60.0
MARKS = 16 << 20  # bytes for marks


class Marks:
    """What a program has noted, in ns."""

    def __init__(self, memory: mmap.mmap) -> None:
        self.memory = memory
        self.next = 1

    def count(self) -> int:
        return int(struct.unpack_from("<q", self.memory)[0])

    def since(self) -> list[tuple[int, int]]:
        """The new ones."""
        n = self.count()
        out = [struct.unpack_from("<qq", self.memory, 16 * i) for i in range(self.next, n + 1)]
        self.next = n + 1
        return out


class Phase(NamedTuple):
    """Of each unit, in ns."""

    processor: float  # of the program
    watchdog: float  # its processor time
    time: float


def _processor(pids: list[int]) -> int:
    """ns that these processes have run so far."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


def _phase(marks: Marks, seconds: float, watchdog: list[int]) -> Phase | None:
    """Longer where it is hardly allowed to run; None: not at all."""
    time.sleep(QUIET)
    marks.since()
    before, begin = _processor(watchdog), time.monotonic_ns()
    inside: list[tuple[int, int]] = []
    for _ in range(LONGER):
        time.sleep(seconds)
        after, end = _processor(watchdog), time.monotonic_ns()
        inside += [m for m in marks.since() if begin <= m[0] <= end]
        if len(inside) > UNITS:
            break
    else:
        return None
    n = len(inside) - 1
    spent, used = inside[-1][0] - inside[0][0], inside[-1][1] - inside[0][1]
    return Phase(used / n, (after - before) / (end - begin) * spent / n, spent / n)


def _tracer(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    return 0


def _until(stream: Any, text: bytes) -> None:
    """Reads what a tool says, up to that."""
    deadline = time.monotonic() + PATIENCE
    said = b""
    while text not in said:
        ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
        chunk = stream.read1(1 << 16) if ready else b""
        if not chunk:
            raise Failed(f"the watch does not begin: {said.decode(errors='replace')[-200:]}")
        said += chunk


@contextlib.contextmanager
def _watched(argv: list[str], pid: int) -> Iterator[list[int]]:
    """The processes that watch it, when they stand by."""
    guard = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _until(guard.stderr, b"breakpoint 3")
        tracer = _tracer(pid)
        if not tracer:
            raise Failed("the watch has ended")
        yield [guard.pid, tracer]
        guard.send_signal(signal.SIGTERM)
        if guard.wait(PATIENCE):
            raise Failed(f"the watch ended with status {guard.returncode}")
    finally:
        guard.kill()
        guard.wait()
        assert guard.stderr
        guard.stderr.close()


def _between(values: list[float]) -> Row:
    """The median, and where it is with a probability of 95 % (bootstrap)."""
    chance = random.Random(1)
    n = len(values)
    medians = sorted(statistics.median(chance.choices(values, k=n)) for _ in range(1000))
    return {"median": statistics.median(values), "min": medians[24], "max": medians[975]}


def _compared(offs: list[Phase | None], ons: list[Phase | None]) -> Row:
    """Each phase with a watch, and the two without around it."""
    processor, spent, more, watchdog = [], [], [], []
    for before, on, after in zip(offs, ons, offs[1:]):
        if not before or not on or not after:
            continue
        alone = (before.processor + after.processor) / 2
        under = on.processor + on.watchdog
        processor.append(under / alone)
        more.append((under - alone) / 1e3)
        watchdog.append(on.watchdog / 1e3)
        spent.append(2 * on.time / (before.time + after.time))
    if not processor:
        raise Failed("too few units of work in each phase; the machine is too busy")
    return {
        "pairs": len(processor),
        "unit_ms": statistics.median(p.processor for p in offs if p) / 1e6,
        "cpu_ratio": _between(processor),
        "time_ratio": _between(spent),
        "us_each": _between(more),
        "watchdog_us_each": statistics.median(watchdog),
    }


def measure(tool: str, python: str, name: str, pairs: int, seconds: float = PHASE) -> Row:
    what = PROGRAMS[name]
    with tempfile.NamedTemporaryFile(prefix="pydumpd-bench-") as file:
        file.truncate(MARKS)
        marks = Marks(mmap.mmap(file.fileno(), 0))
        argv = [python, "-c", PROGRAM, what.kind, str(what.work), file.name]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=environment())
        watch = [tool, "watch", "-v", "--on=signal", "--on=exception", "--on=request"]
        watch += [f"--on={t}" for t in what.triggers] + [str(process.pid)]
        try:
            deadline = time.monotonic() + PATIENCE
            while marks.count() < 3 and time.monotonic() < deadline:
                if process.poll() is not None:
                    raise Failed(f"the program ended: status {process.returncode}")
                time.sleep(0.01)
            ons: list[Phase | None] = []
            offs = [_phase(marks, seconds, [])]
            for _ in range(pairs):
                with _watched(watch, process.pid) as watchdog:
                    ons.append(_phase(marks, seconds, watchdog))
                offs.append(_phase(marks, seconds, []))
        finally:
            process.kill()
            process.wait()
        return {"unit": what.unit, **_compared(offs, ons)}
