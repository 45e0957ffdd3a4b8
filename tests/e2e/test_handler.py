# SPDX-License-Identifier: Apache-2.0
"""pydumpd as the kernel's core_pattern: real crashes, handed to it by the kernel."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Iterator

import harness
import pytest
from core_pattern import core_pattern, set_pattern
from harness import pydumpd, record, start_code
from interpreters import Interpreter, discover

CRASH = """
import ctypes, sys, threading
ready = threading.Barrier(3)
def waits(number):
    mine = {"number": number}
    ready.wait()
    threading.Event().wait()
for n in range(2):
    threading.Thread(target=waits, args=(n,), daemon=True).start()
def crash(order):
    total = [order, order * 2]
    ready.wait()
    print("ready", flush=True)
    sys.stdin.readline()
    ctypes.string_at(8)
crash(21)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Installed:
    """The handler, with a folder of its own: for the kernel takes short paths."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.etc, self.dumps, self.options = folder / "etc", folder / "dumps", options
        self.binary = folder / "pydumpd"
        shutil.copy(harness.PYDUMPD, self.binary)
        self.etc.mkdir()

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        return pydumpd("handler", f"--etc={self.etc}", *args, binary=self.binary)

    def install(self) -> None:
        done = self.call("--install", f"--dir={self.dumps}", *self.options)
        assert done.returncode == 0, done.stderr

    def found(self, pid: int | None = None) -> list[Path]:
        """Its dumps; those of one process, for others on this machine crash too."""
        name = "*.pydump" if pid is None else f"*-{pid}-*.pydump"
        return sorted(self.dumps.glob(name))

    def log(self) -> str:
        path = self.dumps / "handler.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pyd") as folder:
        yield Path(folder)


@contextlib.contextmanager
def installed(*options: str, before: str = "") -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="pyd") as folder, core_pattern():
        set_pattern(before)
        handler = Installed(Path(folder), *options)
        handler.install()
        yield handler


def crash(interpreter: Interpreter, code: str = CRASH) -> int:
    """Runs it to its end, and gives the signal that it died of."""
    with start_code(interpreter, code) as target:
        assert target.line() == "ready"
        target.say("go")
        return -target.process.wait(harness.PATIENCE)


def crash_sleep(folder: Path, limit: int = resource.RLIM_INFINITY) -> int:
    """A crash that is not Python's, in a folder. Its pid."""
    child = subprocess.Popen(
        ["sleep", "600"],
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (limit, limit)),
    )
    child.send_signal(signal.SIGSEGV)
    assert child.wait(harness.PATIENCE) == -signal.SIGSEGV
    return child.pid


@needs_root
def test_every_version(interpreter: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    # Native stacks of every version are other tests' business, and slow.
    native = interpreter.version[:2] == (3, 11)
    with installed("--native=" + ("auto" if native else "off")) as handler:
        assert crash(interpreter) == signal.SIGSEGV
        assert len(handler.found()) == 1, handler.log()
        handler.found()[0].rename(path)
    assert path.stat().st_mode & 0o777 == 0o600
    header = record(path, "header")
    trigger = header["trigger"]
    assert trigger["kind"] == "signal" and trigger["signal"] == "SIGSEGV", trigger
    assert trigger["address"] == 8
    assert {"rip", "pc"} & set(trigger["registers"])
    with harness.open_dump(path) as dump:
        frame = next(f for t in dump.threads for f in t.frames if f.name == "crash")
        assert frame.locals["order"] == 21 and frame.locals["total"] == [21, 42]
        numbers = [
            f.locals["mine"]["number"] for t in dump.threads for f in t.frames if f.name == "waits"
        ]
        assert sorted(numbers) == [0, 1]
    shown = pydumpd("show", *["--native"] * native, path).stdout
    assert "SIGSEGV" in shown and "crash" in shown
    # Of the registers at the crash.
    assert not native or "libffi" in shown or "_ctypes" in shown


@needs_root
def test_others_go_on(one: Interpreter, tmp_path: Path) -> None:
    """To the program that was set before, with the arguments it asks for."""
    script, out = tmp_path / "before.sh", tmp_path / "out"
    script.write_text(f'#!/bin/sh\nhead -c 4 >{out}.head; echo "$@" $(wc -c) >{out}\n')
    script.chmod(0o755)
    with installed(before=f"|{script} %P %s %e") as handler:
        pid = crash_sleep(tmp_path)
        assert not handler.found(pid) and f"{pid} (sleep)" in handler.log()
        words = out.read_text().split()
        assert words[:3] == [str(pid), "11", "sleep"] and int(words[3]) > 10000
        assert Path(f"{out}.head").read_bytes() == b"\x7fELF"
        out.unlink()
        assert crash(one) == signal.SIGSEGV
        assert len(handler.found()) == 1 and not out.exists()


@needs_root
def test_pass_all(one: Interpreter, tmp_path: Path) -> None:
    """What was read of the core is handed on with the rest."""
    script, out = tmp_path / "before.sh", tmp_path / "core"
    script.write_text(f"#!/bin/sh\ncat >{out}\n")
    script.chmod(0o755)
    with installed("--pass=all", before=f"|{script}") as handler:
        assert crash(one) == signal.SIGSEGV
        assert len(handler.found()) == 1, handler.log()
    listed = subprocess.run(["readelf", "-nW", str(out)], capture_output=True, text=True)
    assert listed.returncode == 0 and listed.stdout.count("NT_PRSTATUS") == 3, listed.stdout
    assert "truncated" not in listed.stderr


@needs_root
def test_a_core_file_as_before(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    with installed(before="core.%p") as handler:
        pid = crash_sleep(folder)
        assert (folder / f"core.{pid}").read_bytes()[:4] == b"\x7fELF", handler.log()
        (folder / f"core.{pid}").unlink()
        crash_sleep(folder, 0)
        assert not list(folder.iterdir())


@needs_root
def test_limits(one: Interpreter) -> None:
    with installed("--keep=2", "--rate=4") as handler:
        seen: list[str] = []
        for number in range(3):
            assert crash(one) == signal.SIGSEGV
            names = [p.name for p in handler.found()]
            assert len(names) == min(number + 1, 2), handler.log()
            assert seen == [] or seen[-1] in names or number == 2
            seen += [n for n in names if n not in seen]
        assert seen[-1] in [p.name for p in handler.found()]
    # Dumps that are gone count; what is not Python does not.
    with installed("--rate=2", "--keep=1", "--pass=none") as handler:
        crash_sleep(handler.etc)
        for _ in range(3):
            assert crash(one) == signal.SIGSEGV
        assert len(handler.found()) == 1, handler.log()
        assert handler.log().count("signal 11: ") == 2
        assert handler.log().count("--rate allows") == 1
    with installed("--min-free=900T") as handler:
        assert crash(one) == signal.SIGSEGV
        assert not handler.found() and "--min-free" in handler.log()


@needs_root
def test_install_and_uninstall(home: Path) -> None:
    with core_pattern() as original:
        set_pattern("core.%p")
        handler = Installed(home, "--max-string=1000")
        assert handler.call("--status").returncode == 1
        done = handler.call("--uninstall")
        assert done.returncode == 1 and "nothing is installed" in done.stderr
        handler.install()
        handler.install()  # again: what was before stays known
        status = handler.call("--status")
        assert status.returncode == 0 and "core.%p" in status.stdout, status.stdout
        assert str(handler.dumps) in status.stdout
        sysctl = (handler.etc / "sysctl.d" / "60-pydumpd.conf").read_text()
        assert f"kernel.core_pattern={original.read()}\n" in sysctl
        done = handler.call("--uninstall")
        assert done.returncode == 0 and original.read() == "core.%p"
        assert sorted(p.name for p in handler.etc.iterdir()) == ["sysctl.d"]
        assert not list((handler.etc / "sysctl.d").iterdir())
        # Somebody else's pattern is not touched.
        handler.install()
        set_pattern("other.%p")
        assert handler.call("--status").returncode == 1
        assert handler.call("--uninstall").returncode == 0
        assert original.read() == "other.%p"


IN_A_CONTAINER = """mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
exec "$@"
"""
#: Not as nobody: test_watch_around.py.
WITHOUT_RIGHTS = {
    "read-only": ["unshare", "--mount", "sh", "-ec", IN_A_CONTAINER, "sh"],
    "namespace": ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    + ["unshare", "--map-root-user"],
}


@needs_root
@pytest.mark.parametrize("where", WITHOUT_RIGHTS)
def test_without_rights(where: str, home: Path) -> None:
    """Root is not enough in a container: what to do is told, and nothing done."""
    if subprocess.run([*WITHOUT_RIGHTS[where], "true"]).returncode:
        pytest.skip("no such namespace here")
    home.chmod(0o777)
    with core_pattern() as original:
        before = original.read()
        handler = Installed(home)
        home.chmod(0o755)
        argv = [*WITHOUT_RIGHTS[where], handler.binary, "handler", f"--etc={handler.etc}"]
        argv += ["--install", f"--dir={handler.dumps}"]
        done = pydumpd(*argv[1:], binary=argv[0], env={**os.environ, "HOME": str(home)})
        assert done.returncode == 1, done.stderr
        assert "core_pattern" in done.stderr and "as root on the host" in done.stderr, done.stderr
        assert original.read() == before
    assert not handler.dumps.exists() and not list(handler.etc.iterdir())


@needs_root
def test_nothing_half_installed(home: Path) -> None:
    """What cannot be written undoes what was."""
    limit = Path("/proc/sys/kernel/core_pipe_limit")
    with core_pattern() as original:
        before = original.read(), limit.read_text()
        handler = Installed(home)
        (handler.etc / "sysctl.d").write_text("no folder")
        done = handler.call("--install", f"--dir={handler.dumps}")
        assert done.returncode == 1 and "sysctl.d" in done.stderr, done.stderr
        assert (original.read(), limit.read_text()) == before
    assert not handler.dumps.exists()
    assert [p.name for p in handler.etc.iterdir()] == ["sysctl.d"]
    done = handler.call("--install", f"--etc={home}/none", f"--dir={handler.dumps}")
    assert done.returncode == 1 and "has to be there" in done.stderr, done.stderr
    assert not handler.dumps.exists()


@needs_root
def test_rules_that_do_not_parse(home: Path) -> None:
    """They are told at once, and not at a crash."""
    rules = home / "rules"
    rules.write_text("pattern x (\n")
    with core_pattern() as original:
        before = original.read()
        done = Installed(home).call("--install", f"--dir={home}/d", f"--redact={rules}")
        assert done.returncode == 2 and str(rules) in done.stderr
        done = pydumpd("handler", f"--etc={home}", "--install", "--redact=rules", cwd=home)
        assert done.returncode != 0 and original.read() == before


@needs_root
def test_a_program_that_others_can_change(tmp_path: Path) -> None:
    with core_pattern() as original:
        before = original.read()
        binary = tmp_path / "pydumpd"
        binary.write_bytes(Path(harness.PYDUMPD).read_bytes())
        binary.chmod(0o777)
        done = pydumpd("handler", f"--etc={tmp_path}", "--install", binary=binary)
        assert done.returncode == 1 and "others than root" in done.stderr
        assert original.read() == before


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["1", "2"],
        ["--install", "--uninstall"],
        ["--status", "1"],
        ["--install", "--dir", "here"],
        ["--pass=some", "--install"],
        ["--capture=stop", "--install"],
        ["--no-inject", "--install"],
        ["--max-pause=5", "--install"],
        ["1", "1", "11", "x", "1"],
    ],
    ids=" ".join,
)
def test_usage(args: list[str]) -> None:
    done = pydumpd("handler", "--etc=/nonexistent", *args)
    assert done.returncode == 2, done.stderr


HANGS = CRASH.replace("crash(21)", "held = [[n, str(n)] for n in range(1000000)]\ncrash(21)")


def dumping(handler: Installed, pid: int) -> int:
    """The process that dumps: the child of the one that the kernel started."""
    deadline = time.monotonic() + harness.PATIENCE
    while time.monotonic() < deadline:
        for path in handler.dumps.glob(f".*-{pid}-*.part"):
            for status in Path("/proc").glob("[0-9]*/status"):
                with contextlib.suppress(OSError):
                    fds = (status.parent / "fd").iterdir()
                    if any(os.readlink(fd) == str(path) for fd in fds):
                        return int(status.parent.name)
    raise AssertionError("nobody dumps: " + handler.log())


@needs_root
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGABRT])
def test_a_dump_that_does_not_end(one: Interpreter, how: int, tmp_path: Path) -> None:
    """The process ends, the crash is handed on, and nothing is left behind."""
    script, out = tmp_path / "before.sh", tmp_path / "out"
    # What the kernel starts has the signals that it should have.
    script.write_text(f"#!/bin/sh\ngrep SigIgn /proc/$$/status >{out}\n")
    script.chmod(0o755)
    # SIGKILL is no fault of ours, the others are.
    said = {signal.SIGKILL: "was killed", signal.SIGSTOP: "was ended"}.get(how, "itself died")
    options = "--deadline=3" if how == signal.SIGSTOP else "--deadline=100"
    with installed(options, before=f"|{script}") as handler:
        with start_code(one, HANGS) as target:
            assert target.line() == "ready"
            target.say("go")
            os.kill(dumping(handler, target.pid), how)
            assert target.process.wait(harness.PATIENCE) == -signal.SIGSEGV
        lines = [x for x in handler.log().splitlines() if f" {target.pid} (" in x]
        assert any(said in x for x in lines), handler.log()
        assert "passed on" in lines[-1]
        assert out.read_text().split() == ["SigIgn:", "0" * 16]
        assert not [p for p in handler.dumps.iterdir() if f"-{target.pid}-" in p.name]
        # It took its time, and so counts.
        assert (handler.dumps / "handler.recent").read_text()


@needs_root
@pytest.mark.parametrize("what", ["sleep 600", "cat >/dev/null; sleep 600"])
def test_a_previous_handler_that_hangs(what: str, tmp_path: Path) -> None:
    script, pid = tmp_path / "before.sh", tmp_path / "pid"
    script.write_text(f"#!/bin/sh\necho $$ >{pid}; {what}\n")
    script.chmod(0o755)
    with installed("--deadline=2", before=f"|{script}") as handler:
        crash_sleep(tmp_path)
        why = "does not end" if what.startswith("cat") else "reads nothing"
        assert f"{script}, which {why} for 2 s" in handler.log(), handler.log()
    # It is left alone.
    left = int(pid.read_text())
    children = Path(f"/proc/{left}/task/{left}/children").read_text().split()
    for number in (left, *map(int, children)):
        os.kill(number, signal.SIGKILL)


@needs_root
def test_in_namespaces(interpreter: Interpreter) -> None:
    """A container's process has other numbers and files than the handler sees."""
    if interpreter.version[:2] not in ((3, 9), (3, 13), (3, 15)) or not interpreter.root:
        pytest.skip("versions 3.9, 3.13 and 3.15 of another root are enough")
    code = "import os; print(os.getpid(), flush=True)" + CRASH
    argv = ["unshare", "-p", "-m", "-u", "-f", "--kill-child", *interpreter.argv("-c", code)]
    with installed("--native=all", before="/tmp/core.%p.%P.%e") as handler:
        with harness.start(argv, pid_of_child=True) as target:
            assert int(target.line()) < 10
            assert target.line() == "ready"
            pid = target.pid
            target.say("go")
            target.process.wait(harness.PATIENCE)
        assert len(handler.found(pid)) == 1, handler.log()
        path = handler.found(pid)[0]
        header = record(path, "header")
        assert header["process"]["pid"] == pid
        with harness.open_dump(path) as dump:
            thread = harness.thread_with(dump, "crash")
            assert thread.native.merged and thread.native_id == pid
            assert thread.native_id == header["trigger"]["thread"]
            assert [f.locals["order"] for f in thread.frames if f.name == "crash"] == [21]
            assert len(dump.threads) == 3


@needs_root
def test_a_core_file_below_its_root(tmp_path: Path) -> None:
    """Of a process in a container: named by its own numbers, in its own files."""
    root = next((i.root for i in discover() if i.root), None)
    if root is None:
        pytest.skip("there is no other root")
    shell = "ulimit -c unlimited; sh -c 'echo $$; kill -SEGV $$'; exit"
    argv = ["unshare", "-p", "-m", "-f", "chroot", root, "/bin/sh", "-c", shell]
    with installed(before="/tmp/core.%p.%e.%%p"):
        done = subprocess.run(argv, capture_output=True, text=True)
        number = int(done.stdout)
        core = Path(root) / "tmp" / f"core.{number}.sh.%p"
        assert number < 10 and core.read_bytes()[:4] == b"\x7fELF"
        core.unlink()


def test_systemd_unit(tmp_path: Path) -> None:
    """What systemd itself says of it, with the targets that it belongs to."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    folder = tmp_path / "etc" / "systemd" / "system"
    unit = folder / "pydumpd-handler.service"
    (folder / "sysinit.target.wants").mkdir(parents=True)
    (folder / "sysinit.target.wants" / unit.name).symlink_to(unit)
    text = (harness.TOP / "tools" / "systemd" / unit.name).read_text()
    unit.write_text(text.replace("@BINDIR@", str(Path(harness.PYDUMPD).parent)))
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit, "sysinit.target"],
        capture_output=True, text=True, env=env,
    )  # fmt: skip
    assert done.returncode == 0 and "pydumpd" not in done.stderr, done.stderr


NOISE = "import os\nnoise = [os.urandom(1000) for _ in range(4000)]\n"


@needs_root
@pytest.mark.parametrize("size", ["64k", "1m"])
def test_full_disk(one: Interpreter, size: str) -> None:
    """No dump, nothing left of one, a line that says why, and the same end; from
    the beginning, and when a good part has been written."""
    with installed("--min-free=1") as handler:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", handler.dumps], check=True
        )
        try:
            assert crash(one, NOISE + CRASH) == signal.SIGSEGV
            assert "No space left" in handler.log(), handler.log()
            names = sorted(p.name for p in handler.dumps.iterdir())
            assert names == ["handler.log", "handler.recent"]
        finally:
            subprocess.run(["umount", handler.dumps], check=True)
