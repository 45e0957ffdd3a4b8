# SPDX-License-Identifier: Apache-2.0
"""Native stacks: merged with the Python ones as the program knows it, and the
same as gdb has them of the same process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import harness
import pytest
from harness import TARGETS, attach, open_dump, start_code, start_script
from interpreters import Interpreter

# All frames of all threads: program counter, function, source line, and the
# functions that were inlined there. Those that ended in a jump to another gdb
# infers from debug information, the stack holds nothing of them.
GDB = """
import gdb, json
out = {}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frames, frame, inlined = [], gdb.newest_frame(), []
    while frame is not None:
        if frame.type() == gdb.INLINE_FRAME:
            inlined.append([frame.name(), frame.find_sal().line])
        elif frame.type() != gdb.TAILCALL_FRAME:
            frames.append([frame.pc(), frame.name(), frame.find_sal().line, inlined])
            inlined = []
        frame = frame.older()
    out[thread.ptid[1]] = frames
print("FRAMES" + json.dumps(out))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/targets/native.c, needing no C library."""
    path = tmp_path_factory.mktemp("native") / "libpydnative.so"
    subprocess.run(
        ["cc", "-g", "-O1", "-fPIC", "-shared", "-nostdlib", "-o", str(path),
         str(TARGETS / "native.c")],
        check=True,
    )  # fmt: skip
    return path


@contextlib.contextmanager
def placed(interpreter: Interpreter, library: Path) -> Iterator[str]:
    """The library where the interpreter sees it."""
    if interpreter.root is None:
        yield str(library)
        return
    inside = f"/tmp/libpydnative-{os.getpid()}.so"
    shutil.copy(library, interpreter.outside(inside))
    try:
        yield inside
    finally:
        interpreter.outside(inside).unlink()


def native(dump: Any) -> dict[int, Any]:
    return {s.native_id: s for s in dump.native_stacks}


def is_ours(frame: Any) -> bool:
    return "/libpydnative" in (getattr(frame, "module", None) or "")


def names(thread: Any) -> list[str]:
    """Python functions, and those of the library, as they are merged."""
    out = []
    for entry in thread.merged:
        if hasattr(entry, "lasti"):
            out.append(entry.name)
        elif is_ours(entry):
            out.append(entry.function)
    return out


def gdb_frames(interpreter: Interpreter, pid: int, folder: Path) -> dict[int, Any]:
    script = folder / "frames.py"
    script.write_text(GDB)
    root = []
    if interpreter.root:
        # gdb takes long to read what was split off of these.
        root = ["-iex", f"set sysroot {interpreter.root}",
                "-iex", "set debug-file-directory /nonexistent"]  # fmt: skip
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
         "-iex", "set backtrace past-main on", *root,
         "-p", str(pid), "-x", str(script), f"/proc/{pid}/exe"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        env={**os.environ, "DEBUGINFOD_URLS": ""},
    )  # fmt: skip
    found = re.search(r"^FRAMES(.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {int(tid): frames for tid, frames in json.loads(found[1]).items()}


def plain(name: str) -> str:
    """A function's name without what tools differ in: of several names for one
    place, and of parts that the compiler made."""
    name = re.sub(r"(\.(part|constprop|isra|cold|lto_priv|localalias)(\.\d+)?)+$", "", name)
    return re.sub(r"^(__GI_)?_*(libc_)?|_impl$", "", name)


def test_merged(interpreter: Interpreter, library: Path, tmp_path: Path) -> None:
    with placed(interpreter, library) as path:
        with start_script(interpreter, "native.py", path) as target:
            told = target.json()
            dumps = {}
            # Debug information of Debian's interpreters takes long to unpack.
            how = "auto" if interpreter.root else "all"
            for mode in ("copy",) if interpreter.root else ("copy", "stop"):
                attach(target, tmp_path / mode, f"--capture={mode}", f"--native={how}")
                dumps[mode] = open_dump(tmp_path / mode)
            other = gdb_frames(interpreter, target.pid, tmp_path)
            target.say("")
            assert target.wait() == 0
    for dump in dumps.values():
        main, waiting = dump.threads[0], harness.thread_with(dump, "wait")
        for thread in (main, waiting):
            assert thread.native.merged and thread.native.whole, thread.native.note
            assert thread.native.note is None
        assert names(main) == told["merged"]
        # Something of C sorts, and calls the key.
        python = [hasattr(e, "lasti") and e.name for e in main.merged]
        assert python.index("middle") - python.index("key") > 1
        alone = [s for s in dump.native_stacks if s.thread is None]
        assert len(alone) == 1
        calls = [f for f in alone[0].frames if is_ours(f)]
        assert [f.function for f in calls] == ["native_waiter", "native_thread"]
        # The same process, as gdb sees it.
        assert set(native(dump)) == set(other)
        for tid, stack in native(dump).items():
            assert [f.pc for f in stack.frames] == [pc for pc, *_ in other[tid]]
            for frame, (_, name, line, inlined) in zip(stack.frames, other[tid]):
                if frame.function and name and not frame.signal:
                    assert plain(frame.function) == plain(name)
                if frame.line and not interpreter.root:
                    assert [list(f[::2]) for f in frame.inlined] == inlined, frame
                    assert frame.line == line
        if interpreter.root:
            continue
        # The library has debug information.
        source = (TARGETS / "native.c").read_text().splitlines()
        assert all(f.file.endswith("targets/native.c") for f in calls)
        assert [source[f.line - 1].strip() for f in calls] == [
            "int r = pause();",
            "kept = native_waiter((pauser *)arg);",
        ]


SLEEP = """
import ctypes, sys, threading
library = ctypes.CDLL(sys.argv[1])
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
def wait(n):
    print("ready", flush=True)
    sys.stdin.readline()
    return 0
library.native_outer(CALLBACK(wait), 1)
"""


def between(dump: Any, thread: int = 0) -> list[Any]:
    """Functions of the library and Python functions, and "??" without a name."""
    return [
        e.name if hasattr(e, "lasti") else e.function
        for e in dump.threads[thread].merged
        if hasattr(e, "lasti") or is_ours(e)
    ]


WHOLE = ["wait", "native_inner", "native_outer", "<module>"]


def test_stripped_and_deleted(one: Interpreter, library: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "libpydnative.so"
    subprocess.run(["strip", "-o", str(stripped), str(library)], check=True)
    with start_code(one, SLEEP, str(stripped)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "stripped", "--native=all")
        # Symbols that are exported are in memory, and in the deleted file.
        stripped.unlink()
        attach(target, tmp_path / "deleted", "--native=all")
        # Another file that has its name by now tells nothing of it.
        shutil.copy("/bin/true", stripped)
        attach(target, tmp_path / "replaced", "--native=all")
    for name in ("stripped", "deleted", "replaced"):
        dump = open_dump(tmp_path / name)
        assert between(dump) == WHOLE
        ours = [f for f in dump.threads[0].native.frames if is_ours(f)]
        assert all(f.line is None and f.build_id for f in ours)


def build_id(path: Path) -> str:
    done = subprocess.run(["readelf", "-n", str(path)], capture_output=True, text=True)
    found = re.search(r"Build ID: (\w+)", done.stdout)
    assert found, done
    return found[1]


def test_split_debug_information(one: Interpreter, library: Path, tmp_path: Path) -> None:
    """debuginfod's cache is looked into, and what is not the file's is not
    believed."""
    stripped = tmp_path / "libpydnative.so"
    subprocess.run(["strip", "-o", str(stripped), str(library)], check=True)
    cached = tmp_path / "cache" / build_id(library) / "debuginfo"
    cached.parent.mkdir(parents=True)
    with start_code(one, SLEEP, str(stripped)) as target:
        assert target.line() == "ready"
        for name, source in (("right", library), ("wrong", Path("/bin/true"))):
            subprocess.run(["objcopy", "--only-keep-debug", str(source), str(cached)], check=True)
            done = harness.pydumpd(
                "attach", target.pid, "-o", tmp_path / name, "--native=all",
                env={**os.environ, "DEBUGINFOD_CACHE_PATH": str(cached.parents[1])},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    for name, known in (("right", True), ("wrong", False)):
        dump = open_dump(tmp_path / name)
        ours = [f for f in dump.threads[0].native.frames if is_ours(f)]
        assert len(ours) == 2
        assert [bool(f.line) for f in ours] == [known, known]


# Functions that are inlined from one file into the other.
INLINED = {
    "a.c": """
typedef int callback(int);
volatile int kept;
int helper(callback *cb, int n);
__attribute__((noinline)) int native_inner(callback *cb, int n)
{
	int r = helper(cb, n);
	kept = r;
	return r;
}
__attribute__((noinline)) int native_outer(callback *cb, int n)
{
	int r = native_inner(cb, n);
	kept = r;
	return r;
}
""",
    "b.c": """
typedef int callback(int);
extern volatile int kept;
static inline __attribute__((always_inline)) int twice(callback *cb, int n)
{
	int r = cb(n);
	kept = r;
	return r + 1;
}
__attribute__((always_inline)) inline int helper(callback *cb, int n);
int helper(callback *cb, int n)
{
	int r = twice(cb, n);
	kept = r;
	return r;
}
""",
}


@pytest.mark.parametrize(
    "flags",
    ["-flto", "-flto -gdwarf-4", "-flto -gdwarf-3 -gz", "-gdwarf-5 -gz", "-flto no aranges"],
)
def test_inlined_across_units(one: Interpreter, flags: str, tmp_path: Path) -> None:
    """With link time optimization entries of one unit are of another. addr2line
    tells the same."""
    library = tmp_path / "libpydnative.so"
    for name, text in INLINED.items():
        (tmp_path / name).write_text(text)
    plain_flags = flags.removesuffix(" no aranges")
    subprocess.run(
        ["cc", "-g", "-O2", "-fPIC", "-shared", "-nostdlib", *plain_flags.split(),
         "-o", str(library), *INLINED],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    if flags != plain_flags:
        subprocess.run(["objcopy", "-R", ".debug_aranges", str(library)], check=True)
    with start_code(one, SLEEP, str(library)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all")
    ours = [f for f in open_dump(tmp_path / "d").threads[0].native.frames if is_ours(f)]
    assert [f.function for f in ours][-2:] == ["native_inner", "native_outer"]
    told = []
    for frame in ours:
        done = subprocess.run(
            ["addr2line", "-f", "-i", "-e", str(library), f"{frame.address - 1:#x}"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        lines = done.stdout.split()
        told.append([(n, at.rpartition("/")[2]) for n, at in zip(lines[::2], lines[1::2])])
    found = [
        [
            (name, f"{Path(file).name}:{line}")
            for name, file, line in [*f.inlined, (f.function, f.file, f.line)]
        ]
        for f in ours
    ]
    assert found == told
    inlined = [name for name, _ in found[0][:-1]]
    assert inlined == (["twice", "helper"] if "-flto" in flags else ["twice"])


CRASH = """
import ctypes, faulthandler, os, signal, sys, threading
library = ctypes.CDLL(sys.argv[1])
libc = ctypes.CDLL(None)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_int)
def stop(signum):
    print("ready", flush=True)
    os.read(0, 1)
    os._exit(0)
handler = HANDLER(stop)
libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.signal(signal.SIGSEGV, ctypes.cast(handler, ctypes.c_void_p))
def crash():
    library.native_lost(ctypes.cast(0x10, CALLBACK), 1)
crash()
"""


def test_signal_handler_over_a_call_of_nothing(
    shared_root: Interpreter, library: Path, tmp_path: Path
) -> None:
    """A handler in Python, called from C, over a function that called where no
    code is: the stack goes on to the very begin."""
    with start_code(shared_root, CRASH, str(library)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all")
        target.say("")
        assert target.wait() == 0
    thread = open_dump(tmp_path / "d").threads[0]
    assert thread.native.whole and thread.native.merged, thread.native.note
    shown = [
        "<signal>" if getattr(e, "signal", False)
        else e.name if hasattr(e, "lasti")
        else e.function if is_ours(e)
        else "<nowhere>" if e.pc == 0x10
        else None
        for e in thread.merged
    ]  # fmt: skip
    assert [s for s in shown if s] == [
        "stop", "<signal>", "<nowhere>", "native_lost", "crash", "<module>",
    ]  # fmt: skip
    lost = next(f for f in thread.native.frames if f.function == "native_lost")
    assert lost.how == "top of stack"


JIT = """
import ctypes, mmap, os, sys
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int)
area = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code = {
    # push rbp; mov rbp, rsp; call rdi; pop rbp; ret
    "fp": bytes.fromhex("55 48 89 e5 ff d7 5d c3".replace(" ", "")),
    # sub rsp, 8; call rdi; add rsp, 8; ret
    "end": bytes.fromhex("48 83 ec 08 ff d7 48 83 c4 08 c3".replace(" ", "")),
    # push rbx; call rdi; pop rbx; ret
    "pop": bytes.fromhex("53 ff d7 5b c3".replace(" ", "")),
    # sub rsp, 8; call rdi; test eax, eax; add rsp, 8; ret
    "none": bytes.fromhex("48 83 ec 08 ff d7 85 c0 48 83 c4 08 c3".replace(" ", "")),
}[sys.argv[1]]
area.write(code)
at = ctypes.addressof(ctypes.c_char.from_buffer(area))
made = ctypes.CFUNCTYPE(ctypes.c_int, CALLBACK)(at)
def wait():
    print("ready", flush=True)
    os.read(0, 1)
    return 0
def run():
    made(CALLBACK(wait))
run()
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86-64")
@pytest.mark.parametrize("kind", ["fp", "end", "pop", "none"])
def test_code_without_tables(shared_root: Interpreter, kind: str, tmp_path: Path) -> None:
    with start_code(shared_root, JIT, kind) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all")
        target.say("")
        assert target.wait() == 0
    thread = open_dump(tmp_path / "d").threads[0]
    names = [e.name for e in thread.merged if hasattr(e, "lasti")]
    assert names == ["wait", "run", "<module>"]
    assert thread.native.merged
    alien = next(i for i, f in enumerate(thread.native.frames) if f.module is None)
    if kind != "none":
        assert thread.native.whole, thread.native.note
        assert thread.native.frames[alien + 1].how == "last instructions"
    elif thread.native.whole:
        # rbp held the frame of a caller that keeps one, and was checked.
        assert thread.native.frames[alien + 1].how == "frame pointer"
    else:
        assert alien == len(thread.native.frames) - 1
        assert "code of no file" in thread.native.note


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/targets/native.c without .eh_frame: what unwinds it is in
    .debug_frame."""
    path = tmp_path_factory.mktemp("bare") / "libpydnative.so"
    subprocess.run(
        ["cc", "-g", "-O2", "-fPIC", "-shared", "-nostdlib", "-fomit-frame-pointer",
         "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-Wl,--build-id",
         "-o", str(path), str(TARGETS / "native.c")],
        check=True,
    )  # fmt: skip
    return path


def test_debug_frame(
    shared_root: Interpreter, one: Interpreter, bare: Path, tmp_path: Path
) -> None:
    """Tables that only debuggers know: the frames, the registers that merging
    needs, and those that gdb has."""
    with start_script(shared_root, "native.py", str(bare)) as target:
        told = target.json()
        attach(target, tmp_path / "d", "--native=all")
        # gdb takes seconds.
        other = gdb_frames(one, target.pid, tmp_path) if shared_root == one else {}
        target.say("")
        assert target.wait() == 0
    dump = open_dump(tmp_path / "d")
    for stack in dump.native_stacks:
        assert stack.whole and stack.note is None, stack.note
        if other:
            pcs = [pc for pc, *_ in other[stack.native_id]]
            assert [f.pc for f in stack.frames] == pcs
        assert {f.how for f in stack.frames} == {"registers", "table"}
    assert dump.threads[0].native.merged
    assert names(dump.threads[0]) == told["merged"]


@pytest.mark.parametrize("where", ["packed", "split", "nowhere"])
def test_debug_frame_elsewhere(one: Interpreter, bare: Path, where: str, tmp_path: Path) -> None:
    library = tmp_path / "libpydnative.so"
    cached = tmp_path / "cache" / build_id(bare) / "debuginfo"
    cached.parent.mkdir(parents=True)
    how = ["--compress-debug-sections"] if where == "packed" else ["--strip-debug"]
    subprocess.run(["objcopy", *how, str(bare), str(library)], check=True)
    if where == "split":
        subprocess.run(["objcopy", "--only-keep-debug", str(bare), str(cached)], check=True)
    with start_code(one, SLEEP, str(library)) as target:
        assert target.line() == "ready"
        done = harness.pydumpd(
            "attach", target.pid, "-o", tmp_path / "d", "--native=all",
            env={**os.environ, "DEBUGINFOD_CACHE_PATH": str(cached.parents[1])},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    dump = open_dump(tmp_path / "d")
    stack = dump.threads[0].native
    if where == "nowhere":
        # A frame pointer may lead on.
        assert "unwind information" in (stack.note or "") or "frame pointer" in {
            f.how for f in stack.frames
        }
        return
    assert stack.whole and stack.note is None
    assert {f.how for f in stack.frames} == {"registers", "table"}
    assert between(dump) == WHOLE


PERF = """
import os
def inner():
    print("ready", flush=True)
    os.read(0, 1)
    return 0
def outer():
    return sorted([1, 2], key=lambda n: inner())
outer()
"""


def test_perf_trampolines(shared_root: Interpreter, tmp_path: Path) -> None:
    """Every call of a Python function goes through code of no file."""
    if shared_root.version < (3, 12):
        pytest.skip("there is no -X perf")
    with harness.start(shared_root.argv("-X", "perf", "-c", PERF)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all")
        target.say("")
        shared_root.outside(f"/tmp/perf-{target.pid}.map").unlink()
    thread = open_dump(tmp_path / "d").threads[0]
    assert thread.native.whole and thread.native.merged, thread.native.note
    found = [e.name for e in thread.merged if hasattr(e, "lasti")]
    assert found == ["inner", "<lambda>", "outer", "<module>"]
    # As the interpreter named them for perf, in its own /tmp.
    alien = [f.function for f in thread.native.frames if f.module is None]
    assert alien == [
        f"py::{name}:<string>" for name in ("inner", "outer.<locals>.<lambda>", "outer", "<module>")
    ]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="machine code of x86-64")
def test_names_for_perf(one: Interpreter, tmp_path: Path) -> None:
    """Of code in no file; believed only where the process's own user wrote them
    since it was started."""
    dumped = iter(range(100))

    def name() -> str | None:
        path = tmp_path / f"d{next(dumped)}"
        attach(target, path, "--native=all")
        frames = open_dump(path).threads[0].native.frames
        alien = next(f for f in frames if f.module is None)
        if alien.function is None:
            return None
        shown = harness.pydumpd("show", "--native", str(path)).stdout
        assert f"  native {alien.function}+{alien.offset:#x}  {alien.pc:#x}\n" in shown
        return alien.function

    old = Path(f"/tmp/perf-of-{os.getpid()}.map")
    old.touch()
    # The start of a process is told in steps of 10 ms.
    while time.time() < old.stat().st_mtime + 0.1:
        pass
    with contextlib.ExitStack() as ends, start_code(one, JIT, "end") as target:
        ends.callback(old.unlink)
        assert target.line() == "ready"
        attach(target, tmp_path / "first", "--native=all")
        frames = open_dump(tmp_path / "first").threads[0].native.frames
        at = next(f.pc for f in frames if f.module is None)
        written = Path(f"/tmp/perf-{target.pid}.map")
        try:
            assert name() is None
            written.write_text(
                f"{at - 32:x} 40 older\nrubbish\n{at - 16:x} 20 Builtin:made up\n"
                f"{at + 1:x} 20 behind\n{at - 16:x} 20 cut"
            )
            assert name() == "Builtin:made up"
            written.chmod(0o666)
            assert name() is None
            written.chmod(0o600)
            assert name() == "Builtin:made up"
            if os.geteuid() == 0:
                os.chown(written, 65534, 65534)
                assert name() is None
                os.chown(written, 0, 0)
            # Of a process that had this number before.
            old.write_text(written.read_text())
            written.unlink()
            os.link(old, written)
            assert name() is None
            written.unlink()
            written.mkdir()
            assert name() is None
            written.rmdir()
            os.mkfifo(written)
            assert name() is None
        finally:
            if written.is_dir():
                written.rmdir()
            written.unlink(missing_ok=True)


DEEP = """
import os, sys, threading
sys.setrecursionlimit(100000)
threading.stack_size(512 << 20)
def f(n):
    if n:
        return sum(map(f, [n - 1]))
    print("ready", flush=True)
    os.read(0, 1)
    return 0
thread = threading.Thread(target=f, args=(700,), daemon=True)
thread.start()
thread.join()
"""


def test_deep_recursion(shared_root: Interpreter, tmp_path: Path) -> None:
    with start_code(shared_root, DEEP) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all", "--depth=1")
        target.say("")
        assert target.wait() == 0
    thread = harness.thread_with(open_dump(tmp_path / "d"), "f")
    native = thread.native
    assert native.merged and native.whole
    assert native.total > len(native.frames) == 2000
    assert native.cut_at == 1500
    # All Python frames are there, once, in their order.
    numbers = [e.number for e in thread.merged if hasattr(e, "lasti")]
    assert numbers == list(range(len(thread.frames))) and len(numbers) > 700
    left = [e for e in thread.merged if isinstance(e, str)]
    assert left == [f"{native.total - 2000} native frames left out"]
    done = harness.pydumpd("show", "--native", "--no-locals", tmp_path / "d")
    numbers = re.findall(r"^  #(\d+)", done.stdout.split("Thread 1")[1], re.MULTILINE)
    assert numbers == [str(n) for n in range(len(thread.frames))]


SUBINTERPRETER = """
import os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def outer():
    made = interpreters.create()
    interpreters.run_string(made, '''if 1:
        import os
        def inner():
            print("ready", flush=True)
            os.read(0, 1)
        inner()
    ''')
outer()
"""


def test_two_interpreters_in_one_thread(shared_root: Interpreter, tmp_path: Path) -> None:
    if shared_root.version < (3, 8):
        pytest.skip("there is no module that makes subinterpreters")
    with start_code(shared_root, SUBINTERPRETER) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "d", "--native=all")
        target.say("")
        assert target.wait() == 0
    dump = open_dump(tmp_path / "d")
    for name, others in (("inner", ["<module>"]), ("outer", ["<module>"])):
        thread = harness.thread_with(dump, name)
        assert thread.native.merged and thread.native.whole, thread.native.note
        found = [e.name for e in thread.merged if hasattr(e, "lasti")]
        assert found == [name, *others]
        runs = [f.pc for f in thread.native.frames if f.python and f.python[1]]
        assert runs
    inner, outer = (
        [f.sp for f in harness.thread_with(dump, n).native.frames if f.python]
        for n in ("inner", "outer")
    )
    assert max(inner) < min(outer)


def test_options_and_commands(one: Interpreter, library: Path, tmp_path: Path) -> None:
    with start_code(one, SLEEP, str(library)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "off", "--native=off")
        attach(target, tmp_path / "live", "--capture=live")
        attach(target, tmp_path / "auto")
        bad = harness.pydumpd("attach", target.pid, "--native=some", "-o", tmp_path / "x")
        assert bad.returncode == 2 and "auto, all, off" in bad.stderr
    for name in ("off", "live"):
        dump = open_dump(tmp_path / name)
        assert dump.native_stacks == [] and dump.threads[0].native is None
        assert dump.threads[0].merged == dump.threads[0].frames
    shown = harness.pydumpd("show", "--native", "--no-locals", tmp_path / "auto").stdout
    names = [w for w in re.findall(r"native_\w+|#\d+ +(\w+)", shown)]
    assert re.search(
        r"#0 +wait .*\n(  native .*\n)+  native native_inner\+0x\w+  .*native\.c:\d+  .*\n"
        r"  native native_outer\+.*\n(  native .*\n)+  #1 +<module> .*\n(  native .*\n)+",
        shown,
    ), names
    told = json.loads(harness.pydumpd("show", "--json", tmp_path / "auto").stdout)
    stack = told["threads"][0]["native"]
    assert stack["merged"] and stack["whole"] and told["native_threads"] == []
    inner = next(f for f in stack["frames"] if f["function"] == "native_inner")
    assert inner["how"] == "table" and inner["build_id"] and inner["python"] is None
    assert [f["python"] for f in stack["frames"] if f["python"]] == [[0, 1], [1, 1]]

    done = harness.pydumpd(
        "load", tmp_path / "auto", "-c", "nw", "-c", "nw 1", "-c", "nw -1", "-c", "nw x",
    )  # fmt: skip
    text = done.stdout
    assert re.search(
        r"<module>\(\)\n.*\n(  native .*\n)+  native native_outer\+.*\n  native native_inner\+.*\n"
        r"(  native .*\n)+> .*wait\(\)\n",
        text,
    ), text
    assert "'x' is no count" in text
