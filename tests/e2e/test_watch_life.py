# SPDX-License-Identifier: Apache-2.0
"""pydumpd run and watch: the other triggers, limits, bad input, and what the
program and its surroundings see."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator

import harness
import pytest
from harness import PYDUMPD, TARGETS, Target, open_dump, record, start
from interpreters import Interpreter, environment

pytestmark = pytest.mark.crashes

SMALL = ("--no-globals", "--max-objects=20000", "--native=off")
KILLS = int(os.environ.get("PYDUMPD_KILLS") or 100) // 15


def command(interpreter: Interpreter, *args: str) -> list[str]:
    return interpreter.argv(str(TARGETS / "waits.py"), *args)


def run(*args: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return harness.pydumpd("run", *args, env=environment(), **options)


@contextlib.contextmanager
def watched(dumps: Path, argv: list[str], *options: str) -> Iterator[Target]:
    """The program under run; the target is pydumpd itself."""
    full = [str(PYDUMPD), "run", "--dir", str(dumps), *SMALL, *options, "--", *argv]
    with start(full) as target:
        yield target


def dumps_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pydump"))


def await_dumps(folder: Path, count: int) -> list[Path]:
    deadline = time.monotonic() + harness.PATIENCE
    while len(dumps_in(folder)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return dumps_in(folder)


def trigger(path: Path) -> dict[str, Any]:
    return record(path, "header")["trigger"]


def children(pid: int) -> dict[str, int]:
    """Children of a process, by name."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[Path(f"/proc/{child}/comm").read_text().strip()] = int(child)
    return found


def test_hang(shared_root: Interpreter, tmp_path: Path) -> None:
    with watched(tmp_path, command(shared_root, "stuck"), "--on=hang=0.3") as target:
        assert target.line() == "ready"
        # A busy machine may have had it hang before, in an import.
        deadline = time.monotonic() + harness.PATIENCE
        while not any("stuck" in harness.frame_names(p) for p in dumps_in(tmp_path)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        target.close_input()
        assert target.wait() == 0
    for path in dumps_in(tmp_path):
        assert trigger(path)["kind"] == "hang"
        path.unlink()
    done = run(
        "--on=hang=0.3", "--dir", tmp_path, *SMALL, "--", *command(shared_root, "polling", "30")
    )
    assert done.returncode == 0 and not dumps_in(tmp_path), done.stderr


def test_hang_of_a_thread(one: Interpreter, tmp_path: Path) -> None:
    options = ("--on=hang=0.3", "--thread=reader", "--then=kill")
    with watched(tmp_path, command(one, "stuck_thread"), *options) as target:
        assert target.wait() == -signal.SIGKILL
    (path,) = dumps_in(tmp_path)
    assert trigger(path)["kind"] == "hang"


def test_timeout(one: Interpreter, tmp_path: Path) -> None:
    options = ("--on=timeout=1", "--then=kill")
    with watched(tmp_path, command(one, "stuck"), *options) as target:
        assert target.wait() == -signal.SIGKILL
    (path,) = dumps_in(tmp_path)
    assert trigger(path)["kind"] == "timeout"


def test_rss(one: Interpreter, tmp_path: Path) -> None:
    with watched(tmp_path, command(one, "grown"), "--on=rss=90M") as target:
        (path,) = await_dumps(tmp_path, 1)
        assert trigger(path)["kind"] == "rss"
        target.close_input()
        assert target.wait() == 0
    assert len(dumps_in(tmp_path)) == 1


def test_request(one: Interpreter, tmp_path: Path) -> None:
    with watched(tmp_path, command(one, "stuck")) as target:
        assert target.line() == "ready"
        for count in (1, 2):
            os.kill(target.pid, signal.SIGUSR2)
            await_dumps(tmp_path, count)
        assert {trigger(p)["kind"] for p in dumps_in(tmp_path)} == {"request"}
        target.close_input()
        assert target.wait() == 0


def test_exit(shared_root: Interpreter, tmp_path: Path) -> None:
    done = run("--on=exit", "--dir", tmp_path, *SMALL, "--", *command(shared_root, "exits_at_once"))
    assert done.returncode == 4
    (path,) = dumps_in(tmp_path)
    assert trigger(path)["kind"] == "exit" and trigger(path)["status"] == 4
    with open_dump(path) as dump:
        frame = next(f for f in dump.threads[0].frames if f.name == "exits_at_once")
        assert frame.locals["mine"] == ["before the end"]
    path.unlink()
    done = run("--on=exit", "--dir", tmp_path, *SMALL, "--", *command(shared_root, "exits"))
    assert done.returncode == 3 and len(dumps_in(tmp_path)) == 1, done.stderr


def test_what_ends_while_it_is_dumped(one: Interpreter, tmp_path: Path) -> None:
    """A second dump follows the first one, or it is said why not."""
    argv, options = command(one, "dumped"), ("--on=exit", "--on=signal", "--on=exception")
    ends = {
        "exit": (3, ["exit"]),
        # Its excepthook crashes.
        "hook": (-signal.SIGABRT, ["exception", "signal"]),
    }
    for how, limit in (*((h, 0) for h in ends), ("exit", 1)):
        dumps = tmp_path / f"{how}-{limit}"
        dumps.mkdir()
        full = [str(PYDUMPD), "run", "--dir", str(dumps), *options, "--on=request"]
        full += ["--native=off", "--no-globals", f"--max-dumps={limit or 'none'}", "--", *argv]
        with start(full) as target:
            assert target.line() == "ready"
            os.kill(target.pid, signal.SIGUSR2)
            while not list(dumps.iterdir()):
                assert target.process.poll() is None
            # It is dumped; when it takes longer to notice, it has two dumps all the same.
            target.say(how)
            status, kinds = ends[how]
            assert target.wait() == status
            found = [trigger(p)["kind"] for p in dumps_in(dumps)]
            assert sorted(found) == sorted(["request", *kinds][: limit or None]), how
            assert target.stderr().count("no dump: as many as") == bool(limit)


def test_signals_and_streams_are_the_programs(one: Interpreter, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; print(os.getpgrp(), os.getsid(0), flush=True);"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(6));"
        "print(sys.stdin.readline().strip(), flush=True); signal.pause()"
    )
    with watched(tmp_path, one.argv("-c", code)) as target:
        assert target.line() == f"{os.getpgid(target.pid)} {os.getsid(target.pid)}"
        assert target.ask("echo") == "echo"
        os.kill(target.pid, signal.SIGTERM)
        assert target.wait() == 6
        assert target.stderr() == ""
    for sig in (signal.SIGKILL, signal.SIGTERM):
        done = run("--dir", tmp_path, "--", "sh", "-c", f"kill -{int(sig)} $$")
        assert done.returncode == -sig
    assert not dumps_in(tmp_path)


def test_started_by_who_ignores_children(one: Interpreter, tmp_path: Path) -> None:
    code = "import signal, sys; sys.exit(3 if signal.getsignal(signal.SIGCHLD) else 4)"
    done = run("--dir", tmp_path, "--", *one.argv("-c", code), preexec_fn=harness.ignore_children)
    assert done.returncode == 3, done.stderr
    code = "import signal; assert signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN; 1 / 0"
    done = run(
        "--dir", tmp_path, *SMALL, "--", *one.argv("-c", code), preexec_fn=harness.ignore_children
    )
    assert done.returncode == 1, done.stderr
    assert "ZeroDivisionError" in done.stderr and len(dumps_in(tmp_path)) == 1


def test_bad_input(one: Interpreter, tmp_path: Path) -> None:
    folder = ("--dir", tmp_path)
    done = run(*folder, "--", "no-such-program")
    assert done.returncode == 127 and "cannot run no-such-program" in done.stderr
    (tmp_path / "text").write_text("no program")
    done = run(*folder, "--", tmp_path / "text")
    assert done.returncode == 126 and "Permission denied" in done.stderr
    done = run("--dir", tmp_path / "nothing", "--", "true")
    assert done.returncode == 1 and "No such file" in done.stderr
    for options, text in (
        (["--on=weather"], "none of signal, exception"),
        (["--on=hang"], "needs a value"),
        (["--on=signal=WHAT"], "no signal"),
        (["--on=signal=KILL"], "cannot be seen"),
        (["--then=kill"], "needs --on"),
        (["--thread=x"], "needs --on=hang"),
        (["--capture=fork"], "cannot be had"),
    ):
        done = run(*options, "--", "true")
        assert done.returncode == 2 and text in done.stderr, done.stderr
    assert run().returncode == 2
    done = run(*folder, "--on=exit", "--", *one.argv("no-such-file"))
    assert done.returncode == 2 and "exit status 2; no dump" in done.stderr, done.stderr
    # What is no Python runs all the same, and Python below it is dumped.
    argv = ["sh", "-c", '"$@"; exit 9', "sh", *one.argv("-c", "import os; os.abort()")]
    done = run(*folder, *SMALL, "--", *argv)
    assert done.returncode == 9 and len(dumps_in(tmp_path)) == 1


NOISE = """
import os, sys
noise = [os.urandom(1000) for _ in range(4000)]
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
"""
#: How it ends, and its exit status.
ENDS = {"os.abort()": -signal.SIGABRT, "raise ValueError(noise.pop)": 1}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
@pytest.mark.parametrize("size", ["16k", "1m"])
def test_full_disk(one: Interpreter, tmp_path: Path, size: str) -> None:
    """The program ends as without us, and a line says why there is no dump: when
    the disk is full from the beginning, and when a good part has been written."""
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", full], check=True)
    try:
        for end, status in ENDS.items():
            argv = one.argv("-c", NOISE + end)
            alone = harness.pydumpd(*argv[1:], binary=argv[0], env=environment())
            done = run("--dir", full, "--", *argv)
            assert done.returncode == alone.returncode == status
            assert done.stdout == alone.stdout == "out\n"
            lines = done.stderr.splitlines()
            (ours,) = (n for n, line in enumerate(lines) if "no dump" in line)
            assert "No space left" in lines.pop(ours)
            assert len(lines) == len(alone.stderr.splitlines())
            assert lines[0] == "err"
            assert not list(full.iterdir())
    finally:
        subprocess.run(["umount", full], check=True)


def test_crash_loop(one: Interpreter, tmp_path: Path) -> None:
    """A hundred crashes in a row do not fill the disk."""
    argv = command(one, "crash_loop", "100")
    done = run("--dir", tmp_path, "--max-dumps=3", *SMALL, "--", *argv)
    assert done.returncode == 0 and done.stdout == "all\n"
    assert len(dumps_in(tmp_path)) == 3
    assert done.stderr.count("--max-dumps") == 1
    for path in dumps_in(tmp_path):
        path.unlink()
    done = run("--dir", tmp_path, "--keep=2", *SMALL, "--", *command(one, "crash_loop", "6"))
    assert done.returncode == 0 and len(dumps_in(tmp_path)) == 2
    done = run("--dir", tmp_path, "--cooldown=1000", *SMALL, "--", *command(one, "crash_loop", "5"))
    assert done.returncode == 0 and len(dumps_in(tmp_path)) == 3


def await_end(pid: int) -> None:
    deadline = time.monotonic() + harness.PATIENCE
    with contextlib.suppress(OSError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.002)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["tracer", "guard"])
def test_killed_watchdog(one: Interpreter, tmp_path: Path, who: str) -> None:
    """SIGKILL at any moment: the program runs on, and its exceptions do what
    they do, though breakpoints had been set for them."""
    moments = random.Random(11)
    for number in range(KILLS):
        argv = command(one, "busy")
        with watched(tmp_path, argv, "--exclude-exception=*") as target:
            assert target.line() == "ready"
            found = children(target.pid)
            tracer = found.pop("pydumpd-tracer")
            (program,) = found.values()
            assert target.ask("go") == "right"
            time.sleep(moments.uniform(0, 0.02))
            os.kill(tracer if who == "tracer" else target.pid, signal.SIGKILL)
            if who == "tracer":
                deadline = time.monotonic() + harness.PATIENCE
                while "ended early" not in target.stderr():
                    assert time.monotonic() < deadline
                    time.sleep(0.002)
            else:
                await_end(tracer)
            assert target.ask("go") == "right", number
            target.say("end")
            if who == "tracer":
                assert target.wait() == 5
            else:
                await_end(program)
                assert target.process.wait() == -signal.SIGKILL
    assert not dumps_in(tmp_path)


def test_watch(one: Interpreter, tmp_path: Path) -> None:
    """A running program; it runs on after ^C, without breakpoints."""
    argv = [str(PYDUMPD), "watch", "--dir", str(tmp_path), "--max-dumps=3", *SMALL]
    with start(command(one, "busy")) as target:
        assert target.line() == "ready"
        with start([*argv, "--on=exception", "-v", str(target.pid)]) as watch:
            deadline = time.monotonic() + harness.PATIENCE
            while "breakpoint 0" not in watch.stderr():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            while not dumps_in(tmp_path):
                assert target.ask("go") == "right"
            watch.process.send_signal(signal.SIGINT)
            assert watch.process.wait() == 0
        assert trigger(dumps_in(tmp_path)[0])["type"] == "ValueError"
        assert target.unharmed()
        assert target.ask("go") == "right"
        target.say("end")
        assert target.process.wait() == 5
    done = harness.pydumpd("watch", str(2**22 - 1))
    assert done.returncode == 1 and "no such process" in done.stderr
