# SPDX-License-Identifier: Apache-2.0
"""Where a dump goes and how it is compressed: standard output, levels."""

from __future__ import annotations

import os
import platform
import pty
import re
import subprocess
import time
from pathlib import Path

import harness
import pytest
from harness import Target, attach, pydumpd, record, start_code
from interpreters import Interpreter
from test_attach_cli import heap
from test_secrets import raw

# The name of its function turns out to be a secret only when all objects have
# been looked at, long after the frames were written.
LATE = """
import sys
SECRET = "zq81kfr7deploykey"
space = {"sys": sys}
exec("def %s(settings):\\n    print('ready', flush=True)\\n    sys.stdin.read()" % SECRET, space)
space[SECRET]([[{"password": SECRET}]])
"""


def to_stdout(target: Target, path: Path, *args: str, **options: object) -> str:
    """Dumps to a pipe, whose bytes become path; gives what the tool said."""
    done = subprocess.run(
        [str(harness.PYDUMPD), "attach", str(target.pid), "-o", "-", *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=harness.PATIENCE,
        **options,
    )
    assert done.returncode == 0, done.stderr
    path.write_bytes(done.stdout)
    return done.stderr.decode()


@pytest.mark.parametrize("options", [[], ["--no-redact"], ["--capture=stop"]], ids=" ".join)
def test_standard_output(sleeper: Target, tmp_path: Path, options: list[str]) -> None:
    attach(sleeper, tmp_path / "file", *options)
    said = to_stdout(sleeper, tmp_path / "pipe", *options)
    assert "objects" in said and "pydumpd load" not in said
    peek = pydumpd("peek", tmp_path / "pipe").stdout
    assert "complete" in peek and "incomplete" not in peek
    ends = [record(tmp_path / name, "end") for name in ("file", "pipe")]
    assert ends[0]["objects"] == ends[1]["objects"] > 1000
    assert harness.frame_names(tmp_path / "pipe") == harness.frame_names(tmp_path / "file")
    assert sleeper.unharmed()


def test_closed_streams(sleeper: Target, tmp_path: Path) -> None:
    """No message goes to a file that is opened in the place of one."""
    path = tmp_path / "dump"
    script = 'exec "$@" <&- >&- 2>&-'
    attach_it = [str(harness.PYDUMPD), "attach", "-v", str(sleeper.pid), "-o", str(path)]
    done = pydumpd("-c", script, "sh", *attach_it, binary="sh")
    assert done.returncode == 0 and sleeper.unharmed()
    assert record(path, "end")["complete"] and pydumpd("peek", path).returncode == 0
    look = ["sh", "-c", "[ ! -e /proc/self/fd/0 ] && [ ! -e /proc/self/fd/2 ]"]
    full = [str(harness.PYDUMPD), "run", "--", *look]
    done = pydumpd("-c", 'exec "$@" <&- 2>&-', "sh", *full, binary="sh", cwd=tmp_path)
    assert done.returncode == 0, "the program has them closed, too"


def test_nothing_is_taken_back(one: Interpreter, tmp_path: Path) -> None:
    """What went to a pipe is gone: no secret may be in it, found when ever."""
    with start_code(one, LATE) as target:
        assert target.line() == "ready"
        secret = b"zq81kfr7deploykey"
        to_stdout(target, tmp_path / "kept", "--no-redact")
        to_stdout(target, tmp_path / "masked")
        attach(target, tmp_path / "file")
    assert secret in raw(tmp_path / "kept")
    for name in ("masked", "file"):
        assert secret not in raw(tmp_path / name), name
        assert "settings" in pydumpd("show", tmp_path / name).stdout


def test_without_a_disk(sleeper: Target, tmp_path: Path) -> None:
    """What has to wait is kept in memory where no file can be made."""
    missing = str(tmp_path / "missing")
    to_stdout(sleeper, tmp_path / "d", env={**os.environ, "TMPDIR": missing})
    assert record(tmp_path / "d", "end")["objects"] > 1000


def test_reader_ends_early(sleeper: Target) -> None:
    dumper = subprocess.Popen(
        [str(harness.PYDUMPD), "attach", str(sleeper.pid), "-o", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert dumper.stdout and dumper.stderr
    dumper.stdout.close()
    said = dumper.stderr.read().decode()
    assert dumper.wait(harness.PATIENCE) == 1
    assert said.count("\n") == 1 and "standard output" in said and "ended" in said, said
    assert sleeper.unharmed()


def test_full_output(sleeper: Target) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [str(harness.PYDUMPD), "attach", str(sleeper.pid), "-o", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=harness.PATIENCE,
        )
    assert done.returncode == 1 and b"No space left" in done.stderr, done.stderr
    assert sleeper.unharmed()


def test_closed_output(sleeper: Target) -> None:
    """Not a matter of space."""
    dumper = [str(harness.PYDUMPD), "attach", str(sleeper.pid), "-o", "-"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *dumper],
        stderr=subprocess.PIPE,
        timeout=harness.PATIENCE,
    )
    assert done.returncode == 1 and b"closed; name a file with -o" in done.stderr, done.stderr
    assert sleeper.unharmed()


def test_no_terminal_gets_a_dump(sleeper: Target) -> None:
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [str(harness.PYDUMPD), "attach", str(sleeper.pid), "-o", "-"],
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=harness.PATIENCE,
        )
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 2 and b"terminal" in done.stderr


def test_levels(sleeper: Target, tmp_path: Path) -> None:
    sizes, texts = {}, {}
    for level in (1, 6, 19):
        path = tmp_path / str(level)
        attach(sleeper, path, "--compress", str(level))
        sizes[level] = path.stat().st_size
        texts[level] = pydumpd("show", "--no-locals", path).stdout.split("\n\n", 1)[1]
    assert sizes[19] < sizes[6] < sizes[1], sizes
    assert texts[1] == texts[6] == texts[19]


def test_progress(one: Interpreter) -> None:
    """On a terminal, once it takes more than a second: here, since nobody
    takes what it writes."""
    ours, theirs = pty.openpty()
    with heap(one) as target:
        dumper = subprocess.Popen(
            [str(harness.PYDUMPD), "attach", str(target.pid), "-o", "-", "--no-redact"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        time.sleep(1.1)  # no less; more does not matter
        assert dumper.stdout
        while dumper.stdout.read(1 << 20):
            pass
        assert dumper.wait(harness.PATIENCE) == 0
        said = os.read(ours, 1 << 16).decode()
        os.close(ours)
    shown = re.search(r"\r(pydumpd: \d+ objects, .*?)\x1b\[K", said)
    assert shown, said
    assert re.fullmatch(
        r"pydumpd: \d+ objects, [\d.]+ [kM]?B, [\d.]+( [kM])? objects/s, at most \d+ s left",
        shown[1],
    )
    assert len(shown[1]) < 80


@pytest.mark.parametrize("level", ["0", "20", "-1", "fast", "99999999999"])
def test_levels_that_are_none(level: str) -> None:
    done = pydumpd("attach", "1", f"--compress={level}")
    assert done.returncode == 2 and "--compress" in done.stderr


BUSY = """
import sys
# Nothing that packs well: the pipe is to be full early.
import random
numbers = random.Random(1)
rows = [{"i": i, "s": "%x" % numbers.getrandbits(160)} for i in range(100000)]
print("ready", flush=True)
for line in sys.stdin:
    print("runs", flush=True)
"""


def waits_to_write(pid: int) -> bool:
    """All its threads sleep, and one of them in write()."""
    calls = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            calls.append(Path(f"/proc/{pid}/task/{task}/syscall").read_text().split())
        except OSError:  # it has ended
            continue
    number = {"x86_64": "1", "aarch64": "64"}[platform.machine()]
    return all(c != ["running"] for c in calls) and any(c[:1] == [number] for c in calls)


@pytest.mark.parametrize("mode", ["copy", "fork"])
def test_a_pipe_that_nobody_reads(one: Interpreter, tmp_path: Path, mode: str) -> None:
    """The process runs while the dump waits, and the dumper does not grow."""
    with start_code(one, BUSY) as target:
        target.line()
        dumper = subprocess.Popen(
            [str(harness.PYDUMPD), "attach", str(target.pid), "-q", "-o", "-"]
            + [f"--capture={mode}"],
            stdout=subprocess.PIPE,
        )
        assert dumper.stdout
        first = os.read(dumper.stdout.fileno(), 4096)
        deadline = time.monotonic() + harness.PATIENCE
        while not waits_to_write(dumper.pid):
            assert dumper.poll() is None and time.monotonic() < deadline
            assert target.ask("") == "runs"
        assert target.ask("") == "runs"
        assert not set(target.task_states()) & set("tT")
        status = Path(f"/proc/{dumper.pid}/status").read_text()
        peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) >> 10
        copied = int(re.findall(r"RssAnon:\s+(\d+) kB", Path(
            f"/proc/{target.pid}/status").read_text())[0]) >> 10
        assert peak < 140 + (copied if mode == "copy" else 0)
        path = tmp_path / "d"
        path.write_bytes(first + dumper.stdout.read())
        assert dumper.wait() == 0
        assert target.unharmed()
    assert record(path, "header")["capture"]["mode"] == mode
    assert record(path, "end")["complete"]
    rows = harness.open_dump(path).threads[0].frames[-1].locals["rows"]
    assert len(rows) == 100000 and rows[-1]["i"] == 99999


def test_a_pause_that_is_bounded(one: Interpreter, tmp_path: Path) -> None:
    """In mode stop, while the output waits for ever: the process goes on."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    filled = 0
    try:
        while True:
            filled += os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    with start_code(one, BUSY) as target:
        target.line()
        argv = [str(harness.PYDUMPD), "attach", str(target.pid), "-o", "-", "--capture=stop"]
        dumper = subprocess.Popen(
            [*argv, "--max-pause=300"], stdout=write, stderr=subprocess.PIPE
        )
        os.close(write)
        deadline = time.monotonic() + harness.PATIENCE
        while not waits_to_write(dumper.pid):
            assert dumper.poll() is None and time.monotonic() < deadline
        # It answers, though nobody has read a byte.
        assert target.ask("") == "runs"
        assert dumper.poll() is None
        with open(read, "rb") as pipe:
            assert set(pipe.read(filled)) == {ord("x")}
            pipe.read()
        assert dumper.wait() == 1
        assert dumper.stderr
        said = dumper.stderr.read().decode()
        assert "the process went on after" in said and "--max-pause" in said
        assert target.unharmed()
        attach(target, tmp_path / "d", "--capture=stop", "--max-pause=100000", "--max-objects=9")
        refused = pydumpd("attach", target.pid, "--max-pause=0")
        assert refused.returncode == 2 and "milliseconds" in refused.stderr


def test_a_copy_that_takes_too_long(one: Interpreter, tmp_path: Path) -> None:
    with start_code(one, BUSY) as target:
        target.line()
        done = pydumpd(
            "attach", target.pid, "-o", tmp_path / "d", "--capture=copy", "--max-pause=0.001"
        )
        assert done.returncode == 1
        assert "--max-pause" in done.stderr
        assert not list(tmp_path.iterdir())
        assert target.unharmed()
        assert target.ask("") == "runs"
