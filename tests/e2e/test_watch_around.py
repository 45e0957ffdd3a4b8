# SPDX-License-Identifier: Apache-2.0
"""pydumpd run in its surroundings: servers that fork ahead, terminals with job
control, users without rights."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path
from typing import Iterator

import harness
import packages
import pytest
from harness import PYDUMPD, TARGETS, record, start
from interpreters import Interpreter, environment

pytestmark = pytest.mark.crashes

SMALL = ("--no-globals", "--max-objects=20000", "--native=off")
GUNICORN = "gunicorn==20.1.0", "setuptools==68.0.0"
APPLICATION = """
import ctypes, os

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/crash":
        ctypes.string_at(8)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"pid %d" % os.getpid()]
"""


def answer(path: Path, url: str) -> bytes:
    """Of a server at a socket; empty when it closes the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(harness.PATIENCE)
        connection.connect(str(path))
        connection.sendall(f"GET {url} HTTP/1.0\r\n\r\n".encode())
        text = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(4096):
                text += chunk
    return text


def await_true(what: object) -> None:
    deadline = time.monotonic() + harness.PATIENCE
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("short", ["3.8", "3.12"])
def test_gunicorn(short: str, tmp_path: Path) -> None:
    """A worker dies: there is one dump, and the arbiter starts another."""
    interpreter = packages.find(short)
    place = packages.install(interpreter, *GUNICORN)
    (tmp_path / "application.py").write_text(APPLICATION)
    dumps, path = tmp_path / "dumps", tmp_path / "s"
    dumps.mkdir()
    serve = ["-m", "gunicorn", "-w", "2", "-b", f"unix:{path}", "application:application"]
    argv = [str(PYDUMPD), "run", "--dir", str(dumps), *SMALL, "--", *interpreter.argv(*serve)]
    with start(argv, env={"PYTHONPATH": place}, cwd=tmp_path) as target:
        await_true(lambda: target.stderr().count("Booting worker") == 2)
        assert b"pid " in answer(path, "/")
        assert answer(path, "/crash") == b""
        await_true(lambda: target.stderr().count("Booting worker") == 3)
        for _ in range(10):
            assert b"pid " in answer(path, "/")
        target.process.send_signal(signal.SIGTERM)
        assert target.wait() == 0
        log = target.stderr()
    (dump,) = dumps.glob("*.pydump")
    assert record(dump, "header")["trigger"]["signal"] == "SIGSEGV", log
    with harness.open_dump(dump) as opened:
        thread = harness.thread_with(opened, "application")
        frame = next(f for f in thread.frames if f.name == "application")
        assert frame.locals["path"] == "/crash"


def ask(port: int, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=harness.PATIENCE) as connection:
        connection.sendall(text)
        with contextlib.suppress(ConnectionResetError):
            return connection.recv(100)
    return b""


def test_server_of_the_standard_library(shared_root: Interpreter, tmp_path: Path) -> None:
    """A worker of a pre-forking server crashes: one dump, and answers for all."""
    command = shared_root.argv(str(TARGETS / "waits.py"), "server")
    argv = [str(PYDUMPD), "run", "--dir", str(tmp_path), *SMALL, "--", *command]
    with start(argv) as target:
        port = int(target.line())
        assert ask(port, b"hello").startswith(b"pid ")
        assert ask(port, b"crash") == b""
        for _ in range(10):
            assert ask(port, b"hello").startswith(b"pid ")
        await_true(lambda: list(tmp_path.glob("*.pydump")))
        (path,) = tmp_path.glob("*.pydump")
        assert record(path, "header")["trigger"]["signal"] == "SIGSEGV"
        with harness.open_dump(path) as dump:
            frame = next(f for f in dump.threads[0].frames if f.name == "worker")
            assert frame.locals["request"] == b"crash"
        ask(port, b"end")
        assert target.wait() == 0


class Terminal:
    """A shell with job control on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.pid, self.fd = pty.fork()
        if not self.pid:
            # Ignored where the tests run in the background, and inherited.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
            os.chdir(folder)
            env = environment({"PS1": "$ ", "TERM": "dumb", "PYTHON_BASIC_REPL": "1"})
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], env)
        self.text = ""

    def expect(self, pattern: str) -> str:
        """What comes up to a match, which is given and taken away."""
        deadline = time.monotonic() + harness.PATIENCE
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {pattern!r} in {self.text!r}"
            self.text += os.read(self.fd, 65536).decode(errors="replace")
        text, self.text = self.text[: found.end()], self.text[found.end() :]
        return text

    def say(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if not shutil.which("bash"):
        pytest.skip("no bash, whose job control this is about")
    made = Terminal(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("short", ["3.8", "3.13"])
def test_job_control(short: str, terminal: Terminal, tmp_path: Path) -> None:
    """The interpreter's prompt under run: ^C, ^Z, fg, bg and a new size of the
    terminal are its own; an error at the prompt is no end."""
    python = packages.find(short).argv("-q")
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    t = terminal
    t.expect(r"\$ ")
    t.say(" ".join([str(PYDUMPD), "run", "--dir", str(dumps), "--", *python]) + "\n")
    t.expect(r">>> ")
    t.say("1/0\n")
    t.expect(r"ZeroDivisionError[^\n]*\n>>> ")
    t.say("import os, signal; os.getpgrp() == os.tcgetpgrp(0)\n")
    t.expect(r"True\r\n>>> ")
    # A loop, for a signal just before a call that waits is seen after it.
    t.say("exec('print(\"be\" + \"gin\", flush=True)\\nwhile 1: pass')\n")
    t.expect(r"begin\r\n")
    t.say("\x03")
    t.expect(r"KeyboardInterrupt\r?\n>>> ")
    t.say("_ = signal.signal(signal.SIGWINCH, lambda *_: print('size', 'new'))\n")
    t.expect(r">>> ")
    fcntl.ioctl(t.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    t.say("os.get_terminal_size(0).columns\n")
    assert "size new" in t.expect(r"77\r\n>>> ")
    for _ in range(2):
        t.say("\x1a")
        t.expect(r"Stopped.*\r\n\$ ")
        t.say("fg\n")
        t.expect(r"run.*\r\n")
        t.say("40 + 2\n")
        t.expect(r"\n42\r\n>>> ")
    t.say("def f():\n    g()\n\n")
    t.expect(r">>> ")
    t.say("f()\n")
    t.expect(r"NameError[^\n]*\n>>> ")
    assert [record(p, "header")["trigger"] for p in dumps.iterdir()] == []
    t.say("raise SystemExit(7)\n")
    t.expect(r"\$ ")
    t.say("echo status $?\n")
    t.expect(r"status 7\r\n")
    # In the background until it asks the terminal for input.
    code = "import sys; print(sys.stdin.readline().upper())"
    command = " ".join([str(PYDUMPD), "run", "--dir", str(dumps), "--", *python])
    t.say(f"{command} -c '{code}' &\n")
    t.expect(r"\$ ")
    t.say("while ! jobs | grep Stopped; do :; done; fg\n")
    t.expect(r"Stopped.*\r\n(?s:.*)run.*\r\n")
    t.say("hello\n")
    t.expect(r"HELLO")
    assert not list(dumps.iterdir())


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Path]:
    """A folder of nobody's; the binary and a program are beside it."""
    with tempfile.TemporaryDirectory(prefix="pyd") as made:
        top = Path(made)
        top.chmod(0o755)
        shutil.copy(PYDUMPD, top / "pydumpd")
        shutil.copy(TARGETS / "uncaught.py", top)
        folder = top / "own"
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        yield folder


def as_nobody(folder: Path, *args: str | Path) -> subprocess.CompletedProcess[str]:
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    argv += [str(folder.parent / "pydumpd"), *map(str, args)]
    return harness.pydumpd(*argv[1:], binary=argv[0], env=environment(), cwd=folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_without_rights(one: Interpreter, nobody: Path) -> None:
    """run works, for its child is its own; what does not says what would help."""
    python = Path("/usr/bin/python3")
    if not python.exists():
        pytest.skip("no interpreter that nobody may run")
    for way in ("in_main", "in_thread"):
        done = as_nobody(nobody, "run", *SMALL, "--", python, "../uncaught.py", way)
        assert done.stderr.count("to open it: pydumpd load") == 1, done.stderr
    assert len(list(nobody.glob("*.pydump"))) == 2
    with harness.start_code(one, "input()") as target:
        done = as_nobody(nobody, "watch", str(target.pid))
        assert done.returncode == 1 and "run as that user or as root" in done.stderr
        assert target.unharmed()
    done = as_nobody(nobody, "handler", f"--etc={nobody}", f"--dir={nobody}/d", "--install")
    assert done.returncode == 1 and "run as root" in done.stderr, done.stderr
    assert not list(nobody.rglob("handler.previous"))
