# SPDX-License-Identifier: Apache-2.0
"""The breakpoints by which exceptions are noticed: what the kernel may refuse,
and that they end with the watchdog."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

import harness
import pytest
from harness import PYDUMPD, TARGETS, record, start
from interpreters import Interpreter, environment

pytestmark = pytest.mark.crashes

SMALL = ("--no-globals", "--max-objects=20000", "--native=off")
KILLS = int(os.environ.get("PYDUMPD_KILLS") or 100) // 4


def run_denied(what: str, *args: str | Path) -> harness.subprocess.CompletedProcess[str]:
    argv = [str(TARGETS / "deny.py"), what, str(PYDUMPD), "run", *map(str, args)]
    return harness.pydumpd(*argv, binary=sys.executable, env=environment())


def kinds(dumps: Path) -> list[str]:
    found = [record(p, "header")["trigger"]["kind"] for p in dumps.iterdir()]
    for path in dumps.iterdir():
        path.unlink()
    return found


def test_other_way(one: Interpreter, tmp_path: Path) -> None:
    """Where the better way is refused there is another."""
    for way, status in (("in_main", 1), ("in_thread", 0)):
        argv = one.argv(str(TARGETS / "uncaught.py"), way)
        done = run_denied("perf", "--dir", tmp_path, *SMALL, "--", *argv)
        assert done.returncode == status and "breakpoints" not in done.stderr
        assert kinds(tmp_path) == ["exception"], (way, done.stderr)


def test_none_at_all(one: Interpreter, tmp_path: Path) -> None:
    """It is said, once, and other triggers are on."""
    code = "import os, threading; threading.Thread(target=int, args=['x']).start(); os.abort()"
    argv = one.argv("-c", f"import os\nif not os.fork():\n  {code}\nos.wait()\nraise ValueError")
    done = run_denied("perf,registers", "--dir", tmp_path, *SMALL, "--", *argv)
    assert done.returncode == 1
    assert done.stderr.count("no hardware breakpoints") == 1, done.stderr
    assert kinds(tmp_path) == ["signal"]
    argv = one.argv("-c", "import time; time.sleep(600)")
    hang = ("--on=hang=0.3", "--then=kill", "--dir", tmp_path)
    done = run_denied("perf,registers", *hang, *SMALL, "--", *argv)
    assert done.returncode == -signal.SIGKILL and done.stderr.count("\n") == 2, done.stderr
    assert kinds(tmp_path) == ["hang"]


def await_true(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + harness.PATIENCE
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def await_text(target: harness.Target, text: str) -> None:
    deadline = time.monotonic() + harness.PATIENCE
    while text not in target.stderr():
        alive = target.process.poll() is None
        assert time.monotonic() < deadline and alive, target.stderr()[-2000:]
        time.sleep(0.001)


URGENT = """
import os, signal, socket
signal.signal(signal.SIGURG, lambda *_: print("urgent", flush=True))
os.kill(os.getpid(), signal.SIGURG)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
sender = socket.create_connection(listener.getsockname())
receiver, _ = listener.accept()
# F_SETOWN
__import__("fcntl").fcntl(receiver, 8, os.getpid())
sender.send(b"!", socket.MSG_OOB)
while True:
    try:
        receiver.recv(1, socket.MSG_OOB)
        break
    except OSError:
        pass
raise ValueError
"""


def test_signals_of_the_programs_own(one: Interpreter, tmp_path: Path) -> None:
    """The signal by which breakpoints are noticed may be the program's, too."""
    argv = [str(PYDUMPD), "run", "--dir", str(tmp_path), *SMALL, "--"]
    done = harness.pydumpd(*argv[1:], *one.argv("-c", URGENT), env=environment())
    assert (done.returncode, done.stdout) == (1, "urgent\n" * 2), done.stderr
    assert kinds(tmp_path) == ["exception"]


def may_have_events() -> bool:
    paranoid = Path("/proc/sys/kernel/perf_event_paranoid")
    return os.geteuid() == 0 or (paranoid.exists() and int(paranoid.read_text()) <= 2)


@pytest.fixture(params=["self", "nobody"])
def place(
    request: pytest.FixtureRequest, one: Interpreter
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """A folder with pydumpd and targets, what becomes its owner, and a Python."""
    python, su = one.argv(), list[str]()
    if request.param == "nobody":
        python, su = ["/usr/bin/python3"], ["setpriv", "--reuid=65534", "--regid=65534"]
        su += ["--clear-groups", "--"]
        if os.geteuid() != 0 or not shutil.which(su[0]) or not Path(*python).exists():
            pytest.skip("becoming nobody needs root, setpriv, and a Python that all may run")
        paranoid = Path("/proc/sys/kernel/perf_event_paranoid").read_text()
        if int(paranoid) > 2:
            pytest.skip("nobody may not have events: kernel.perf_event_paranoid")
    elif not may_have_events():
        pytest.skip("breakpoints that harm nobody need root, or perf_event_paranoid 2")
    with tempfile.TemporaryDirectory(prefix="pyd") as made:
        folder = Path(made)
        shutil.copy(PYDUMPD, folder / "pydumpd")
        shutil.copy(TARGETS / "waits.py", folder)
        (folder / "dumps").mkdir()
        if su:
            folder.chmod(0o755)
            os.chown(folder / "dumps", 65534, 65534)
        yield folder, su, python


def test_all_of_it_killed(place: tuple[Path, list[str], list[str]]) -> None:
    """SIGKILL for guard and tracer at once, at any moment, while threads end by
    exceptions without a pause: the program runs on, and has no breakpoints."""
    folder, su, python = place
    moments = random.Random(5)
    argv = [*su, str(folder / "pydumpd"), "watch", "--dir", str(folder / "dumps")]
    argv += ["-v", "--on=exception", "--exclude-exception=*"]
    with start([*su, *python, str(folder / "waits.py"), "raising"]) as target:
        assert target.line() == "ready"
        for number in range(KILLS):
            with start([*argv, str(target.pid)]) as watch:
                await_text(watch, "breakpoint of kind")
                children = Path(f"/proc/{watch.pid}/task/{watch.pid}/children")
                tracer = int(children.read_text())
                time.sleep(moments.uniform(0, 0.01))
                os.kill(watch.pid, signal.SIGKILL)
                os.kill(tracer, signal.SIGKILL)
                assert watch.process.wait() == -signal.SIGKILL
            assert target.ask("go") == "right", number
        # A tracer that was killed lets go when it has ended.
        await_true(target.unharmed)
        target.say("end")
        assert target.wait() == 5
    assert not list((folder / "dumps").iterdir())


def test_killed_while_it_dumps(one: Interpreter, tmp_path: Path) -> None:
    """SIGKILL for guard and tracer during the dump of a crash: the signal still
    does what it does."""
    argv = [str(PYDUMPD), "watch", "--dir", str(tmp_path), "-v", "--native=off"]
    argv += ["--on=signal=TERM,ABRT"]
    for number in (signal.SIGTERM, signal.SIGABRT):
        with start(one.argv(str(TARGETS / "waits.py"), "dumped")) as target:
            assert target.line() == "ready"
            with start([*argv, str(target.pid)]) as watch:
                await_text(watch, "Python 3")
                children = Path(f"/proc/{watch.pid}/task/{watch.pid}/children")
                tracer = int(children.read_text())
                os.kill(target.pid, number)
                await_true(lambda: any(tmp_path.iterdir()))
                os.kill(watch.pid, signal.SIGKILL)
                os.kill(tracer, signal.SIGKILL)
                assert target.wait() == -number
        for path in tmp_path.iterdir():
            path.unlink()
