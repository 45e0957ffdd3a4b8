# SPDX-License-Identifier: Apache-2.0
"""Starts target programs and the dumper, and ends only what it started."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

from interpreters import Interpreter, environment

TOP = Path(__file__).resolve().parents[2]
TARGETS = TOP / "tests" / "targets"
BUILD = Path(os.environ.get("PYDUMPD_BUILD") or TOP / "build").resolve()
PYDUMPD = Path(os.environ.get("PYDUMPD") or BUILD / "pydumpd").resolve()
# Sanitizers and shared machines are slow; nothing here is timed by it.
PATIENCE = float(os.environ.get("PYDUMPD_TEST_PATIENCE") or 120)

sys.path.insert(0, str(TOP / "tools" / "loader"))
sys.path.insert(0, str(TARGETS))


class Target:
    """A program under test; its standard input and output are pipes."""

    def __init__(
        self,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        pid_of_child: bool = False,
        **popen: Any,
    ) -> None:
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment(env),
            **popen,
        )
        self.pending = b""
        self.pid_of_child = pid_of_child
        self._pid: int | None = None

    @property
    def pid(self) -> int:
        """The program's; of unshare and its like it is the child."""
        if not self.pid_of_child:
            return self.process.pid
        if self._pid is None:
            path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            self._pid = int(Path(path).read_text().split()[0])
        return self._pid

    def line(self, patience: float = PATIENCE) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + patience
        chunks = [self.pending]
        while b"\n" not in chunks[-1]:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, left))
            chunk = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not chunk:
                what = "ended" if ready else "said nothing"
                raise AssertionError(f"target {what}:\n{self.stderr()[-4000:]}")
            chunks.append(chunk)
        text, self.pending = b"".join(chunks).split(b"\n", 1)
        return text.decode()

    def json(self) -> Any:
        return json.loads(self.line())

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, text: str) -> str:
        self.say(text)
        return self.line()

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait(self, patience: float = PATIENCE) -> int:
        """Its exit status; when it is not 0, also what it complained of."""
        status = self.process.wait(patience)
        if status:
            print(f"target's status {status}: {self.stderr()[-4000:]}")
        return status

    def stderr(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def task_states(self) -> list[str]:
        """The state letter of each of its threads."""
        states = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{self.pid}/task/{task}/stat").read_text()
                states.append(stat.rpartition(")")[2].split()[0])
        return states

    def children(self) -> list[int]:
        """Its child processes that have not ended; zombies are none."""
        found = []
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError):
                found += Path(f"/proc/{self.pid}/task/{task}/children").read_text().split()
        alive = []
        for child in found:
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{child}/stat").read_text()
                if stat.rpartition(")")[2].split()[0] not in "ZX":
                    alive.append(int(child))
        return alive

    def unharmed(self) -> bool:
        """It lives, nothing of it is stopped, and nobody traces it."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        tracer = next(x for x in status.splitlines() if x.startswith("TracerPid"))
        return (
            self.process.poll() is None
            and int(tracer.split()[1]) == 0
            and not set(self.task_states()) & set("tTZX")
        )

    def end(self) -> None:
        if self.process.poll() is None:
            # A child in another PID namespace ends with its parent.
            if self.pid_of_child:
                with contextlib.suppress(OSError, IndexError):
                    os.kill(self.pid, 9)
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError, AttributeError):
                stream.close()  # type: ignore[union-attr]


@contextlib.contextmanager
def start(argv: list[str], **options: Any) -> Iterator[Target]:
    target = Target(argv, **options)
    try:
        yield target
    finally:
        target.end()


@contextlib.contextmanager
def scripts(interpreter: Interpreter) -> Iterator[str]:
    """A folder, as the interpreter sees it, that holds tests/targets."""
    if interpreter.root is None:
        yield str(TARGETS)
        return
    inside = Path(interpreter.root) / "tmp"
    folder = tempfile.mkdtemp(prefix="pydumpd-test-", dir=inside)
    try:
        for script in TARGETS.glob("*.py"):
            shutil.copy(script, folder)
        yield f"/tmp/{Path(folder).name}"
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def start_script(
    interpreter: Interpreter, script: str, *args: str, **options: Any
) -> Iterator[Target]:
    """A program of tests/targets under an interpreter."""
    with scripts(interpreter) as folder:
        argv = interpreter.argv(f"{folder}/{script}", *args)
        with start(argv, **options) as target:
            yield target


@contextlib.contextmanager
def start_code(
    interpreter: Interpreter, code: str, *args: str, **options: Any
) -> Iterator[Target]:
    """Code given on the command line under an interpreter."""
    with start(interpreter.argv("-c", code, *args), **options) as target:
        yield target


def pydumpd(
    *args: str | Path, patience: float = PATIENCE, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Runs the tool to its end."""
    return subprocess.run(
        [str(options.pop("binary", PYDUMPD)), *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=patience,
        **options,
    )


def ignore_children() -> None:
    """As preexec_fn: like a parent that never waits, which is inherited."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def attach(target: Target | int, path: Path, *args: str | Path) -> str:
    """Dumps to path, which must succeed; gives what the tool printed."""
    pid = target if isinstance(target, int) else target.pid
    done = pydumpd("attach", pid, "-o", path, *args)
    assert done.returncode == 0, done.stderr + done.stdout
    assert path.is_file()
    return done.stdout + done.stderr


def no_leftovers(folder: Path) -> bool:
    """No partial or final file of a dump that failed."""
    return not any(folder.iterdir())


def records(path: Path) -> list[dict[str, Any]]:
    """The frames of a dump that are whole, as doc/FORMAT.md has them."""
    import msgpack
    import zstandard

    data = path.read_bytes()
    found, offset = [], 0
    while offset + 8 <= len(data):
        magic = int.from_bytes(data[offset : offset + 4], "little")
        if magic & 0xFFFFFFF0 == 0x184D2A50:
            offset += 8 + int.from_bytes(data[offset + 4 : offset + 8], "little")
            continue
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        try:
            raw = unpacker.decompress(data[offset:])
        except zstandard.ZstdError:
            break
        if not unpacker.eof:
            break
        found.append(msgpack.unpackb(raw, raw=False, strict_map_key=False))
        offset = len(data) - len(unpacker.unused_data)
    return found


def record(path: Path, kind: str) -> dict[str, Any]:
    return next(r for r in records(path) if r["kind"] == kind)


def frame_names(path: Path) -> list[str]:
    """Names of all frames of all threads."""
    return [
        f["name"] for r in records(path) if r["kind"] == "frames" for f in r["frames"]
    ]


def open_dump(path: Path) -> Any:
    """A dump as the loader of this tree opens it."""
    import pydumpd as loader

    return loader.open(str(path))


def thread_with(dump: Any, name: str) -> Any:
    """The first thread that has a frame of that name."""
    return next(t for t in dump.threads if any(f.name == name for f in t.frames))
