# SPDX-License-Identifier: Apache-2.0
"""What threads wait for, against programs that know it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Iterator

import harness
import pytest
from harness import PATIENCE, attach, pydumpd, start_code
from interpreters import Interpreter

# Every part is one group of threads; all of them hang at the same time.
STUCK = """
import concurrent.futures, contextlib, ctypes, os, queue, select, socket, sys, threading, time

def start(name, target, *args):
    thread = threading.Thread(target=target, args=args, name=name)
    thread.daemon = True
    thread.start()
    return thread

# Two locks, the wrong way round.
stock, ledger = threading.Lock(), threading.Lock()
met = threading.Barrier(2)

def seller():
    with stock:
        met.wait()
        for order in [1]:
            try:
                with ledger:
                    pass
            finally:
                pass

def auditor():
    with open(os.devnull) as f, ledger:
        met.wait()
        with stock:
            pass

start("seller", seller)
start("auditor", auditor)

# The same by a function that is a context manager.
left, right = threading.Lock(), threading.Lock()
met_managed = threading.Barrier(2)

@contextlib.contextmanager
def locked(lock):
    with lock:
        yield

def managed(first, second):
    with locked(first):
        met_managed.wait()
        with locked(second):
            pass

start("managed1", managed, left, right)
start("managed2", managed, right, left)

# Three, by RLocks that are attributes.
class Account(object):
    def __init__(self):
        self.lock = threading.RLock()

def transfer(source, target, met):
    with source.lock, source.lock:
        met.wait()
        with target.lock:
            pass

accounts = [Account() for _ in range(3)]
met3 = threading.Barrier(3)
for i in range(3):
    start("transfer%d" % i, transfer, accounts[i], accounts[(i + 1) % 3], met3)

# Taken by acquire(): nothing tells who has them.
bare_one, bare_two = threading.Lock(), threading.Lock()
met_bare = threading.Barrier(2)

def bare(first, second):
    first.acquire()
    met_bare.wait()
    second.acquire()

start("bare1", bare, bare_one, bare_two)
start("bare2", bare, bare_two, bare_one)

# Itself.
alone_lock = threading.Lock()

def alone():
    with alone_lock:
        with alone_lock:
            pass

start("alone", alone)

# What the standard library makes of locks.
jobs, full = queue.Queue(), queue.Queue(1)
full.put(0)
done, condition = threading.Event(), threading.Condition()
permits, gate = threading.Semaphore(0), threading.Barrier(3)
start("getter", jobs.get)
start("putter", full.put, 1)
start("joiner", full.join)
start("event", done.wait)
start("patient", done.wait, 3600)

def waits():
    with condition:
        condition.wait()

start("condition", waits)
start("semaphore", permits.acquire)
start("barrier", gate.wait)
never = start("sleeper", time.sleep, 3600)
start("join", never.join)

# A pool that waits for itself.
pool = concurrent.futures.ThreadPoolExecutor(1)

def inner():
    return 1

def outer():
    return pool.submit(inner).result()

pooled = pool.submit(outer)
start("result", pooled.result)

# The one that holds it has ended; its ident may be that of the next thread.
left_behind, gone = threading.RLock(), threading.Event()

def orphan():
    gone.wait()
    left_behind.acquire()

# Files.
r, w = os.pipe()
start("reader", os.read, r, 1)
a, b = socket.socketpair()
start("poller", select.poll if False else (lambda: select.select([a, r], [], [])))
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
start("acceptor", server.accept)
port = server.getsockname()[1]

start("orphan", orphan)
start("ending", left_behind.acquire).join()
gone.set()

print("%d %d %d" % (r, a.fileno(), port), flush=True)
sys.stdin.readline()
os._exit(0)
"""
NAMES = (
    "seller auditor managed1 managed2 transfer0 transfer1 transfer2 bare1 bare2 alone getter "
    "putter joiner event patient condition semaphore barrier sleeper join result reader poller "
    "acceptor orphan"
).split()


def until_asleep(target: harness.Target, n: int) -> None:
    """All of n threads sleep, and none of them has run in between."""
    deadline = time.monotonic() + PATIENCE
    last, calm = None, 0
    while calm < 3:
        assert time.monotonic() < deadline, "the threads do not settle"
        now = []
        for task in sorted(Path(f"/proc/{target.pid}/task").iterdir()):
            try:
                lines = (task / "status").read_text().splitlines()
            except OSError:
                lines = ["State: it ends"]
            now.append([x for x in lines if x.startswith(("State", "volu", "nonvol"))])
        asleep = len(now) >= n and all("S (sleeping)" in x[0] for x in now)
        calm = calm + 1 if asleep and now == last else 0
        last = now
        time.sleep(0.02)


class Told:
    """What a dump says, by names of threads."""

    def __init__(self, path: Path) -> None:
        self.dump = harness.open_dump(path)
        self.waits = self.dump.waits
        self.by_name = {t.name: t.wait for t in self.dump.threads}

    def name(self, number: int | None) -> str | None:
        return None if number is None else self.dump.threads[self.waits.threads[number].thread].name

    def circles(self) -> list[set[str | None]]:
        return [{self.name(n) for n in d.threads} for d in self.waits.deadlocks]


def check_stuck(told: Told, mode: str, r: int, a: int, port: int) -> None:
    by, name = told.by_name, told.name
    assert set(NAMES) <= set(by)
    # Who waits for what, and for whom.
    assert (by["seller"].wait, name(by["seller"].on)) == ("lock", "auditor")
    assert (by["auditor"].wait, name(by["auditor"].on)) == ("lock", "seller")
    held = {k.name: name(k.owner) for k in told.waits.locks if k.kind == "lock" and k.name}
    assert (held["stock"], held["ledger"]) == ("seller", "auditor")
    assert by["seller"].text == "waits for Lock ledger, held by thread %d (auditor)" % (
        by["seller"].on
    )
    for i in range(3):
        wait = by["transfer%d" % i]
        assert (wait.wait, name(wait.on)) == ("lock", "transfer%d" % ((i + 1) % 3))
        lock = told.waits.locks[wait.lock]
        assert (lock.kind, lock.count, lock.type) == ("rlock", 2, "_thread.RLock")
        assert lock.name.startswith("Account.lock of ")
    for i, other in ((1, "bare_two"), (2, "bare_one")):
        wait = by["bare%d" % i]
        assert (wait.wait, wait.on) == ("lock", None)
        assert wait.text == f"waits for Lock {other}, holder not known"
        assert told.waits.locks[wait.lock].locked
    assert (by["orphan"].wait, by["orphan"].on) == ("lock", None)
    # Only the registers tell that no thread is the owner.
    known = "holder not known" if mode == "live" else "held by a thread that is not there"
    assert by["orphan"].text.startswith("waits for RLock left_behind, " + known)
    assert told.waits.locks[by["orphan"].lock].orphan == (mode != "live")
    assert name(by["alone"].on) == "alone"
    assert by["alone"].text == "waits for Lock alone_lock, which it holds itself"
    # The library's own.
    expected = {
        "getter": ("queue", "Queue jobs to have an item (get(); it is empty)"),
        "putter": ("queue", "Queue full to have room (put(); 1 of 1 items)"),
        "joiner": ("queue", "Queue full to be done (join(), 1 tasks unfinished)"),
        "event": ("event", "Event done to be set"),
        "patient": ("event", "Event done to be set, with a timeout"),
        "condition": ("condition", "Condition condition to be notified"),
        "semaphore": ("semaphore", "Semaphore permits (its value is 0)"),
        "barrier": ("barrier", "Barrier gate (1 of 3 are there)"),
        "join": ("join", "the end of thread %d (sleeper)" % by["join"].on),
    }
    for who, (what, text) in expected.items():
        assert (by[who].wait, by[who].text) == (what, "waits for " + text), who
        assert by[who].timed == (who == "patient")
    left = by["patient"].syscall.left
    assert left is not None and 3000 < left <= 3600
    assert by["event"].syscall.left is None
    assert name(by["join"].on) == "sleeper"
    assert by["event"].object == told.dump.address(told.dump.threads[0].frames[-1].locals["done"])
    worker = told.name(by["result"].on)
    assert worker.startswith("ThreadPoolExecutor") and by["result"].wait == "future"
    assert by["result"].text.startswith("waits for the result of Future pooled (RUNNING), run by")
    assert by[worker].wait == "future"
    # System calls.
    read = by["reader"].syscall
    assert (read.name, read.args[0], by["reader"].wait) == ("read", r, "syscall")
    assert read.text.startswith("read(%d, 0x" % r) and read.fds[r].startswith("pipe:[")
    assert by["poller"].syscall.name in ("select", "pselect6", "poll")
    assert set(by["poller"].syscall.fds) == {r, a}
    assert by["poller"].syscall.fds[a].startswith("socket AF_UNIX")
    accept = by["acceptor"].syscall
    assert accept.name in ("accept4", "poll")
    assert list(accept.fds.values()) == [f"socket TCP 127.0.0.1:{port}, LISTEN"]
    sleep = by["sleeper"].syscall
    assert sleep.name in ("clock_nanosleep", "select", "pselect6")
    assert 3000 < sleep.left <= 3600
    # Circles.
    found = told.circles()
    assert {"seller", "auditor"} in found
    assert {"transfer0", "transfer1", "transfer2"} in found
    assert {"alone"} in found
    assert {"managed1", "managed2"} in found
    assert not any("bare1" in c for c in found)
    assert {worker} in found
    (pool,) = [d for d in told.waits.deadlocks if "pool" in d.text]
    assert pool.text.startswith("the only thread of a pool, thread ")


@pytest.fixture
def stuck(interpreter: Interpreter) -> Iterator[tuple[harness.Target, list[int]]]:
    with start_code(interpreter, STUCK) as target:
        numbers = [int(x) for x in target.line().split()]
        until_asleep(target, len(NAMES) + 2)
        yield target, numbers


def test_stuck(stuck: tuple[harness.Target, list[int]], tmp_path: Path) -> None:
    target, numbers = stuck
    # The second time, waits with a timeout go on as another system call.
    for mode in ("copy", "stop", "copy"):
        path = tmp_path / mode
        path.unlink(missing_ok=True)
        attach(target, path, f"--capture={mode}")
        check_stuck(Told(path), mode, *numbers)
    shown = pydumpd("show", tmp_path / "copy")
    assert "DEADLOCK: thread" in shown.stdout and "held by thread" in shown.stdout
    assert "  waits for Event done to be set\n" in shown.stdout
    shown = json.loads(pydumpd("show", "--json", "--no-locals", tmp_path / "copy").stdout)
    assert len(shown["waits"]["deadlocks"]) >= 3
    assert target.unharmed()


def test_live(stuck: tuple[harness.Target, list[int]], tmp_path: Path) -> None:
    """Nobody stops the threads, but none of these has run meanwhile."""
    target, numbers = stuck
    attach(target, tmp_path / "d", "--capture=live")
    told = Told(tmp_path / "d")
    # Up to 3.10 only a stop tells which thread of the kernel is which.
    if told.dump.threads[1].native_id is not None:
        check_stuck(told, "live", *numbers)
    assert target.unharmed()


# Circles that go through more than locks, and what is close to one.
MORE = """
import concurrent.futures, os, sys, threading, time

def start(name, target, *args):
    thread = threading.Thread(target=target, args=args, name=name)
    thread.daemon = True
    thread.start()
    return thread

# Another process has this one.
try:
    import multiprocessing
    fork = multiprocessing.get_context("fork")
    shared_one, shared_two, elsewhere = fork.Lock(), fork.RLock(), fork.Lock()
except (ImportError, OSError):
    fork = None
if fork:
    told, ends = os.pipe(), os.pipe()
    if not os.fork():
        os.close(ends[1])
        elsewhere.acquire()
        os.write(told[1], b"1")
        os.read(ends[0], 1)
        os._exit(0)
    os.read(told[0], 1)

def both(first, second, met):
    with first:
        met.wait()
        with second:
            pass

def pair(name, first, second):
    met = threading.Barrier(2)
    start(name + "1", both, first, second, met)
    start(name + "2", both, second, first, met)

# Conditions are locks, too; so are semaphores of processes.
pair("condition", threading.Condition(), threading.Condition(threading.Lock()))
if fork:
    pair("shared", shared_one, shared_two)
    start("foreign", elsewhere.acquire)

# Two that wait for each other's end.
ends_of = {}
known = threading.Event()

def joins(other):
    known.wait()
    ends_of[other].join()

for name, other in (("joins1", "joins2"), ("joins2", "joins1")):
    ends_of[name] = start(name, joins, other)
known.set()

# The end of a thread that waits for a lock of the one that waits.
door = threading.Lock()

def enters():
    with door:
        pass

def keeps():
    with door:
        start("enters", enters).join()

start("keeps", keeps)

# Work that waits for a lock of the one that waits for the work.
desk = threading.RLock()
pool = concurrent.futures.ThreadPoolExecutor(2)

def works():
    with desk:
        pass

def orders():
    with desk:
        pool.submit(works).result()

start("orders", orders)

# None for ever: one of the two gives up some day.
red, blue = threading.Lock(), threading.Lock()
met = threading.Barrier(2)

def patient():
    with red:
        met.wait()
        blue.acquire(timeout=3600)

def eager():
    with blue:
        met.wait()
        with red:
            pass

start("patient", patient)
start("eager", eager)

# Nor this: the one that has it sleeps.
bed = threading.Lock()
asleep = threading.Event()

def sleeps():
    with bed:
        asleep.set()
        time.sleep(3600)

start("sleeps", sleeps)
asleep.wait()
start("wakes", enters.__class__(enters.__code__, {"door": bed}))

# Nor a lock that Condition.wait() let go, though its "with" is around.
signalled = threading.Condition(threading.Lock())
waiting = threading.Event()

def listens():
    with signalled:
        waiting.set()
        signalled.wait()

start("listens", listens)
waiting.wait()

def speaks():
    with signalled:
        time.sleep(3600)

start("speaks", speaks)
print(1 if fork else 0, flush=True)
sys.stdin.readline()
os._exit(0)
"""
MORE_CIRCLES = [
    {"condition1", "condition2"},
    {"joins1", "joins2"},
    {"keeps", "enters"},
    {"orders", "ThreadPoolExecutor"},
]


def check_more(told: Told, fork: bool) -> None:
    by, name = told.by_name, told.name
    circles = [{n and n.split("-")[0] for n in c} for c in told.circles()]
    expected = [*MORE_CIRCLES, *([{"shared1", "shared2"}] if fork else [])]
    assert sorted(map(sorted, circles)) == sorted(map(sorted, expected))
    for who, on, what in (
        ("patient", "eager", "lock"),
        ("eager", "patient", "lock"),
        ("wakes", "sleeps", "lock"),
        ("joins1", "joins2", "join"),
        ("enters", "keeps", "lock"),
        ("keeps", "enters", "join"),
    ):
        assert (by[who].wait, name(by[who].on)) == (what, on), who
    assert by["patient"].timed and not by["eager"].timed
    number = by["patient"].on
    assert by["patient"].text == (
        f"waits for Lock blue, held by thread {number} (eager), with a timeout"
    )
    assert by["wakes"].text == "waits for Lock bed, held by thread %d (sleeps)" % by["wakes"].on
    assert by["listens"].text == "waits for Condition signalled to be notified"
    assert by["keeps"].text == "waits for the end of thread %d (enters)" % by["keeps"].on
    assert by["orders"].text.startswith("waits for the result of Future ")
    assert name(by["orders"].on).startswith("ThreadPoolExecutor")
    lock = told.waits.locks[by["condition1"].lock]
    assert name(lock.owner) == "condition2"
    a = "thread %d (keeps)" % by["enters"].on
    b = "thread %d (enters)" % by["keeps"].on
    (text,) = [d.text for d in told.waits.deadlocks if "(keeps)" in d.text]
    assert text in (
        f"{b} waits for Lock door, held by {a}, which waits for the end of {b}",
        f"{a} holds Lock door and waits for the end of {b}, which waits for Lock door, held by {a}",
    )
    if not fork:
        return
    foreign = by["foreign"]
    assert (foreign.wait, foreign.on) == ("lock", None)
    assert re.fullmatch(
        r"waits for _multiprocessing\.SemLock Lock\._semlock of elsewhere, the Lock at 0x\w+, "
        r"holder not known",
        foreign.text,
    )


def words(told: Told) -> list[object]:
    """What is said of each thread, and of all."""
    return [
        [(told.name(i), w.wait, w.text) for i, w in enumerate(told.waits.threads)],
        [d.text for d in told.waits.deadlocks],
        [(k.kind, k.object, k.name, k.locked, k.owner) for k in told.waits.locks],
    ]


@pytest.mark.crashes
def test_more_circles(interpreter: Interpreter, tmp_path: Path) -> None:
    """Through conditions, join(), futures, semaphores of processes; near misses
    are none. The core of the process tells the same."""
    from test_core import argv_in, die, dump, no_kernel_cores, root_of, workplace

    with workplace(interpreter, tmp_path) as (folder, inside):
        (folder / "more.py").write_text(MORE)
        with harness.start(argv_in(interpreter, inside, "more.py")) as target:
            fork = target.line() == "1"
            until_asleep(target, 15 + (3 if fork else 0))
            attach(target, tmp_path / "live")
            live = Told(tmp_path / "live")
            check_more(live, fork)
            if no_kernel_cores():
                return
            core = die(target, folder)
        dump(core, tmp_path / "core", *root_of(interpreter))
        core.unlink()
    told = Told(tmp_path / "core")
    check_more(told, fork)
    assert words(told) == words(live)


IMPORTS = """
import sys, threading, time
entered = threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        return type(sys.__spec__)(name, self) if name == "slow_module" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        entered.set()
        time.sleep(3600)

def imports():
    import slow_module

sys.meta_path.insert(0, Slow())
for name in ("first", "second"):
    thread = threading.Thread(target=imports, name=name)
    thread.daemon = True
    thread.start()
    entered.wait()
if len(sys.argv) > 1:
    import importlib
print("ready", flush=True)
sys.stdin.read()
"""


def test_import(interpreter: Interpreter, tmp_path: Path) -> None:
    """The module's lock; importlib is called otherwise until it is imported."""
    for args in ((), ("importlib",)):
        path = tmp_path / ("d" + "".join(args))
        with start_code(interpreter, IMPORTS, *args) as target:
            assert target.line() == "ready"
            until_asleep(target, 3)
            attach(target, path, "--max-objects=1000")
        told = Told(path)
        second = told.by_name["second"]
        assert second.wait == "import"
        assert told.name(second.on) == "first"
        assert second.text == (
            "waits for module slow_module to be imported, imported by thread %d (first)" % second.on
        )
        assert not told.waits.deadlocks

PEERS = """
import fcntl, os, signal, sys, threading
files = [open(sys.argv[1] + name, "w") for name in ("flock", "range", "else")]

def start(name, target, *args):
    thread = threading.Thread(target=target, args=args, name=name)
    thread.daemon = True
    thread.start()

r, w = os.pipe()
ready, tell = os.pipe()
hold = os.fork()
if not hold:
    os.close(r)
    flock, ranged, other = [open(f.name, "w") for f in files]
    fcntl.flock(flock, fcntl.LOCK_EX)
    fcntl.lockf(ranged, fcntl.LOCK_EX, 10, 0)
    os.write(tell, b"1")
    signal.pause()
os.close(w)
os.read(ready, 1)
far = os.fork()
if not far:
    fcntl.lockf(open(files[1].name, "w"), fcntl.LOCK_EX, 10, 100)
    os.write(tell, b"1")
    signal.pause()
os.read(ready, 1)
start("flock", fcntl.flock, files[0], fcntl.LOCK_EX)
start("range", fcntl.lockf, files[1], fcntl.LOCK_EX, 5, 5)
start("reader", os.read, r, 1)
start("child", os.waitpid, hold, 0)
start("any", os.wait)
print("%d %d" % (hold, far), flush=True)
sys.stdin.readline()
for pid in (hold, far):
    os.kill(pid, 9)
os._exit(0)
"""


def test_who_else(interpreter: Interpreter, tmp_path: Path) -> None:
    """The processes that hold the lock of a file, that are to end, that have the
    other end of a pipe."""
    inside = f"/tmp/pydumpd-peers-{interpreter.key}-{tmp_path.name}."
    with start_code(interpreter, PEERS, inside) as target:
        hold, far = target.line().split()
        comm = Path(f"/proc/{hold}/comm").read_text().strip()
        until_asleep(target, 6)
        attach(target, tmp_path / "d", "--max-objects=1000", "--native=off")
        target.say("")
        target.wait()
    for name in ("flock", "range", "else"):
        interpreter.outside(inside + name).unlink()
    told = Told(tmp_path / "d")
    holder, other = f"process {hold} ({comm})", f"process {far} ({comm})"
    seen = {n: w.syscall.peers for n, w in told.by_name.items() if n != "MainThread"}
    path = str(interpreter.outside(inside))
    assert seen.pop("any") in (f"the end of any child: {a}, {b}" for a, b in
                               ((holder, other), (other, holder)))  # fmt: skip
    assert seen == {
        "flock": f"a lock on {path}flock, held by {holder}",
        "range": f"a lock on {path}range, held by {holder}",
        "reader": f"data of a pipe, to be written by {holder}",
        "child": f"the end of {holder}",
    }
    assert f"     for the end of {holder}\n" in pydumpd("show", tmp_path / "d").stdout


GIL = """
import ctypes, sys, threading
libc = ctypes.PyDLL(None)  # calls it with the GIL held

def spin():
    while True:
        pass

def hold():
    print("ready", flush=True)
    libc.sleep(3600)

for target in (spin, hold):
    thread = threading.Thread(target=target, name=target.__name__)
    thread.daemon = True
    thread.start()
sys.stdin.read()
"""


def in_call(target: harness.Target, name: str, number: str) -> None:
    """Waits until a thread of that name or order sits in a system call."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for task in Path(f"/proc/{target.pid}/task").iterdir():
            if (task / "syscall").read_text().split()[0] == number:
                return
        time.sleep(0.02)
    raise AssertionError(f"no thread comes to {name}")


def test_gil_held_in_c(interpreter: Interpreter, tmp_path: Path) -> None:
    with start_code(interpreter, GIL) as target:
        assert target.line() == "ready"
        in_call(target, "clock_nanosleep", "230")
        # It may just have woken up to look whether the GIL is free.
        for _ in range(20):
            (tmp_path / "d").unlink(missing_ok=True)
            attach(target, tmp_path / "d", "--max-objects=1000")
            told = Told(tmp_path / "d")
            if told.by_name["spin"].wait == "gil":
                break
        spin = told.by_name["spin"]
        assert (spin.wait, told.name(spin.on)) == ("gil", "hold")
        assert spin.text == "waits for the GIL, held by thread %d (hold)" % spin.on
        (lock,) = [k for k in told.waits.locks if k.kind == "gil"]
        assert (lock.locked, told.name(lock.owner)) == (True, "hold")
        (note,) = told.waits.notes
        assert "(hold) holds the GIL while it sits in clock_nanosleep(" in note
        assert note.endswith(("1 thread waits for the GIL", "2 threads wait for the GIL"))
        assert note in pydumpd("show", tmp_path / "d").stdout
        assert not told.waits.deadlocks


NATIVE_C = """
#include <pthread.h>
#include <time.h>
#include <unistd.h>
enum { ROBUST = 3, PI = 4, TIMED = 5 };
static struct {
	pthread_mutex_t m[2];
	pthread_barrier_t met;
} pairs[6];
int both(int kind, int first)
{
	struct timespec later = { .tv_sec = time(0) + 3600 };
	pthread_mutex_t *m = pairs[kind].m;
	pthread_mutex_lock(&m[first]);
	pthread_barrier_wait(&pairs[kind].met);
	/* The kernel would see a circle of these. */
	if (kind == PI && first)
		return pause();
	if (kind == TIMED && first)
		return pthread_mutex_timedlock(&m[0], &later);
	return pthread_mutex_lock(&m[!first]);
}
int prepare(void)
{
	for (int kind = 0; kind < 6; kind++) {
		pthread_mutexattr_t a;
		pthread_mutexattr_init(&a);
		if (kind < ROBUST)
			pthread_mutexattr_settype(&a, kind);
		if (kind == ROBUST)
			pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
		if (kind == PI)
			pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
		pthread_barrier_init(&pairs[kind].met, 0, 2);
		for (int i = 0; i < 2; i++)
			if (pthread_mutex_init(&pairs[kind].m[i], &a))
				return 1;
	}
	return 0;
}
void spin(void)
{
	for (volatile int i = 0;; i++)
		;
}
"""
KINDS = ["normal", "recursive", "errorcheck", "robust", "pi", "timed"]
NATIVE = """
import ctypes, sys, threading
library = ctypes.CDLL(sys.argv[1])
assert library.prepare() == 0
for kind in range(6):
    for i in (0, 1):
        thread = threading.Thread(target=library.both, args=(kind, i), name="%d.%d" % (kind, i))
        thread.daemon = True
        thread.start()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    (folder / "both.c").write_text(NATIVE_C)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-pthread", "-o", folder / "both.so", folder / "both.c"],
        check=True,
    )
    return folder / "both.so"


def test_native_mutexes(shared_root: Interpreter, library: Path, tmp_path: Path) -> None:
    with start_code(shared_root, NATIVE, str(library)) as target:
        assert target.line() == "ready"
        until_asleep(target, 13)
        attach(target, tmp_path / "d", "--max-objects=1000")
    told = Told(tmp_path / "d")
    for kind, text in enumerate(KINDS):
        for i in (0, 1):
            wait = told.by_name["%d.%d" % (kind, i)]
            if (text, i) == ("pi", 1):
                assert (wait.wait, wait.syscall.name) == ("syscall", "pause")
                continue
            assert (wait.wait, told.name(wait.on)) == ("mutex", "%d.%d" % (kind, 1 - i)), text
            lock = told.waits.locks[wait.lock]
            assert (lock.kind, lock.type, lock.locked) == ("mutex", "pthread_mutex_t", True)
            assert wait.text.startswith("waits for native mutex at 0x")
            assert wait.timed == ((text, i) == ("timed", 1))
    assert sorted(map(sorted, told.circles())) == [["%d.0" % k, "%d.1" % k] for k in range(4)]


MIXED = """
import ctypes, os, sys, threading
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(40)
python_lock, met = threading.Lock(), threading.Barrier(2)

def outer():
    with python_lock:
        met.wait()
        libc.pthread_mutex_lock(mutex)

def inner():
    libc.pthread_mutex_lock(mutex)
    met.wait()
    with python_lock:
        pass

for target in (outer, inner):
    thread = threading.Thread(target=target, name=target.__name__)
    thread.daemon = True
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
os._exit(0)
"""


def test_python_lock_and_mutex(interpreter: Interpreter, tmp_path: Path) -> None:
    """One circle through both, also where the mutex lies in an object."""
    with start_code(interpreter, MIXED) as target:
        assert target.line() == "ready"
        until_asleep(target, 3)
        attach(target, tmp_path / "d", "--max-objects=1000", "--native=off")
    told = Told(tmp_path / "d")
    assert told.circles() == [{"outer", "inner"}]
    (circle,) = told.waits.deadlocks
    assert "Lock python_lock" in circle.text and "native mutex at 0x" in circle.text


SPIN = """
import ctypes, sys, threading
library = ctypes.PyDLL(sys.argv[1])  # calls it with the GIL held
def spin():
    print("ready", flush=True)
    library.spin()
thread = threading.Thread(target=spin, name="spin")
thread.daemon = True
thread.start()
while sys.stdin.readline():
    pass
"""


def test_gil_held_by_an_extension(
    shared_root: Interpreter, library: Path, tmp_path: Path
) -> None:
    """It computes, and never lets the GIL go."""
    with start_code(shared_root, SPIN, str(library)) as target:
        assert target.line() == "ready"
        # Once this is read, the main thread wants it. Now and then it looks.
        for _ in range(200):
            target.say("")
            (tmp_path / "d").unlink(missing_ok=True)
            attach(target, tmp_path / "d", "--max-objects=1000")
            told = Told(tmp_path / "d")
            if told.waits.notes:
                break
        waits = told.by_name["MainThread"]
        assert (waits.wait, told.name(waits.on)) == ("gil", "spin")
        number = waits.on
        assert told.waits.notes == [
            f"thread {number} (spin) holds the GIL and runs code of both.so; "
            "1 thread waits for the GIL"
        ]
        assert not told.waits.deadlocks


BUSY = """
import queue, sys, threading
first, second, nested = threading.Lock(), threading.Lock(), threading.RLock()
condition, jobs, permits = threading.Condition(), queue.Queue(2), threading.Semaphore(2)
turn = [0]

def locks():
    while True:
        with first:
            with second:
                turn[0] += 1
            second.acquire()
            second.release()
        with nested, nested:
            with first:
                pass
        try:
            with first:
                raise KeyError(1)
        except KeyError:
            pass

def conditions(i):
    while True:
        with condition:
            turn[0] = i
            condition.notify_all()
            condition.wait(0.001)

def put():
    while True:
        jobs.put(1)

def get():
    while True:
        jobs.get()
        with permits:
            jobs.task_done()

def joins():
    while True:
        thread = threading.Thread(target=turn.append, args=(1,))
        thread.start()
        thread.join()
        del turn[1:]

for target, args in [(locks, ())] * 4 + [(conditions, (i,)) for i in range(2)] + [
    (put, ()), (put, ()), (get, ()), (get, ()), (joins, ())
]:
    thread = threading.Thread(target=target, args=args)
    thread.daemon = True
    thread.start()
print("ready", flush=True)
sys.stdin.read()
"""


def check_busy(interpreter: Interpreter, tmp_path: Path, times: int) -> None:
    """Threads that use locks as they should are never said to be stuck."""
    modes = ["copy", "stop", "fork", "live"]
    with start_code(interpreter, BUSY) as target:
        assert target.line() == "ready"
        for i in range(times):
            path = tmp_path / "d"
            path.unlink(missing_ok=True)
            attach(target, path, f"--capture={modes[i % 4]}", "--max-objects=100", "--native=off")
            waits = harness.record(path, "waits")
            assert waits["deadlocks"] == []
            for lock in waits["locks"]:
                assert lock["owner"] is None or lock["locked"]
        assert target.unharmed()


def test_no_false_deadlock(interpreter: Interpreter, tmp_path: Path) -> None:
    check_busy(interpreter, tmp_path, 12)


def test_no_false_deadlock_often(one: Interpreter, tmp_path: Path) -> None:
    check_busy(one, tmp_path, 52)
