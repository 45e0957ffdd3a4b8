# SPDX-License-Identifier: Apache-2.0
"""The target runs on as before: under load, when the dumper dies, when it is big."""

from __future__ import annotations

import http.client
import os
import random
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import harness
import pytest
from harness import Target, attach, frame_names, record, start_code, start_script
from interpreters import Interpreter

DUMPS = int(os.environ.get("PYDUMPD_DUMPS") or 24)
KILLS = int(os.environ.get("PYDUMPD_KILLS") or 100)


class Load:
    """Clients that ask without pause; every answer is checked."""

    def __init__(self, port: int, clients: int = 3) -> None:
        self.port = port
        self.stop = threading.Event()
        self.done = 0
        self.failures: list[str] = []
        self.slowest = 0.0
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self.ask, args=(i,), daemon=True) for i in range(clients)
        ]
        for thread in self.threads:
            thread.start()

    def ask(self, seed: int) -> None:
        numbers = random.Random(seed)
        connection = None
        while not self.stop.is_set():
            number = numbers.randrange(10**6)
            # Most requests come over a connection that was there.
            if connection is None or numbers.random() < 0.1:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            begin = time.monotonic()
            try:
                connection.request("GET", f"/{number}")
                body = connection.getresponse().read()
                if int(body) != number * number:
                    self.failures.append(f"{number}: {body!r}")
            except (OSError, ValueError, http.client.HTTPException) as error:
                self.failures.append(f"{number}: {error!r}")
                connection = None
            with self.lock:
                self.done += 1
                self.slowest = max(self.slowest, time.monotonic() - begin)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


class Signals:
    """Sends one signal after the other, each when the last was answered."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.stop = threading.Event()
        self.sent = 0
        self.answered = 0
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self) -> None:
        while not self.stop.wait(0.003):
            os.kill(self.target.pid, signal.SIGUSR1)
            self.sent += 1
            assert self.target.line(30) == f"signal {self.sent}"
            self.answered += 1

    def end(self) -> None:
        self.stop.set()
        self.thread.join(60)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["threaded", "asyncio"])
def test_servers_serve_on(one: Interpreter, tmp_path: Path, kind: str) -> None:
    modes = ["auto", "copy", "fork", "stop", "live"]
    with start_script(one, "server.py", kind) as target:
        load = Load(target.json()["port"])
        signals = Signals(target)
        for number in range(DUMPS):
            path = tmp_path / "d.pydump"
            attach(target, path, f"--capture={modes[number % len(modes)]}")
            assert target.unharmed(), number
            path.unlink()
        signals.end()
        load.end()
        target.close_input()
        served = target.json()
        assert target.wait() == 0
    assert load.failures == []
    assert signals.sent == signals.answered > 0
    assert served["served"] == load.done > DUMPS
    print(f"{load.done} requests, slowest {load.slowest:.3f} s; {signals.sent} signals")


SLEEPY = """
import os, signal, sys, threading, time
count = 0
def handler(number, frame):
    global count
    count += 1
    os.write(1, b"handled %d\\n" % count)
def nudge(number, frame):
    pass
signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGUSR2, nudge)
def busy():
    while True:
        sum(range(1000))
def idle():
    threading.Event().wait()
for function in (busy, idle, idle, idle):
    threading.Thread(target=function, daemon=True).start()
print("ready", flush=True)
while True:
    time.sleep(3600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["copy", "fork", "stop"])
def test_signals_reach_the_main_thread(one: Interpreter, tmp_path: Path, mode: str) -> None:
    """Python runs handlers there, when its system call ends.

    Where the kernel gives the signal to another thread, as it may, the handler
    runs later. A stop makes that likely unless the main thread stops last and
    runs first again; without that care a fifth of these signals came late.
    """
    late = 0
    moments = random.Random(5)
    with start_code(one, SLEEPY) as target:
        target.line()
        begin = time.monotonic()
        attach(target, tmp_path / "first", f"--capture={mode}")
        whole = time.monotonic() - begin
        for number in range(1, DUMPS + 1):
            time.sleep(0.02)  # so that it sleeps again
            dumper = subprocess.Popen(
                [str(harness.PYDUMPD), "attach", str(target.pid), f"--capture={mode}"]
                + ["-q", "-o", str(tmp_path / str(number))],
            )
            time.sleep(moments.uniform(0, whole))
            os.kill(target.pid, signal.SIGUSR1)
            ready, _, _ = select.select([target.process.stdout], [], [], 2)
            if not ready:
                late += 1
                os.kill(target.pid, signal.SIGUSR2)
            assert target.line(10) == f"handled {number}"  # none is ever lost
            assert dumper.wait() == 0
            (tmp_path / str(number)).unlink()
        assert target.unharmed()
    assert late <= DUMPS // 15 + 1


STOPPABLE = """
import sys, threading
for _ in range(5):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
rows = [{"i": i} for i in range(30000)]
print("ready", flush=True)
for line in sys.stdin:
    print("echo " + line.strip(), flush=True)
"""


def test_stopped_stays_stopped(one: Interpreter, tmp_path: Path) -> None:
    with start_code(one, STOPPABLE) as target:
        target.line()
        os.kill(target.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 30
        while set(target.task_states()) != {"T"}:
            assert time.monotonic() < deadline
        refused = harness.pydumpd("attach", target.pid, "-o", tmp_path / "x", "--capture=fork")
        assert refused.returncode == 1 and "no thread" in refused.stderr
        for mode in ("copy", "stop", "live"):
            attach(target, tmp_path / mode, f"--capture={mode}")
            assert set(target.task_states()) == {"T"}, mode
        os.kill(target.pid, signal.SIGCONT)
        assert target.ask("on") == "echo on"


@pytest.mark.slow
def test_killed_dumper(one: Interpreter, tmp_path: Path) -> None:
    """SIGKILL of the dumper at any moment."""
    moments = random.Random(3)
    with start_code(one, STOPPABLE) as target:
        target.line()
        begin = time.monotonic()
        attach(target, tmp_path / "first.pydump")
        whole = time.monotonic() - begin
        (tmp_path / "first.pydump").unlink()
        killed = number = 0
        while killed < KILLS:
            number += 1
            assert number < 20 * KILLS, "the dumper is hardly ever hit"
            path = tmp_path / f"{number}.pydump"
            mode = ("fork", "auto", "fork", "copy", "stop")[number % 5]
            dumper = subprocess.Popen(
                [str(harness.PYDUMPD), "attach", str(target.pid), "-o", str(path)]
                + [f"--capture={mode}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(moments.uniform(0, whole))
            dumper.kill()
            hit = dumper.wait() == -signal.SIGKILL
            killed += hit
            # The moments follow what a dump takes now: the machine may be
            # busier, or idler, than it was for the first one.
            whole *= 1.02 if hit else 0.95
            # The kernel lets go of the threads while the tracer dies.
            assert target.ask(str(number)) == f"echo {number}"
            deadline = time.monotonic() + 10
            while not target.unharmed() or target.children():
                assert time.monotonic() < deadline, target.task_states()
            if path.exists():
                assert record(path, "end")["complete"]
            for left in tmp_path.iterdir():
                left.unlink()


ASLEEP = """
import os, sys, threading
held = ["by", "the", "main", "thread"]
threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
# The new process opens the fifo before it is what it is to be, and meanwhile
# this thread waits in the kernel, where nothing stops it.
child = os.posix_spawn("/bin/true", ["true"], {},
                       file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])
print(os.waitpid(child, 0)[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("mode", ["auto", "copy", "stop"])
def test_asleep_in_the_kernel(one: Interpreter, tmp_path: Path, mode: str) -> None:
    """A thread that cannot be stopped holds up neither the dumper nor the others."""
    if one.version < (3, 8) or one.root:
        pytest.skip("has no posix_spawn, or a file system of its own")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with start_code(one, ASLEEP, str(fifo)) as target:
        target.line()
        deadline = time.monotonic() + 30
        while "D" not in target.task_states():
            assert time.monotonic() < deadline
        path = tmp_path / "d"
        attach(target, path, f"--capture={mode}")
        assert record(path, "header")["capture"]["asleep"] == [target.pid]
        thread = harness.thread_with(harness.open_dump(path), "<module>")
        assert thread.frames[-1].locals["held"] == ["by", "the", "main", "thread"]
        assert record(path, "threads")["threads"][0]["state"] == "D"
        with open(fifo, "wb"):
            assert target.line() == "0"
        assert target.unharmed()


MANY_THREADS = """
import sys, threading
threading.stack_size(256 << 10)
gate = threading.Event()
def hold_thread(number):
    mine = [number]
    gate.wait()
threads = [threading.Thread(target=hold_thread, args=(i,)) for i in range(1000)]
for t in threads:
    t.start()
print("ready", flush=True)
sys.stdin.read()
gate.set()
for t in threads:
    t.join()
print("joined", flush=True)
"""


@pytest.mark.slow
def test_thousand_threads(shared_root: Interpreter, tmp_path: Path) -> None:
    with start_code(shared_root, MANY_THREADS) as target:
        target.line()
        attach(target, tmp_path / "d")
        assert target.unharmed()
        target.close_input()
        assert target.line() == "joined"
        assert target.wait() == 0
    assert record(tmp_path / "d", "end")["threads"] == 1001
    assert frame_names(tmp_path / "d").count("hold_thread") == 1000


RECURSION = """
import sys, threading
sys.setrecursionlimit(50000)
threading.stack_size(1 << 30)
def down(left):
    here = [left]
    if left == 0:
        print("ready", flush=True)
        sys.stdin.read()
        return 0
    return down(left - 1) + 1
def run():
    print(down(20000), flush=True)
thread = threading.Thread(target=run)
thread.start()
thread.join()
"""


@pytest.mark.slow
def test_deep_recursion(shared_root: Interpreter, tmp_path: Path) -> None:
    with start_code(shared_root, RECURSION) as target:
        target.line()
        attach(target, tmp_path / "d")
        assert target.unharmed()
        target.close_input()
        assert target.line() == "20000"
    assert frame_names(tmp_path / "d").count("down") == 20001
    dump = harness.open_dump(tmp_path / "d")
    frames = harness.thread_with(dump, "down").frames
    lefts = [f.locals["here"][0] for f in frames if f.name == "down"]
    assert lefts == list(range(20001))
    shown = harness.pydumpd("show", tmp_path / "d")
    assert shown.returncode == 0 and "down" in shown.stdout


NESTED = """
import sys
nested = []
for i in range(100000):
    nested = [nested]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_deep_nesting(shared_root: Interpreter, tmp_path: Path) -> None:
    with start_code(shared_root, NESTED) as target:
        target.line()
        attach(target, tmp_path / "d")
        assert target.unharmed()
        target.close_input()
        assert target.wait() == 0
    dump = harness.open_dump(tmp_path / "d")
    value = harness.thread_with(dump, "<module>").frames[0].locals["nested"]
    depth = 0
    while value:
        (value,) = value
        depth += 1
    assert depth == 100000
    assert harness.pydumpd("show", tmp_path / "d").returncode == 0


BIG = """
import sys
blocks = [bytes([i % 256]) * (1 << 20) for i in range(2048)]
print("ready", flush=True)
sys.stdin.read()
"""


def available() -> int:
    with open("/proc/meminfo") as file:
        return next(int(x.split()[1]) << 10 for x in file if x.startswith("MemAvail"))


@pytest.mark.slow
def test_two_gigabytes(one: Interpreter, tmp_path: Path) -> None:
    if available() < 7 << 30:
        pytest.skip("less than 7 GB of memory available")
    with start_code(one, BIG) as target:
        target.line()
        attach(target, tmp_path / "d")
        assert target.unharmed()
    assert record(tmp_path / "d", "end")["bytes"] > 2 << 30
    dump = harness.open_dump(tmp_path / "d")
    blocks = harness.thread_with(dump, "<module>").frames[0].locals["blocks"]
    assert len(blocks) == 2048
    assert blocks[-1] == bytes([2047 % 256]) * (1 << 20)
