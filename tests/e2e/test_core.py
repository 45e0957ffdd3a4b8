# SPDX-License-Identifier: Apache-2.0
"""Dumps out of core files: the kernel's and gcore's, whole, compressed and cut."""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator

import harness
import pytest
from compare import compare, first_difference
from harness import Target, open_dump, pydumpd, start
from interpreters import Interpreter, discover
from test_watch import SIGNALS, SMALL, check_crash, library  # noqa: F401

pytestmark = pytest.mark.crashes

SEED = int(os.environ.get("PYDUMPD_SEED") or random.SystemRandom().randrange(10**9))
GRAPHS = 25
CUTS = int(os.environ.get("PYDUMPD_CUTS") or 12)

# A thread that dies of a bad address while the main thread waits for it.
CRASH = """
import ctypes, threading
PASSWORD = "hunter2hunter2"
def crash(items):
    ctypes.string_at(0x1230)
def main():
    items = {"numbers": [1, 2, 2**90], "text": "caf\\u00e9", "secret": PASSWORD}
    thread = threading.Thread(target=crash, args=(items,), name="crasher")
    thread.start()
    thread.join()
main()
"""


def pattern() -> str:
    return Path("/proc/sys/kernel/core_pattern").read_text().strip()


def no_kernel_cores() -> str:
    """Why the kernel writes no core into the working directory; "" if it does."""
    if pattern().startswith("|") or "/" in pattern():
        return f"kernel.core_pattern is {pattern()!r}, and is not changed for a test"
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        return "RLIMIT_CORE is limited"
    return ""


kernel = pytest.mark.skipif(bool(no_kernel_cores()), reason=no_kernel_cores())


@contextlib.contextmanager
def workplace(interpreter: Interpreter, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder for a program to die in: as we see it, and as it does."""
    if interpreter.root is None:
        folder = tmp_path / "work"
        folder.mkdir()
        shutil.copytree(harness.TARGETS, folder, dirs_exist_ok=True)
        yield folder, str(folder)
        return
    with harness.scripts(interpreter) as inside:
        yield interpreter.outside(inside), inside


def argv_in(interpreter: Interpreter, folder: str, *args: str) -> list[str]:
    """The interpreter with args, in that folder of its world."""
    enter = ["/bin/sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"', folder]
    argv = [*enter, interpreter.path, *args]
    return argv if interpreter.root is None else ["chroot", interpreter.root, *argv]


def core_in(folder: Path) -> Path:
    (found,) = [p for p in folder.iterdir() if p.name.startswith("core")]
    return found


def die(target: Target, folder: Path, number: int = signal.SIGABRT) -> Path:
    """Ends the target by a signal; its core."""
    os.kill(target.pid, number)
    target.process.wait(harness.PATIENCE)
    return core_in(folder)


def gcore(target: Target, path: Path) -> tuple[Path, bool]:
    """A core by gdb, and whether gdb could read all: it gives up on stacks with
    the guard pages of glibc 2.42."""
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-iex", "set auto-solib-add off", "-p", str(target.pid)]
        + ["-ex", f"gcore {path}", "-ex", "detach"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=harness.PATIENCE,
    )
    assert path.is_file(), done.stdout + done.stderr
    failed = [x for x in done.stderr.splitlines() if "Memory read failed" in x]
    return path, all("0xffffffffff600000" in x for x in failed)


def dump(core: Path, path: Path, *args: str | Path, **options: Any) -> str:
    """Dumps a core, which must succeed; gives what the tool printed."""
    done = pydumpd("core", core, "-o", path, *args, **options)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout + done.stderr


def native(dump: Any) -> dict[int, Any]:
    """All native stacks but that of the thread which talks to us: it reads, or
    still writes. Source lines take time, and auto stops at some."""
    stacks = {s.native_id: [(f.pc, f.function) for f in s.frames] for s in dump.native_stacks}
    return {k: v for k, v in stacks.items() if not any("FileIO" in (n or "") for _, n in v)}


def is_honest(problem: str) -> bool:
    """A difference that says itself that something could not be read."""
    return "missing" in problem or "unreadable" in problem or "frames" in problem


def root_of(interpreter: Interpreter) -> list[str]:
    return [] if interpreter.root is None else ["--sysroot", interpreter.root]


def with_gcore(interpreter: Interpreter) -> bool:
    same = [i for i in discover() if i.version[:2] == interpreter.version[:2] and not i.debug]
    newest_debug = max((i for i in discover() if i.debug), key=lambda i: i.hex, default=None)
    return interpreter in (same[-1:] + [newest_debug])


# -- every version --


@kernel
def test_truth(interpreter: Interpreter, tmp_path: Path) -> None:
    """A core of gcore and one of the kernel tell what the program does."""
    with workplace(interpreter, tmp_path) as (folder, inside):
        argv = argv_in(interpreter, inside, f"{inside}/truth.py")
        with start(argv, env={"TRUTH_LARGE": "300"}) as target:
            truth = target.json()
            live = tmp_path / "live.pydump"
            harness.attach(target, live)
            # gdb takes seconds: each version once, and one that is a debug build.
            of_gdb, whole = (
                gcore(target, tmp_path / "gcore") if with_gcore(interpreter) else (None, True)
            )
            assert target.ask("check") == "same"
            pid = target.pid
            of_kernel = die(target, folder)
        for core in filter(None, (of_gdb, of_kernel)):
            path = tmp_path / f"{core.name}.pydump"
            said = dump(core, path, "--pid", str(pid), *root_of(interpreter))
            assert "not there to read" not in said, said
            with open_dump(path) as found, open_dump(live) as before:
                problems = compare(found, truth)
                if core == of_gdb and not whole:
                    assert "gdb could not read" in said
                    problems = [p for p in problems if not is_honest(p)]
                assert not problems, (core.name, problems[:40])
                header = found.header
                assert header["process"]["argv"] == before.header["process"]["argv"]
                assert header["process"]["pid"] == pid
                assert header["process"]["comm"] == before.header["process"]["comm"]
                assert header["process"]["exe_build_id"] == before.header["process"]["exe_build_id"]
                assert header["capture"]["mode"] == "core"
                assert header["capture"]["torn"] is False
                trigger = header["trigger"]
                assert trigger["kind"] == "core"
                assert trigger["core"] == str(core.resolve())
                if core == of_kernel:
                    assert trigger["signal"] == "SIGABRT"
                    assert trigger["code"] == "SI_USER"
                    assert "address" not in trigger
                    assert native(found) and native(found) == native(before)
                    merged = [t.native.merged for t in found.threads]
                    assert merged == [t.native.merged for t in before.threads]
                else:
                    assert "signal" not in trigger
                assert [t.native_id for t in found.threads] == [t.native_id for t in before.threads]
                for name, source in before.sources.items():
                    if name in found.sources:
                        assert found.sources[name].text == source.text
                if core == of_kernel or interpreter.root is None:
                    assert set(found.sources) == set(before.sources)
            core.unlink()


@kernel
def test_graphs(interpreter: Interpreter, tmp_path: Path) -> None:
    """Random object graphs come out of a core as the program told them."""
    from canon import Canon

    told = []
    with workplace(interpreter, tmp_path) as (folder, inside):
        argv = argv_in(interpreter, inside, "graphs.py", str(SEED), str(GRAPHS))
        with start(argv) as target:
            while (line := target.line()) != "ready":
                told.append(json.loads(line))
            core = die(target, folder)
        path = tmp_path / "graphs.pydump"
        dump(core, path, "--no-redact", *root_of(interpreter))
        core.unlink()
    with open_dump(path) as found:
        # It may have died before it was in hold_graphs().
        thread = harness.thread_with(found, "main")
        graphs = next(f for f in thread.frames if f.name == "main").locals["graphs"]
        assert len(graphs) == len(told) == GRAPHS
        for number, (truth, graph) in enumerate(zip(told, graphs)):
            shown = json.loads(json.dumps(Canon(standard=True, consume=True).of(graph)))
            assert shown == truth, (SEED + number, first_difference(truth, shown))


def crashed(interpreter: Interpreter, folder: Path, inside: str, **popen: Any) -> Path:
    """The core of a program that died of a bad address in a thread."""
    (folder / "crash.py").write_text(CRASH)
    with start(argv_in(interpreter, inside, "crash.py"), **popen) as target:
        target.process.wait(harness.PATIENCE)
    return core_in(folder)


@kernel
def test_fault(one: Interpreter, tmp_path: Path) -> None:
    """Signal, fault address and the thread that died are told."""
    with workplace(one, tmp_path) as (folder, inside):
        core = crashed(one, folder, inside)
        path = tmp_path / "crash.pydump"
        dump(core, path, *root_of(one))
        core.unlink()
    with open_dump(path) as found:
        crasher = harness.thread_with(found, "crash")
        trigger = found.header["trigger"]
        assert trigger["signal"] == "SIGSEGV"
        assert trigger["code"] == "SEGV_MAPERR"
        assert trigger["address"] == 0x1230
        assert trigger["thread"] == crasher.native_id
        assert crasher.name == "crasher"
        frame = next(f for f in crasher.frames if f.name == "crash")
        items = frame.locals["items"]
        assert items["numbers"] == [1, 2, 2**90]
        assert items["text"] == "caf\u00e9"
        assert "hunter2" not in repr(items)
    shown = pydumpd("show", path)
    assert "SIGSEGV SEGV_MAPERR at 0x1230" in shown.stdout
    assert b"hunter2hunter2" not in path.read_bytes()


@kernel
@pytest.mark.slow
def test_every_crash(
    interpreter: Interpreter,
    library: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Out of cores the same as pydumpd run tells of these crashes."""
    with workplace(interpreter, tmp_path) as (folder, inside):
        shutil.copy(library, folder)
        argv = argv_in(interpreter, inside, "crashes.py", f"{inside}/{library.name}", inside)
        # faulthandler raises the signal anew, which is all that a core tells.
        ways = [w for w in SIGNALS if w != "faulthandler"]
        with start([*argv, *ways]) as target:
            told = target.json()
            assert target.wait() == 0
        for way in ways:
            pid, status = told[way]
            if way == "subinterpreter" and status == 98:
                assert interpreter.version < (3, 8), "no module for subinterpreters"
                continue
            path = tmp_path / f"{way}.pydump"
            core = core_in(folder / way)
            dump(core, path, "--pid", str(pid), *SMALL, *root_of(interpreter))
            core.unlink()
            check_crash(path, way)


# -- what is the same for all versions --


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A core of a crash, and its dump."""
    from interpreters import newest

    if no_kernel_cores():
        pytest.skip(no_kernel_cores())
    folder = tmp_path_factory.mktemp("core")
    interpreter = newest()
    with workplace(interpreter, folder) as (work, inside):
        core = crashed(interpreter, work, inside)
        kept = folder / "core.4242"
        shutil.move(core, kept)
    dump(kept, folder / "whole.pydump", *root_of(interpreter))
    yield {
        "interpreter": interpreter,
        "core": kept,
        "dump": folder / "whole.pydump",
        "args": root_of(interpreter),
    }


COMPRESSORS = {
    "zst": ["zstd", "-q"],
    "xz": ["xz", "-1"],
    "lz4": ["lz4", "-q"],
    "gz": ["gzip", "-1"],
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_compressed(sample: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    """Named as systemd-coredump names its own."""
    command = COMPRESSORS[suffix]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    boot = "0123456789abcdef0123456789abcdef"
    name = f"core.my.py.1000.{boot}.4242.1700000000123456.{suffix}"
    data = subprocess.run([*command, "-c", str(sample["core"])], capture_output=True)
    (tmp_path / name).write_bytes(data.stdout)
    said = pydumpd("core", tmp_path, "--pid", "4242", *sample["args"], "-o", tmp_path / "x")
    # Named so, but it is of another process.
    assert said.returncode == 1 and "is the core of process" in said.stderr
    said = dump(tmp_path / name, tmp_path / "x", *sample["args"])
    assert "cut short" not in said and "missing" not in said
    with open_dump(tmp_path / "x") as found, open_dump(sample["dump"]) as whole:
        assert found.header["time"] == "2023-11-14T22:13:20.123456Z"
        assert found.header["host"]["boot_id"] == "01234567-89ab-cdef-0123-456789abcdef"
        assert found.end["objects"] == whole.end["objects"]
    # By default it is named after the core.
    done = pydumpd("core", name, *sample["args"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / (name[: -len(suffix) - 1] + ".pydump")).is_file()


NO_CHECKSUM = ["zstd -q --no-check", "lz4 -q --no-frame-crc", "xz -1 -C none"]


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_damaged(sample: dict[str, Any], suffix: str, tmp_path: Path) -> None:
    """A bit is not what it was: the dump says that values may be wrong."""
    command = COMPRESSORS[suffix]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    whole = Path(sample["core"]).read_bytes()
    done = subprocess.run([*command, "-c", str(sample["core"])], capture_output=True)
    rng, made = random.Random(SEED), 0
    for i in range(CUTS // 3):
        data = bytearray(done.stdout)
        at = len(data) - 1 - int((rng.random() if i else 0) * 0.2 * len(data))
        data[at] ^= 1 << rng.randrange(8)
        (tmp_path / "core").write_bytes(data)
        back = subprocess.run([command[0], "-dcq"], input=data, capture_output=True)
        if not back.returncode and back.stdout == whole:
            continue  # a bit that means nothing
        path = tmp_path / f"{i}.pydump"
        done_ = pydumpd("core", tmp_path / "core", "-o", path, "--max-objects=99", *sample["args"])
        where = (SEED, i, at, done_.stderr)
        if done_.returncode:
            continue
        made += 1
        assert "data is damaged after" in done_.stderr or "ends early" in done_.stderr, where
        if "is damaged" in done_.stderr:
            assert "any value may be wrong" in done_.stderr, where
            assert "is damaged" in harness.record(path, "header")["capture"]["damaged"]
            assert "any value may be wrong" in pydumpd("show", path).stdout
    assert made or suffix == "xz"


@pytest.mark.parametrize("command", NO_CHECKSUM)
def test_without_checksum(sample: dict[str, Any], command: str, tmp_path: Path) -> None:
    """A bit that changed is not noticed then, which -v says."""
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]}")
    for name, argv in (("bare", words), ("checked", words[:2])):
        data = subprocess.run([*argv, "-c", str(sample["core"])], capture_output=True)
        (tmp_path / name).write_bytes(data.stdout)
        args = ["--max-objects=10", "-v", *sample["args"]]
        said = dump(tmp_path / name, tmp_path / f"{name}.pydump", *args)
        assert ("has no checksum" in said) == (name == "bare"), said


def test_room_to_decompress(sample: dict[str, Any], tmp_path: Path) -> None:
    packed = tmp_path / "core.gz"
    data = subprocess.run(["gzip", "-1c", str(sample["core"])], capture_output=True)
    packed.write_bytes(data.stdout)

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = pydumpd("core", packed, "-o", tmp_path / "x", preexec_fn=limit)
    assert done.returncode == 1 and "set TMPDIR" in done.stderr
    env = {**os.environ, "TMPDIR": str(tmp_path / "nowhere")}
    done = pydumpd("core", packed, "-o", tmp_path / "x", env=env)
    assert done.returncode == 1 and "set TMPDIR" in done.stderr
    assert not (tmp_path / "x").exists()


def objects(path: Path) -> dict[int, Any]:
    """What a dump says of each object: kind, value, references, marks."""
    sys.path.insert(0, str(harness.TOP / "tests" / "oracle"))
    import decode

    found = {}
    for o in decode.read(str(path))["objects"]:
        del o["frame"]
        found[o["addr"]] = o
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_cut(sample: dict[str, Any], packed: bool, tmp_path: Path) -> None:
    """Cut anywhere: no crash, and no object is shown as another one."""
    rng = random.Random(SEED)
    core = sample["core"]
    whole = objects(sample["dump"])
    if packed:
        data = subprocess.run(["gzip", "-1c", str(core)], capture_output=True).stdout
    else:
        data = core.read_bytes()
    served = 0
    for i in range(CUTS // 2 if packed else CUTS):
        # Most near the end: there is something to show.
        keep = rng.choice([rng.random(), 1 - rng.random() ** 3 / 3])
        cut = tmp_path / f"cut{i}"
        cut.write_bytes(data[: int(len(data) * keep)])
        path = tmp_path / f"cut{i}.pydump"
        done = pydumpd("core", cut, "-o", path, *sample["args"])
        where = (SEED, i, keep, done.stderr)
        assert done.returncode in (0, 1), where
        cut.unlink()
        if done.returncode:
            assert done.stderr.startswith("pydumpd: ") and not path.exists(), where
            continue
        served += 1
        assert "is cut short" in done.stderr or "end is missing" in done.stderr, where
        for addr, shown in objects(path).items():
            known = whole.get(addr)
            if known is None or shown["mark"] or known["mark"]:
                continue
            if b"<unreadable name>" in shown["value"]:
                shown["value"] = known["value"]
            assert shown == known, (where, hex(addr))
    if not packed:
        cut = tmp_path / "last"
        cut.write_bytes(data[:-1])
        said = dump(cut, tmp_path / "last.pydump", *sample["args"])
        assert "the core is cut short" in said


def test_gcore_without_end(one: Interpreter, tmp_path: Path) -> None:
    """gdb writes threads and names of files last: without them the memory is
    shown, and what is missing is said."""
    with workplace(one, tmp_path) as (_, inside):
        with start(argv_in(one, inside, f"{inside}/simple.py")) as target:
            target.line()
            live = tmp_path / "live"
            harness.attach(target, live)
            core, whole = gcore(target, tmp_path / "gcore")
    data = core.read_bytes()
    start_of_headers = int.from_bytes(data[32:40], "little")
    offsets = [
        int.from_bytes(data[at + 8 : at + 16], "little")
        for at in range(start_of_headers, start_of_headers + 56 * 9999, 56)
        if data[at : at + 4] == b"\4\0\0\0"
    ]
    cut = tmp_path / "cut"
    cut.write_bytes(data[: offsets[0]])
    said = dump(cut, tmp_path / "x", *root_of(one))
    assert "is cut off: there are no native stacks, thread ids" in said
    assert "not there to read" not in said
    with open_dump(tmp_path / "x") as found, open_dump(live) as before:
        assert [t.name for t in found.threads] == [t.name for t in before.threads]
        for thread, known in zip(found.threads, before.threads):
            assert thread.native is None and "signal" not in found.header["trigger"]
            assert [str(f) for f in thread.frames] == [str(f) for f in known.frames]
            for frame, other in zip(thread.frames, known.frames):
                assert list(frame.locals) == list(other.locals)
        shown, known = objects(tmp_path / "x"), objects(live)
        assert whole is False or not found.end["placeholders"]
        for addr in set(shown) & set(known):
            if not shown[addr]["mark"] and not known[addr]["mark"]:
                assert shown[addr] == known[addr]
        assert len(shown) >= len(known) * 0.99
    # Names, and the program's arguments, stood further on.
    rng = random.Random(SEED)
    for i in range(CUTS // 2):
        cut.write_bytes(data[: rng.randrange(offsets[0])])
        (tmp_path / "x").unlink(missing_ok=True)
        done = pydumpd("core", cut, "-o", tmp_path / "x", *root_of(one))
        where = (SEED, i, done.stderr)
        assert done.returncode in (0, 1) and "cut short" in done.stderr, where
        if done.returncode:
            assert not (tmp_path / "x").exists(), where
            continue
        shown = objects(tmp_path / "x")
        for addr in set(shown) & set(known):
            if b"<unreadable name>" in shown[addr]["value"]:
                continue
            if not shown[addr]["mark"] and not known[addr]["mark"]:
                assert shown[addr] == known[addr], (where, hex(addr))


@pytest.mark.parametrize("bits", [0x23, 0x37, 0x7F])
@kernel
def test_filter(one: Interpreter, bits: int, tmp_path: Path) -> None:
    """Without ELF headers, with the files' private pages, with all."""
    with workplace(one, tmp_path) as (folder, inside):
        with start(argv_in(one, inside, "simple.py")) as target:
            target.line()
            Path(f"/proc/{target.pid}/coredump_filter").write_text(hex(bits))
            core = die(target, folder)
        path = tmp_path / "x.pydump"
        said = dump(core, path, *root_of(one))
    assert ("could not be verified" in said) == (bits == 0x23), said
    with open_dump(path) as found:
        assert any(f.name == "<module>" for t in found.threads for f in t.frames)
        assert not found.end["placeholders"]


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """The core of a program whose file is at another place by now."""
    from interpreters import discover

    if no_kernel_cores():
        pytest.skip(no_kernel_cores())
    interpreter = next(i for i in discover() if i.root is None)
    work = tmp_path / "work"
    work.mkdir()
    program = Path(os.path.realpath(interpreter.path))
    copy = work / "bin" / program.name
    copy.parent.mkdir()
    shutil.copy(program, copy)
    code = "import os; words = {'a': [1, (2, 3)]}; os.abort()"
    env = {"PYTHONHOME": interpreter.prefix}
    (work / "die.py").write_text(code)
    shell = 'cd "$0" && ulimit -c unlimited && exec "$@"'
    argv = ["/bin/sh", "-c", shell, str(work), str(copy), "die.py"]
    libraries = str(Path(interpreter.prefix) / "lib")
    with start(argv, env={**env, "LD_LIBRARY_PATH": libraries}) as target:
        target.process.wait(harness.PATIENCE)
    core = shutil.move(core_in(work), tmp_path / "core")
    copy.unlink()
    yield {"core": Path(core), "program": program, "copy": copy, "work": work}


def test_program_is_gone(moved: dict[str, Path], tmp_path: Path) -> None:
    """What is missing is named, and how to give it; then all is there."""
    core, copy = moved["core"], moved["copy"]
    done = pydumpd("core", core, "-o", tmp_path / "x")
    assert done.returncode in (0, 1)
    assert str(copy) in done.stderr and "build id " in done.stderr, done.stderr
    assert "--exe or --sysroot" in done.stderr
    if not done.returncode:
        with open_dump(tmp_path / "x") as found:
            for thread in found.threads:
                for frame in thread.frames:
                    words = frame.locals.get("words")
                    assert words == {"a": [1, (2, 3)]} or "unreadable" in repr(words)
        (tmp_path / "x").unlink()
    # Another one at its place is refused, and named.
    shutil.copy("/bin/ls", copy)
    done = pydumpd("core", core, "-o", tmp_path / "x")
    assert "is another one: its build id is" in done.stderr
    with contextlib.suppress(OSError):
        (tmp_path / "x").unlink()
    done = pydumpd("core", core, "--exe", "/bin/ls", "-o", tmp_path / "x")
    assert done.returncode == 1 and "cannot use --exe /bin/ls: its build id" in done.stderr
    copy.unlink()
    root = tmp_path / "root"
    inside = root / str(copy)[1:]
    inside.parent.mkdir(parents=True)
    shutil.copy(moved["program"], inside)
    # What debuginfod's client fetched is at hand, too.
    told = subprocess.run(["readelf", "-n", moved["program"]], capture_output=True, text=True)
    ident = told.stdout.split("Build ID: ")[1].split()[0]
    cached = tmp_path / "cache" / ident / "executable"
    cached.parent.mkdir(parents=True)
    shutil.copy("/bin/ls", cached)
    cache = {**os.environ, "DEBUGINFOD_CACHE_PATH": str(tmp_path / "cache")}
    done = pydumpd("core", core, "-o", tmp_path / "x", env=cache)
    assert f"{copy} (build id {ident}) is not there to read from: not found" in done.stderr
    with contextlib.suppress(OSError):
        (tmp_path / "x").unlink()
    shutil.copy(moved["program"], cached)
    ways: list[tuple[list[Any], Any]] = [
        (["--exe", moved["program"]], None),
        (["--sysroot", root], None),
        ([], cache),
    ]
    for number, (args, env) in enumerate(ways):
        path = tmp_path / f"whole{number}"
        said = dump(core, path, *args, env=env)
        assert "not there to read" not in said
        with open_dump(path) as found:
            (frame,) = [f for t in found.threads for f in t.frames]
            assert frame.locals["words"] == {"a": [1, (2, 3)]}
            assert not found.end["placeholders"]


def test_refusals(one: Interpreter, sample: dict[str, Any], tmp_path: Path) -> None:
    """Whatever is no core of Python, with the reason."""
    data = sample["core"].read_bytes()

    def refused(name: str, content: bytes, *args: str | Path) -> str:
        (tmp_path / name).write_bytes(content)
        done = pydumpd("core", tmp_path / name, "-o", tmp_path / "x", *args)
        assert done.returncode == 1, done.stderr
        assert not (tmp_path / "x").exists()
        return done.stderr

    assert "it is empty" in refused("empty", b"")
    assert "not a core file" in refused("text", b"hello, this is a text file\n" * 9)
    assert "a program or library" in refused("program", Path("/bin/ls").read_bytes())
    assert "aarch64 machine" in refused("arm", data[:18] + b"\xb7\x00" + data[20:])
    assert "32-bit process" in refused("class", data[:4] + b"\x01" + data[5:])
    assert "big-endian" in refused("big", data[:5] + b"\x02" + data[6:])
    assert "cut short" in refused("header", data[:100])
    headers = int.from_bytes(data[56:58], "little") * 56 + 64
    assert "no threads: it is cut short" in refused("notes", data[:headers])
    assert "cut short, and in what is left" in refused("memory", data[:0x5000])
    assert "cannot use --sysroot" in refused("core", data, "--sysroot", "/nowhere")
    assert "cannot use --exe" in refused("core", data, "--exe", "/nowhere")
    assert "is the core of process" in refused("core", data, "--pid", "1")
    with contextlib.suppress(OSError):
        (tmp_path / "x").unlink()
    (tmp_path / "folder").mkdir()
    done = pydumpd("core", tmp_path / "folder")
    assert done.returncode == 1 and "a folder without a file" in done.stderr
    for usage in ([], ["a", "b"], ["a", "--capture=stop"], ["a", "-o", "x", "--dir", "."]):
        assert pydumpd("core", *usage).returncode == 2


@kernel
def test_not_python(tmp_path: Path) -> None:
    shell = "ulimit -c unlimited; exec sleep 1000"
    with start(["/bin/sh", "-c", shell], cwd=tmp_path) as target:
        # exec has happened when the name is the new one's.
        comm = Path(f"/proc/{target.pid}/comm")
        while comm.read_text() != "sleep\n":
            pass
        core = die(target, tmp_path)
    done = pydumpd("core", core, "-o", tmp_path / "x")
    assert done.returncode == 1 and "not Python" in done.stderr
    assert "pydumpd ps" not in done.stderr


@kernel
def test_secrets(one: Interpreter, tmp_path: Path) -> None:
    """The environment and arguments are known out of memory."""
    code = (
        "import os, sys\n"
        "text = 'a note that has ' + os.environ['SOME_TOKEN'] + ' in it'\n"
        "option = 'and ' + sys.argv[2]\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    secret, password = "q8Zr-kestrel-77", "xK9-plover-1234"
    with workplace(one, tmp_path) as (folder, inside):
        (folder / "keep.py").write_text(code)
        argv = argv_in(one, inside, "keep.py", "--password", password)
        with start(argv, env={"SOME_TOKEN": secret}) as target:
            assert target.line() == "ready"
            live = tmp_path / "live"
            harness.attach(target, live)
            core = die(target, folder)
        dump(core, tmp_path / "x", *root_of(one))
    for path in (live, tmp_path / "x"):
        with open_dump(path) as found:
            (frame,) = [f for t in found.threads for f in t.frames]
            assert password not in str(found.header)
            assert found.header["process"]["argv"][-1] == "*" * len(password)
            assert password not in repr(frame.locals["option"])
            assert secret not in repr(frame.locals["text"])
