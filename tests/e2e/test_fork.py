# SPDX-License-Identifier: Apache-2.0
"""Capture mode fork: a copy of the process that never runs, and no trace of it."""

from __future__ import annotations

import ast
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import Target, attach, record, start_code
from interpreters import Interpreter

#: Of the requests of one dump, at how many the dumper is killed.
STEPS = int(os.environ.get("PYDUMPD_STEPS") or 12)

# More memory than auto copies.
LARGE = """
import os, sys, threading, time
rows = [{"i": i, "s": str(i)} for i in range(150000)]
def hold(number):
    mine = ["of", number]
    threading.Event().wait()
for i in range(3):
    threading.Thread(target=hold, args=(i,), daemon=True).start()
%s
print("ready", flush=True)
for line in sys.stdin:
    try:
        print(os.waitpid(-1, os.WNOHANG), flush=True)
    except ChildProcessError:
        print("no child", flush=True)
"""


def large(interpreter: Interpreter, extra: str = "", **options: Any) -> Any:
    return start_code(interpreter, LARGE % extra, **options)


def rows_of(path: Path) -> Any:
    """What the main thread holds."""
    return harness.thread_with(harness.open_dump(path), "<module>").frames[-1].locals["rows"]


def expect(target: Target, path: Path, mode: str) -> None:
    """A dump that was taken that way, of a process that knows nothing of it."""
    assert record(path, "header")["capture"]["mode"] == mode
    rows = rows_of(path)
    assert len(rows) == 150000
    assert rows[-1] == {"i": 149999, "s": "149999"}
    assert target.unharmed()
    assert target.ask("") == "no child"


def test_fork(interpreter: Interpreter, tmp_path: Path) -> None:
    with large(interpreter) as target:
        target.line()
        handles = len(os.listdir(f"/proc/{target.pid}/fd"))
        for number, mode in enumerate(("auto", "fork")):
            path = tmp_path / str(number)
            attach(target, path, f"--capture={mode}")
            expect(target, path, "fork")
        assert len(os.listdir(f"/proc/{target.pid}/fd")) == handles


def test_no_inject(one: Interpreter, tmp_path: Path) -> None:
    with large(one) as target:
        target.line()
        attach(target, tmp_path / "d", "--no-inject")
        expect(target, tmp_path / "d", "copy")
        refused = harness.pydumpd(
            "attach", target.pid, "-o", tmp_path / "x", "--no-inject", "--capture=fork"
        )
        assert refused.returncode == 2
        assert "--no-inject" in refused.stderr


# A filter that ends the process at clone, and one that refuses it; of all
# threads, or of the main one.
FILTER = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
threading.Thread(target=list).start()
time.sleep(0.05)
program = b"".join(struct.pack("HBBI", *i) for i in [
    (0x20, 0, 0, 0),          # the system call's number
    (0x15, 0, 1, 56),         # clone
    (0x06, 0, 0, %d),
    (0x06, 0, 0, 0x7FFF0000), # allowed
])
code = ctypes.create_string_buffer(program)
head = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(317, 1, %d, head) == 0, ctypes.get_errno()
"""


@pytest.mark.parametrize("action", [0x80000000, 0x00050001], ids=["kills", "refuses"])
def test_seccomp(one: Interpreter, tmp_path: Path, action: int) -> None:
    with large(one, FILTER % (action, 1)) as target:
        target.line()
        said = attach(target, tmp_path / "d", "--capture=auto")
        assert "seccomp" in said and "copy" in said
        expect(target, tmp_path / "d", "copy")
        refused = harness.pydumpd("attach", target.pid, "-o", tmp_path / "x", "--capture=fork")
        assert refused.returncode == 1
        assert "seccomp" in refused.stderr
        assert target.unharmed()


def test_seccomp_of_one_thread(one: Interpreter, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("reading a filter needs CAP_SYS_ADMIN")
    with large(one, FILTER % (0x80000000, 0)) as target:
        target.line()
        attach(target, tmp_path / "d")
        expect(target, tmp_path / "d", "fork")


# As container profiles have it: clone may make no namespaces.
ALLOWS = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
program = b"".join(struct.pack("HBBI", *i) for i in [
    (0x20, 0, 0, 0),          # the system call's number
    (0x15, 0, 2, 56),         # clone
    (0x20, 0, 0, 16),         # its flags
    (0x45, 1, 0, 0x7E020000),
    (0x06, 0, 0, 0x7FFF0000), # allowed
    (0x06, 0, 0, 0x00050001),
])
code = ctypes.create_string_buffer(program)
head = struct.pack("HxxxxxxP", 6, ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
for i in range(3):
    assert libc.syscall(317, 1, 1, head) == 0, ctypes.get_errno()
"""


def test_seccomp_that_allows(one: Interpreter, tmp_path: Path) -> None:
    if os.getuid():
        pytest.skip("reading a filter needs CAP_SYS_ADMIN")
    with large(one, ALLOWS) as target:
        target.line()
        attach(target, tmp_path / "d", "--capture=auto")
        expect(target, tmp_path / "d", "fork")


def test_limit_of_processes(tmp_path: Path) -> None:
    if os.getuid() or not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs root, and a Python for all users")

    def nobody() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (4, 4))
        os.setgid(65534)
        os.setuid(65534)

    argv = ["/usr/bin/python3", "-c", LARGE % ""]
    with harness.start(argv, preexec_fn=nobody, cwd="/") as target:
        target.line()
        said = attach(target, tmp_path / "d", "--capture=auto")
        assert "limit on processes" in said
        expect(target, tmp_path / "d", "copy")


def test_limit_of_a_control_group(one: Interpreter, tmp_path: Path) -> None:
    """pids.max, of either version of control groups: a copy, and no harm."""
    folders = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]
    group = Path(next((f for f in folders if os.path.isdir(f)), "/")) / f"pydumpd-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        if not (group / "pids.max").exists():
            pytest.skip("the controller of pids is not on")
        with large(one) as target:
            target.line()
            (group / "cgroup.procs").write_text(str(target.pid))
            count = (group / "pids.current").read_text().strip()
            (group / "pids.max").write_text(count)
            said = attach(target, tmp_path / "d", "--capture=auto")
            assert "limit on processes" in said
            expect(target, tmp_path / "d", "copy")
            done = harness.pydumpd(
                "attach", target.pid, "--capture=fork", "-o", tmp_path / "e"
            )
            assert done.returncode == 1 and "limit on processes" in done.stderr
            (group / "pids.max").write_text("max")
            attach(target, tmp_path / "f", "--capture=auto")
            expect(target, tmp_path / "f", "fork")
    finally:
        group.rmdir()


BUSY = """
import os, signal, sys, threading
ticks = 0
def tick(number, frame):
    global ticks
    ticks += 1
signal.signal(signal.SIGALRM, tick)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
done = threading.Event()
wrong = []
def compute():
    while not done.is_set():
        value = 1
        for i in range(1, 400):
            value = value * i % 1000003
        if value != EXPECTED:
            wrong.append(value)
value = 1
for i in range(1, 400):
    value = value * i % 1000003
EXPECTED = value
def spawn():
    while not done.is_set():
        child = os.fork()
        if not child:
            os._exit(7)
        status = os.waitpid(child, 0)[1]
        if os.WEXITSTATUS(status) != 7:
            wrong.append(status)
threads = [threading.Thread(target=compute), threading.Thread(target=spawn)]
for t in threads:
    t.start()
rows = [{"i": i} for i in range(2000)]
print("ready", flush=True)
for line in sys.stdin:
    print(len(wrong), flush=True)
done.set()
for t in threads:
    t.join()
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(wrong), ticks > 10, flush=True)
"""


@pytest.mark.slow
def test_computes_on(one: Interpreter, tmp_path: Path) -> None:
    """Threads, timers, signals and forks of its own go on through many dumps."""
    with start_code(one, BUSY) as target:
        target.line()
        for _ in range(int(os.environ.get("PYDUMPD_DUMPS") or 12)):
            attach(target, tmp_path / "d", "--capture=fork")
            assert target.ask("") == "0"
            (tmp_path / "d").unlink()
        target.close_input()
        assert target.line() == "0 True"
        assert target.wait() == 0


@pytest.mark.slow
def test_the_snapshot_ends_with_the_dumper(one: Interpreter, tmp_path: Path) -> None:
    """Killed while the snapshot is there: it goes too."""
    with large(one) as target:
        target.line()
        for number in range(20):
            dumper = harness.subprocess.Popen(
                [str(harness.PYDUMPD), "attach", str(target.pid), "--capture=fork"]
                + ["-q", "-o", str(tmp_path / str(number))],
            )
            deadline = time.monotonic() + 30
            while not target.children() and dumper.poll() is None:
                assert time.monotonic() < deadline
            dumper.send_signal(signal.SIGKILL)
            dumper.wait()
            while target.children() or not target.unharmed():
                assert time.monotonic() < deadline
            assert target.ask("") == "no child"


#: The requests by which the target is handled: ptrace, and what is written.
CALLS = ("ptrace", "process_vm_writev")


def requests(target: Target, tmp_path: Path) -> tuple[list[str], list[tuple[str, str, int]]]:
    """How to watch a dump by fork, and its requests: call, arguments, and the
    how-many-eth of that call it is."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("needs strace")
    log = tmp_path / "log"
    watch = [strace, "-f", "-qq", "-e", "trace=" + ",".join(CALLS), "-o", str(log)]
    subprocess.run([*watch, *dump(target, tmp_path)], check=True, stdout=subprocess.DEVNULL)
    found = []
    counts = dict.fromkeys(CALLS, 0)
    for line in log.read_text().splitlines():
        call, bracket, arguments = line.partition(" ")[2].strip().partition("(")
        if bracket and call in counts:
            counts[call] += 1
            found.append((call, arguments, counts[call]))
    # The frame is written and taken away for each of two calls.
    assert counts["process_vm_writev"] == 4
    return watch, found


def dump(target: Target, tmp_path: Path) -> list[str]:
    argv = [str(harness.PYDUMPD), "attach", "--capture=fork", "-q", "-o", str(tmp_path / "d")]
    return [*argv, str(target.pid)]


def killed(watch: list[str], call: str, number: int, argv: list[str]) -> bool:
    """A dump whose dumper is killed as it makes that request."""
    inject = ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
    done = subprocess.run(
        [*watch, *inject, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode != 0


def some(steps: list[Any]) -> list[Any]:
    return steps[:: len(steps) // STEPS or 1]


@pytest.mark.slow
def test_killed_at_each_step(one: Interpreter, tmp_path: Path) -> None:
    """SIGKILL at one request after the other: the target computes on, by itself."""
    with start_code(one, BUSY) as target:
        target.line()
        watch, steps = requests(target, tmp_path)
        writes = [n for n, step in enumerate(steps) if step[0] != "ptrace"]
        # Up to the frame's end; what comes after depends on the signals of
        # the moment.
        wanted = some(steps[: writes[0]]) + steps[writes[0] : writes[1] + 4]
        hit = 0
        for call, _, number in wanted:
            hit += killed(watch, call, number, dump(target, tmp_path))
            assert target.ask("") == "0", (call, number)
            deadline = time.monotonic() + 30
            while not target.unharmed():
                assert time.monotonic() < deadline, (call, number)
            for left in tmp_path.iterdir():
                left.unlink()
        assert hit > len(wanted) // 2
        target.close_input()
        assert target.line() == "0 True"
        assert target.wait() == 0


@pytest.mark.slow
def test_killed_while_collecting(one: Interpreter, tmp_path: Path) -> None:
    """The same at the end, when a thread is made to collect the snapshot."""
    with large(one) as target:
        target.line()
        watch, steps = requests(target, tmp_path)
        writes = [n for n, step in enumerate(steps) if step[0] != "ptrace"]
        hit = 0
        for call, _, number in some(steps[writes[2] - 8 :]):
            hit += killed(watch, call, number, dump(target, tmp_path))
            deadline = time.monotonic() + 30
            while target.children() or not target.unharmed():
                assert time.monotonic() < deadline, (call, number)
            assert target.ask("") == "no child", (call, number)
            for left in tmp_path.iterdir():
                left.unlink()
        assert hit > 3


# Memory that a fork does not get, or gets as zeros, or that others have too.
OUTSIDE = """
import ctypes, mmap, os, sys, tempfile
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
def buffer(advice, size=1 << 16, flags=0x22):
    where = libc.mmap(None, size, 3, flags, -1, 0)
    data = (ctypes.c_char * size).from_address(where)
    data[:] = b"x" * (size - 3) + b"end"
    if advice:
        assert libc.madvise(where, size, advice) == 0, ctypes.get_errno()
    return where, size, memoryview(data).cast("B")[-4096:]
def cut_off():
    # Its second page is beyond the end of the file by now.
    file = tempfile.TemporaryFile()
    file.write(b"x" * 8192)
    file.flush()
    where = libc.mmap(None, 8192, 3, 2, file.fileno(), 0)
    view = memoryview((ctypes.c_char * 8192).from_address(where)).cast("B")
    file.truncate(4096)
    return where, 8192, view[-4096:]
def hold():
    cut = cut_off()
    vast = buffer(0, 9 << 20, 0x21)
    dont = buffer(10)
    huge = buffer(10, 65 << 20)
    wipe = buffer(18)
    shared = buffer(0, 1 << 16, 0x21)
    plain = buffer(0)
    where = {n: v[0] for n, v in locals().items()}
    print(where, flush=True)
    sys.stdin.readline()
    for v in (vast, dont, huge, wipe, shared, plain):
        assert bytes(v[2][-3:]) == b"end"
    print("same", flush=True)
hold()
sys.stdin.read()
"""


def last_bytes(path: Path, name: str) -> Any:
    """The end of a buffer, or why it is not there."""
    frame = harness.thread_with(harness.open_dump(path), "hold").frames
    value = next(f for f in frame if f.name == "hold").locals[name][2]
    try:
        return bytes(value)[-3:]
    except TypeError:
        return repr(value)


@pytest.mark.parametrize("mode", ["copy", "fork"])
def test_outside(one: Interpreter, tmp_path: Path, mode: str) -> None:
    with start_code(one, OUTSIDE) as target:
        where = ast.literal_eval(target.line())
        path = tmp_path / "d"
        attach(target, path, f"--capture={mode}", "--no-redact")
        listed = record(path, "header")["capture"]["not_captured"]

        def why(name: str) -> str | None:
            start = where[name]
            hits = [i["why"] for i in listed if i["start"] <= start < i["end"]]
            return hits[0] if hits else None

        assert why("vast") == "shared"
        assert why("shared") is None and why("plain") is None and why("dont") is None
        ends = {name: last_bytes(path, name) for name in where}
        assert "is shared" in ends["vast"]
        assert "unreadable" in ends["cut"]
        assert ends["dont"] == ends["plain"] == ends["shared"] == b"end"
        if mode == "copy":
            cut = [i for i in listed if i["start"] == where["cut"] + 4096]
            assert [i["why"] for i in cut] == ["unreadable"]
            assert why("wipe") is None and why("huge") is None
            assert ends["wipe"] == ends["huge"] == b"end"
        else:
            assert why("wipe") == "wipeonfork" and why("huge") == "dontfork"
            assert "MADV_WIPEONFORK" in ends["wipe"]
            assert "MADV_DONTFORK" in ends["huge"]
            shown = harness.pydumpd("show", path).stdout
            assert "not captured" in shown and "MADV_WIPEONFORK" in shown
        assert target.ask("") == "same"
        assert target.unharmed()


# Memory that this process and its child share; the child counts in it until it
# is asked, as fast as it can.
SHARED = """
import multiprocessing, os, sys
from multiprocessing import shared_memory
def count(name, go_on):
    block = shared_memory.SharedMemory(name=name)
    view = block.buf.cast("Q")
    n = 0
    while go_on.is_set():
        n += 1
        view[0] = view[1] = n
    del view
    block.close()
def hold():
    small = shared_memory.SharedMemory(create=True, size=1 << 16)
    vast = shared_memory.SharedMemory(create=True, size=16 << 20)
    small.buf[4096:4100] = vast.buf[4096:4100] = b"same"
    few, many = small.buf[4096:4100], vast.buf[4096:4100]
    go_on = multiprocessing.get_context("fork").Event()
    go_on.set()
    child = multiprocessing.get_context("fork").Process(target=count, args=(small.name, go_on))
    child.start()
    while not small.buf[0]:
        pass
    print("ready", flush=True)
    sys.stdin.read()
    go_on.clear()
    child.join()
    few.release(); many.release()
    for block in small, vast:
        block.close()
        block.unlink()
    print("done", flush=True)
hold()
"""


@pytest.mark.parametrize("mode", ["copy", "fork", "stop"])
def test_shared_memory(one: Interpreter, tmp_path: Path, mode: str) -> None:
    """As it was while the process stood still, or not at all."""
    with start_code(one, SHARED) as target:
        target.line()
        path = tmp_path / "d"
        attach(target, path, f"--capture={mode}", "--no-redact")
        frames = harness.thread_with(harness.open_dump(path), "hold").frames
        found = next(f for f in frames if f.name == "hold").locals
        assert bytes(found["few"]) == b"same"
        if mode == "stop":
            assert bytes(found["many"]) == b"same"
        else:
            assert "is shared" in repr(found["many"])
            why = [i["why"] for i in record(path, "header")["capture"]["not_captured"]]
            assert "shared" in why
        target.close_input()
        assert target.line() == "done"
        assert target.wait() == 0
