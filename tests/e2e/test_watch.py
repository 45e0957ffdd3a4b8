# SPDX-License-Identifier: Apache-2.0
"""pydumpd run: crashes and exceptions that nobody catches, on every version."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator

import harness
import pytest
from harness import open_dump, record, scripts
from interpreters import Interpreter, environment

pytestmark = pytest.mark.crashes

# What is dumped beside the frames is other tests' business.
SMALL = ("--no-globals", "--max-objects=20000")
SIGNALS = {
    "segv": ("SIGSEGV", "SEGV_MAPERR"),
    "abort_in_c": ("SIGABRT", "SI_TKILL"),
    "stack": ("SIGSEGV", None),
    "bus": ("SIGBUS", "BUS_ADRERR"),
    "double_free": ("SIGABRT", "SI_TKILL"),
    "in_thread": ("SIGABRT", "SI_TKILL"),
    "in_process": ("SIGABRT", "SI_TKILL"),
    "callback": ("SIGSEGV", "SI_USER"),
    "faulthandler": ("SIGSEGV", "SEGV_MAPERR"),
    "subinterpreter": ("SIGABRT", "SI_TKILL"),
}
NOT_FATAL = ("handled", "ignored")


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crashes.c as a shared library, for any C library from 2014 on."""
    made = tmp_path_factory.mktemp("c") / "crashes.so"
    source = harness.TARGETS / "crashes.c"
    subprocess.run(
        ["cc", "-O1", "-fno-optimize-sibling-calls", "-w", "-shared", "-fPIC"]
        + ["-o", str(made), str(source)],
        check=True,
    )
    return made


@contextlib.contextmanager
def folder(interpreter: Interpreter) -> Iterator[tuple[Path, str]]:
    """A folder, as we see it and as the interpreter does."""
    inside = interpreter.outside("/tmp")
    made = Path(tempfile.mkdtemp(prefix="pydumpd-watch-", dir=inside))
    try:
        yield made, f"/tmp/{made.name}"
    finally:
        shutil.rmtree(made)


def run(
    *args: str | Path, patience: float = harness.PATIENCE, **options: Any
) -> subprocess.CompletedProcess[str]:
    return harness.pydumpd("run", *args, patience=patience, env=environment(), **options)


def by_pid(dumps: Path) -> dict[int, Path]:
    return {record(p, "header")["process"]["pid"]: p for p in dumps.glob("*.pydump")}


def variable(frames: Any, function: str, name: str) -> Any:
    return next(f for f in frames if f.name == function).locals[name]


# Of the C library that crashes, in its thread's native stack.
IN_C = {"abort_in_c": "fail", "stack": "recurse", "double_free": "free_twice", "callback": "call"}


def check_native(way: str, thread: Any) -> None:
    """The native stack is there, with the Python frames where they belong."""
    assert thread.native.merged, (way, thread.native.note)
    merged = [getattr(e, "name", None) or getattr(e, "function", None) for e in thread.merged]
    assert "crash_" + way in merged, (way, merged)
    if way in IN_C:
        assert IN_C[way] in [f.function for f in thread.native.frames], way
        # The newest first: what crashed stands before who called it.
        assert merged.index(IN_C[way]) < merged.index("crash_" + way), (way, merged)


def check_crash(path: Path, way: str) -> None:
    """The signal, its place, and the frames with their values."""
    signal, code = SIGNALS[way]
    trigger = record(path, "header")["trigger"]
    assert trigger["signal"] == signal, way
    if code is not None:
        assert trigger["code"] == code, way
    if way == "segv":
        assert trigger["address"] == 8
    assert ("address" in trigger) == (way in ("segv", "stack", "bus", "faulthandler")), way
    assert {"rip", "pc"} & set(trigger["registers"])
    assert record(path, "end")["complete"]
    with open_dump(path) as dump:
        function = "crash_" + way
        thread = harness.thread_with(dump, function)
        check_native(way, thread)
        assert variable(thread.frames, function, "mark") == "mark-" + way
        if way == "subinterpreter":
            thread = harness.thread_with(dump, "crash_inside")
            assert variable(thread.frames, "crash_inside", "mark") == "mark-inside"
        assert thread.native_id in (trigger["thread"], None)
        if way == "in_thread":
            assert thread.name == "crasher"


def test_crashes(interpreter: Interpreter, library: Path, tmp_path: Path) -> None:
    """The dump has the signal, its place, and the frames with their values."""
    with scripts(interpreter) as where, folder(interpreter) as (outside, inside):
        shutil.copy(library, outside)
        ways = [*SIGNALS, *NOT_FATAL]
        argv = interpreter.argv(f"{where}/crashes.py", f"{inside}/{library.name}", inside, *ways)
        done = run("--dir", tmp_path, "--max-dumps=none", "--native=auto", *SMALL, "--", *argv)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    dumps = by_pid(tmp_path)
    crashed = len(SIGNALS)
    for way in NOT_FATAL:
        assert told[way][1] == 0
    for way in SIGNALS:
        pid, status = told[way]
        if way == "subinterpreter" and status == 98:
            assert interpreter.version < (3, 8), "no module for subinterpreters"
            crashed -= 1
            continue
        assert status < 0, (way, told)
        path = dumps.pop(pid)
        trigger = record(path, "header")["trigger"]
        assert trigger["kind"] == "signal"
        assert trigger.get("faulthandler", False) == (way == "faulthandler")
        check_crash(path, way)
    assert not dumps
    assert done.stderr.count("\n") == crashed, done.stderr


UNCAUGHT = {
    "in_main": 1,
    "in_main_hooked": 1,
    "in_thread": 0,
    "in_thread_hooked": 0,
    "in_raw_thread": 0,
    "in_executor": 1,
    "in_asyncio": 1,
    "in_daemon": 0,
    "in_fork": 1,
    "fork_in_thread": 0,
    "in_forkserver": 0,
    "in_spawn": 1,
    "in_subprocess": 1,
}
# It is a process of theirs that ends.
ELSEWHERE = {"in_daemon", "in_fork", "fork_in_thread", "in_forkserver", "in_spawn"}
ELSEWHERE |= {"in_subprocess"}
# The status of by_interrupt differs between versions.
CAUGHT = {"caught": 0, "by_exit": 1, "by_interrupt": None}
COMPARED = ("in_main", "in_thread", "in_subprocess", "by_exit", "by_interrupt")


def plain(text: str) -> str:
    """Without what differs from run to run."""
    return re.sub(r"0x[0-9a-f]+", "0x", text)


@pytest.mark.slow
@pytest.mark.every_build
def test_uncaught(interpreter: Interpreter, tmp_path: Path) -> None:
    """The frames of the traceback have their locals, also of what led to it; and
    what somebody catches, or asks for, is no end."""
    options = ("--on=exception", "--max-dumps=none", "--native=off")
    options += ("--no-globals", "--max-objects=4000")
    options += ("--include-exception=Stop", "--exclude-exception=__main__.L*")
    with scripts(interpreter) as where:
        argv = interpreter.argv(f"{where}/uncaught.py", "all", *UNCAUGHT, *CAUGHT)
        done = run(*options, "--dir", tmp_path, "--", *argv)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    dumps: dict[int, list[Path]] = {}
    for path in tmp_path.iterdir():
        dumps.setdefault(record(path, "header")["process"]["pid"], []).append(path)
    for way, (pid, status, count) in told.items():
        found = dumps.pop(pid, [])
        if way in UNCAUGHT and way not in ELSEWHERE:
            assert len(found) == 1 and status >> 8 == UNCAUGHT[way], way
            check_uncaught(found[0], way)
        else:
            assert len(found) == (count or 0), (way, status, done.stderr)
            assert count != 3 or {record(p, "end")["complete"] for p in found} == {True}
    assert len(dumps) == len(ELSEWHERE), (dumps, done.stderr)
    for (path,) in dumps.values():
        check_uncaught(path, "elsewhere")


def test_as_without_us(shared_root: Interpreter, tmp_path: Path) -> None:
    """To the program nothing is different."""
    for way in COMPARED:
        argv = shared_root.argv(str(harness.TARGETS / "uncaught.py"), way)
        done = run("--dir", tmp_path, "-q", "--native=off", *SMALL, "--", *argv)
        alone = harness.pydumpd(*argv[1:], binary=argv[0], env=environment())
        assert done.returncode == alone.returncode, way
        assert done.stdout == alone.stdout, way
        assert plain(done.stderr) == plain(alone.stderr), way
        found = list(tmp_path.iterdir())
        assert len(found) == (way not in CAUGHT), way
        for path in found:
            check_uncaught(path, way)
            path.unlink()


def test_included(shared_root: Interpreter, tmp_path: Path) -> None:
    """What does not count by default does when it is asked for."""
    options = ("--include-exception=KeyboardInterrupt", "--include-exception=SystemExit")
    ways = {"by_interrupt": "KeyboardInterrupt", "interrupted_thread": "KeyboardInterrupt"}
    if shared_root.version >= (3, 8):
        ways["thread_exits"] = "SystemExit"
    for way, name in ways.items():
        argv = shared_root.argv(str(harness.TARGETS / "uncaught.py"), way)
        run("--dir", tmp_path, *options, "--native=off", *SMALL, "--", *argv)
        (path,) = tmp_path.iterdir()
        assert record(path, "header")["trigger"]["type"] == name, way
        with open_dump(path) as dump:
            thread = next(t for t in dump.threads if t.exceptions)
            assert type(thread.exceptions[0].value).__name__ == name, way
        path.unlink()


#: Ways in which the main program ends by SystemExit, and the exit status.
EXITS = {"exits": 3, "exits_by_itself": 0, "exits_in_asyncio": 3, "exit_subclass": 3}
# Only there Python code has seen it, so that there is an instance up to 3.11.
MADE = {"exits_in_asyncio", "exit_subclass"}


@pytest.mark.slow
@pytest.mark.every_build
def test_exits(interpreter: Interpreter, tmp_path: Path) -> None:
    """SystemExit of the main program, where it is asked for; together with other
    triggers; and what calls fflush() otherwise is none."""
    options = ("--include-exception=SystemExit", "--on=exception", "--on=exit", "--on=hang=60")
    options += ("--max-dumps=none", "--native=off", "--no-globals", "--max-objects=4000")
    with scripts(interpreter) as where:
        argv = interpreter.argv(f"{where}/uncaught.py", "some", *EXITS, "flushes")
        done = run(*options, "--dir", tmp_path, "--", *argv)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
    dumps = by_pid(tmp_path)
    assert told["flushes"][1] == 0 and told["flushes"][0] not in dumps
    assert len(dumps) == len(EXITS), done.stderr
    for way, status in EXITS.items():
        pid, code, _ = told[way]
        assert code == status << 8
        trigger = record(dumps[pid], "header")["trigger"]
        name = "Bye" if way == "exit_subclass" else "SystemExit"
        assert (trigger["kind"], trigger["type"]) == ("exception", name), way
        with open_dump(dumps[pid]) as dump:
            (entry,) = dump.threads[0].exceptions
            frames = [f for f, _ in traceback_of(dump, entry)]
            made = way in MADE or interpreter.version >= (3, 12)
            assert bool(entry.address) == made == ("exception" in trigger)
            if made:
                assert type(entry.value).__name__ == name
                assert entry.value.code == (status or None)
            else:
                assert entry.value is SystemExit or entry.value.__name__ == "SystemExit"
        assert frames[0].f_code.co_name == "<module>"
        assert frames[-1].f_code.co_name == "leave"
        assert frames[-1].f_locals["inside"] == ["of leave", status or None]


def traceback_of(dump: Any, entry: Any) -> Any:
    import traceback

    from pydumpd.views import Views

    return traceback.walk_tb(Views(dump).traceback(entry))


def check_uncaught(path: Path, way: str) -> None:
    trigger = record(path, "header")["trigger"]
    assert trigger["kind"] == "exception" and trigger["type"] == "Problem", way
    assert record(path, "end")["complete"]
    with open_dump(path) as dump:
        thread = next(t for t in dump.threads if t.exceptions)
        if "thread" in way and way != "in_raw_thread":
            assert thread.name == "worker"
        entry = thread.exceptions[0]
        assert entry.role == "raised" and str(entry.value) == "no 1"
        frames = {}
        traceback = entry.value.__traceback__
        while traceback is not None:
            frames[traceback.tb_frame.f_code.co_name] = traceback.tb_frame.f_locals
            traceback = traceback.tb_next
        assert frames["fail"]["inside"] == ["of fail", 1]
        assert frames["work"]["around"] == {"number": 1}
        assert type(entry.value.__context__).__name__ == "KeyError"


TRACEBACK = """
def outer(a, b):
    c = [a]
    class K:
        z = a + 1
    def inner(d):
        e = (c, d)
        cell = inner.__closure__[0]
        raise KeyError(b) from ValueError(d)
    inner(5)
outer(1, "two")
"""


def test_show_has_the_traceback(shared_root: Interpreter, tmp_path: Path) -> None:
    """The frames that it came through, oldest first, with their variables."""
    (tmp_path / "program.py").write_text(TRACEBACK)
    argv = shared_root.argv(str(tmp_path / "program.py"))
    done = run("--dir", tmp_path, *SMALL, "--native=off", "--", *argv)
    assert done.returncode == 1, done.stderr
    (path,) = tmp_path.glob("*.pydump")
    shown = harness.pydumpd("show", path).stdout
    _, _, traceback = shown.partition("exception, raised: KeyError('two')\n")
    lines = traceback.splitlines()
    frames = [n for n, line in enumerate(lines) if "program.py:" in line]
    names = [lines[n].split()[0].rpartition(".")[2] for n in frames]
    at = [int(lines[n].rpartition(":")[2]) for n in frames]
    assert (names, at) == (["<module>", "outer", "inner"], [11, 10, 9])
    outer = {line.strip() for line in lines[frames[1] : frames[2]]}
    inner = {line.strip() for line in lines[frames[2] :]}
    assert {"a = 1", "b = 'two'", "c = [1]"} <= outer
    assert {"b = 'two'", "c = [1]", "d = 5", "e = ([1], 5)"} <= inner
    assert "not all variables" not in shown
    assert any(re.fullmatch("cell = <cell at 0x[0-9a-f]+: 'two'>", line) for line in inner)
    assert "raised from: ValueError(5)" in lines[-1]
    assert "a = 1" not in harness.pydumpd("show", "--no-locals", path).stdout
    check_traceback_of_json(path)


def check_traceback_of_json(path: Path) -> None:
    shown = json.loads(harness.pydumpd("show", "--json", path).stdout)
    (raised,) = shown["threads"][0]["exceptions"]
    frames = raised["frames"]
    assert [(f["name"], f["line"]) for f in frames] == [
        ("<module>", 11),
        ("outer", 10),
        ("inner", 9),
    ]
    assert raised["frames_complete"] and all(f["vars_complete"] for f in frames)
    assert all(f["file"].endswith("/program.py") for f in frames)
    kinds = [{v["name"]: (v["kind"], v["repr"]) for v in f["vars"]} for f in frames]
    assert kinds[0]["outer"][0] == "name"
    assert kinds[1]["a"] == ("argument", "1") and kinds[1]["c"] == ("cell", "[1]")
    assert kinds[1]["b"] == ("argument", "'two'")
    assert kinds[2]["b"] == ("free", "'two'") and kinds[2]["e"] == ("local", "([1], 5)")
    (cause,) = raised["chain"]
    assert (cause["role"], cause["type"], cause["repr"]) == (
        "cause",
        "ValueError",
        "ValueError(5)",
    )
    bare = json.loads(harness.pydumpd("show", "--json", "--no-locals", path).stdout)
    assert "vars" not in bare["threads"][0]["exceptions"][0]["frames"][0]
