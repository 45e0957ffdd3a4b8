# SPDX-License-Identifier: Apache-2.0
"""Options, names, messages and exit statuses; and every kind of bad input."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Iterator

import harness
import msgpack
import pytest
import zstandard
from harness import Target, attach, no_leftovers, pydumpd, record, start, start_code
from interpreters import Interpreter

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

HEAP = """
import random, sys
def filled():
    numbers = random.Random(1)
    rows = [{"id": i, "text": "%x" % numbers.getrandbits(200), "pair": (i, [i])}
            for i in range(int(sys.argv[1]))]
    print("ready", flush=True)
    sys.stdin.read()
    return rows
filled()
"""


@contextlib.contextmanager
def heap(one: Interpreter, rows: int = 50000) -> Iterator[Target]:
    """A process with rows dicts of text that does not compress."""
    with start_code(one, HEAP, str(rows)) as target:
        assert target.line() == "ready"
        yield target


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Failed with one line that says what happened, and nothing else."""
    lines = [x for x in done.stderr.splitlines() if x.strip()]
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert len(lines) == 1 and lines[0].startswith("pydumpd: "), done.stderr
    assert done.stdout == ""
    for word in words:
        assert re.search(word, lines[0], re.IGNORECASE), lines[0]


# -- what is asked for ---------------------------------------------------


def test_default_name(sleeper: Target, tmp_path: Path) -> None:
    done = pydumpd("attach", sleeper.pid, "--dir", tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    assert re.fullmatch(rf"python[\w.]*-{sleeper.pid}-\d{{8}}T\d{{6}}\.pydump", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sleeper.unharmed()


def test_default_directory_is_here(sleeper: Target, tmp_path: Path) -> None:
    done = pydumpd("attach", sleeper.pid, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*.pydump"))) == 1


def test_tells_what_it_took(sleeper: Target, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    told = attach(sleeper, path)
    end = record(path, "end")
    for what in ("thread", "frame", "object", "pause"):
        assert what in told
    assert str(end["objects"]) in re.sub(r"(?<=\d)[,' ](?=\d{3})", "", told)
    assert f"pydumpd load {path}" in told


def test_printed_command_is_quoted(sleeper: Target, tmp_path: Path) -> None:
    path = tmp_path / "a b'c.pydump"
    told = attach(sleeper, path)
    line = next(x for x in told.splitlines() if "pydumpd load" in x)
    command = line[line.index("pydumpd load") :]
    split = subprocess.run(
        ["sh", "-c", 'for a in "$@"; do :; done; eval "set -- $1"; printf %s "$3"', "sh", command],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert split.stdout == str(path)


def test_quiet_and_verbose(sleeper: Target, tmp_path: Path) -> None:
    assert attach(sleeper, tmp_path / "q", "-q") == ""
    assert len(attach(sleeper, tmp_path / "v", "-v")) > len(attach(sleeper, tmp_path / "n"))


def test_description(sleeper: Target, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    attach(sleeper, path, "--description", "why \u20ac")
    assert record(path, "header")["description"] == "why \u20ac"
    assert "why \u20ac" in pydumpd("show", path).stdout


@pytest.mark.parametrize("mode", ["copy", "stop", "live"])
def test_capture_mode(sleeper: Target, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "d.pydump"
    attach(sleeper, path, f"--capture={mode}")
    assert record(path, "header")["capture"]["mode"] == mode
    assert "<module>" in harness.frame_names(path)
    assert sleeper.unharmed()


def test_auto_capture_is_recorded(sleeper: Target, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    attach(sleeper, path, "--capture", "auto")
    header, end = record(path, "header"), record(path, "end")
    assert header["capture"]["mode"] in ("copy", "stop")
    assert 0 < end["pause_ns"] <= end["total_ns"]


def test_max_objects(one: Interpreter, tmp_path: Path) -> None:
    with heap(one) as target:
        attach(target, tmp_path / "few", "--max-objects", "1000")
        attach(target, tmp_path / "all")
    few, everything = record(tmp_path / "few", "end"), record(tmp_path / "all", "end")
    # The types of what was dumped come on top.
    assert 1000 <= few["objects"] <= 1200 and few["cut"]
    assert everything["objects"] > 150000 and not everything["cut"]
    assert record(tmp_path / "few", "header")["limits"]["max_objects"] == 1000


def test_max_bytes(one: Interpreter, tmp_path: Path) -> None:
    with heap(one) as target:
        attach(target, tmp_path / "d", "--max-bytes", "2M")
    end = record(tmp_path / "d", "end")
    assert end["bytes"] <= 2.2 * 2**20 and end["cut"]
    assert record(tmp_path / "d", "header")["limits"]["max_bytes"] == 2**21


def test_depth(sleeper: Target, tmp_path: Path) -> None:
    counts = []
    for depth in ("1", "3", "100"):
        attach(sleeper, tmp_path / depth, "--depth", depth)
        counts.append(record(tmp_path / depth, "end")["objects"])
    assert counts[0] < counts[1] < counts[2]


def test_no_globals(sleeper: Target, tmp_path: Path) -> None:
    attach(sleeper, tmp_path / "without", "--no-globals")
    attach(sleeper, tmp_path / "with")
    assert record(tmp_path / "without", "header")["limits"]["globals"] is False
    without, all_of_it = (record(tmp_path / n, "end")["objects"] for n in ("without", "with"))
    assert without < all_of_it


def test_max_string(one: Interpreter, tmp_path: Path) -> None:
    code = "import sys; text = 'abc' * 5000; print('ready', flush=True); sys.stdin.read()"
    with start_code(one, code) as target:
        target.line()
        attach(target, tmp_path / "d", "--max-string", "100")
    marks = [
        m
        for r in harness.records(tmp_path / "d")
        if r["kind"] == "objects"
        for m in r.get("marks", [])
    ]
    assert any(m["mark"] == 4 and m.get("total") == 15000 for m in marks)


def test_timeout(one: Interpreter, tmp_path: Path) -> None:
    with heap(one, 300000) as target:
        attach(target, tmp_path / "d", "--timeout", "0.2")
        assert target.unharmed()
    assert record(tmp_path / "d", "end")["timeout"] is True
    assert "filled" in harness.frame_names(tmp_path / "d")


def test_threads_of_a_thread_id(one: Interpreter, tmp_path: Path) -> None:
    """A thread's id names its process, or is refused with the process's id."""
    code = """
import sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
    with start_code(one, code) as target:
        target.line()
        tid = max(int(t) for t in os.listdir(f"/proc/{target.pid}/task"))
        done = pydumpd("attach", tid, "-o", tmp_path / "d")
        if done.returncode:
            refused(done, str(target.pid))
        else:
            assert record(tmp_path / "d", "header")["process"]["pid"] == target.pid


# -- usage ---------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["attach"],
        ["attach", "abc"],
        ["attach", "-5"],
        ["attach", "0"],
        ["attach", "99999999999999999999"],
        ["attach", "1", "2"],
        ["attach", "1", "--no-such-option"],
        ["attach", "1", "--depth", "deep"],
        ["attach", "1", "--max-bytes", "12Q"],
        ["attach", "1", "--timeout", "-1"],
        ["attach", "1", "--capture=magic"],
        ["attach", "1", "-o"],
        ["core", "core", "--capture=stop"],
        ["core", "core", "--max-pause=5"],
        ["show"],
        ["peek"],
        ["doctor"],
        ["doctor", "x"],
        ["load"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_usage_errors(args: list[str]) -> None:
    done = pydumpd(*args)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.strip() and done.stdout == ""


COMMANDS = ["run", "watch", "attach", "core", "handler", "load", "peek", "show", "ps", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str) -> None:
    done = pydumpd(command, "--help")
    assert done.returncode == 0 and f"pydumpd {command}" in done.stdout
    assert ("--capture=MODE" in done.stdout) == (command in ("attach", "run", "watch"))


def test_itself() -> None:
    """Through exec, so that its process id is known before."""
    for command, status in (("attach", 1), ("doctor", 1), ("watch", 2)):
        argv = ["sh", "-c", 'exec "$0" "$1" $$', str(harness.PYDUMPD), command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == status
        assert "is pydumpd itself" in done.stdout + done.stderr


def test_version_and_help() -> None:
    assert re.fullmatch(r"pydumpd \d+\.\d+\.\d+\n", pydumpd("--version").stdout)
    assert "attach" in pydumpd("--help").stdout


# -- bad input -----------------------------------------------------------


def unused_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def test_no_such_process(tmp_path: Path) -> None:
    pid = unused_pid()
    refused(pydumpd("attach", pid, "--dir", tmp_path), str(pid), "no such process|not exist")
    assert no_leftovers(tmp_path)


def test_not_python(tmp_path: Path) -> None:
    with start(["sleep", "600"]) as target:
        done = pydumpd("attach", target.pid, "--dir", tmp_path)
        refused(done, str(target.pid), "python")
        assert "pydumpd ps" in done.stderr
        assert target.unharmed()
    assert no_leftovers(tmp_path)


def test_zombie(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        refused(pydumpd("attach", child.pid, "--dir", tmp_path), str(child.pid), "zombie|ended")
    finally:
        child.wait()
    assert no_leftovers(tmp_path)


TRACER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 2 + [ctypes.c_void_p] * 2
SEIZE = 0x4206
sys.exit(1) if libc.ptrace(SEIZE, int(sys.argv[1]), None, None) else None
print("ready", flush=True)
sys.stdin.read()
"""


def test_already_traced(one: Interpreter, sleeper: Target, tmp_path: Path) -> None:
    with start_code(one, TRACER, str(sleeper.pid)) as tracer:
        assert tracer.line() == "ready"
        done = pydumpd("attach", sleeper.pid, "--dir", tmp_path, "--capture=copy")
        refused(done, "traced", str(tracer.pid))
        assert no_leftovers(tmp_path)
    attach(sleeper, tmp_path / "after.pydump")


def as_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


@pytest.fixture
def public() -> Iterator[tuple[Path, Path]]:
    """The binary where every user can run it, and a folder of nobody's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    binary = folder / "pydumpd"
    shutil.copy(harness.PYDUMPD, binary)
    binary.chmod(0o755)
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    yield binary, folder / "out"
    shutil.rmtree(folder)


@needs_root
def test_process_of_another_user(sleeper: Target, public: tuple[Path, Path]) -> None:
    binary, out = public
    done = pydumpd(
        "attach", sleeper.pid, "--dir", out, binary=binary, preexec_fn=as_nobody, cwd="/"
    )
    refused(done, str(sleeper.pid), "permitted|user|root")
    assert no_leftovers(out) and sleeper.unharmed()
    told = pydumpd("doctor", sleeper.pid, binary=binary, preexec_fn=as_nobody, cwd="/")
    assert told.returncode == 1
    assert re.search("root|user|sudo", told.stdout + told.stderr)


@needs_root
def test_unwritable_directory(public: tuple[Path, Path]) -> None:
    binary, out = public
    python = "/usr/bin/python3"
    if not os.path.exists(python):
        pytest.skip("no Python that every user can run")
    out.chmod(0o555)
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    with start([python, "-c", code], preexec_fn=as_nobody, cwd="/") as target:
        target.line()
        done = pydumpd(
            "attach", target.pid, "--dir", out, binary=binary, preexec_fn=as_nobody, cwd="/"
        )
        refused(done, str(out), "permission denied")
        assert target.unharmed()
    out.chmod(0o777)
    assert no_leftovers(out)


@pytest.mark.parametrize("where", ["missing/d.pydump", "file/d.pydump"])
def test_no_such_directory(sleeper: Target, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    refused(pydumpd("attach", sleeper.pid, "-o", tmp_path / where), where.split("/")[0])
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_never_overwrites(sleeper: Target, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    path.write_text("mine")
    refused(pydumpd("attach", sleeper.pid, "-o", path), "exist")
    assert path.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


@needs_root
def test_no_space(one: Interpreter, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("cannot mount")
    try:
        with heap(one) as target:
            refused(pydumpd("attach", target.pid, "--dir", small), "space")
            assert target.unharmed()
        assert no_leftovers(small)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_file_size_limit(one: Interpreter, tmp_path: Path) -> None:
    """SIGXFSZ must not kill it half way."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 17, 1 << 17))

    with heap(one) as target:
        done = pydumpd("attach", target.pid, "--dir", tmp_path, preexec_fn=limit)
        refused(done, "too large|limit")
        assert target.unharmed()
    assert no_leftovers(tmp_path)


@pytest.mark.slow
def test_process_exits_meanwhile(one: Interpreter, tmp_path: Path) -> None:
    """Whatever the moment: a whole dump, or one line and no file."""
    seen = set()
    moments = random.Random(7)
    for number in range(40):
        path = tmp_path / f"{number}.pydump"
        with heap(one, 20000) as target:
            dumper = subprocess.Popen(
                [str(harness.PYDUMPD), "attach", str(target.pid), "-o", str(path)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            time.sleep(moments.uniform(0, 0.12))
            target.process.kill()
            out, err = dumper.communicate(timeout=harness.PATIENCE)
        assert dumper.returncode in (0, 1), err
        seen.add(dumper.returncode)
        if dumper.returncode == 0:
            assert record(path, "end")["complete"]
            path.unlink()
        else:
            refused(subprocess.CompletedProcess([], 1, out, err))
        assert no_leftovers(tmp_path)
    assert 1 in seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_interrupted(one: Interpreter, tmp_path: Path, number: int) -> None:
    with heap(one, 300000) as target:
        dumper = subprocess.Popen(
            [str(harness.PYDUMPD), "attach", str(target.pid), "--dir", str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # In the background of a script SIGINT is to be ignored.
            preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
        )
        time.sleep(0.25)
        dumper.send_signal(number)
        out, err = dumper.communicate(timeout=harness.PATIENCE)
        refused(subprocess.CompletedProcess([], dumper.returncode, out, err), "interrupt")
        assert target.unharmed()
    assert no_leftovers(tmp_path)


CHURN = """
import threading
print("ready", flush=True)
while True:
    threads = [threading.Thread(target=int) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def test_started_by_who_ignores_children(one: Interpreter, tmp_path: Path) -> None:
    """Threads end while they are traced, and have to be waited for."""
    with start(one.argv("-c", CHURN)) as target:
        assert target.line() == "ready"
        for i in range(4):
            mode = f"--capture={'fork' if i % 2 else 'copy'}"
            done = pydumpd(
                *("attach", target.pid, "-o", tmp_path / f"{i}", "--native=off", mode),
                preexec_fn=harness.ignore_children,
            )
            assert done.returncode == 0, done.stderr
            assert (tmp_path / f"{i}").exists() and not target.children()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["INT", "HUP"])
def test_ignored_signals_stay_so(one: Interpreter, tmp_path: Path, number: int) -> None:
    """As nohup has it, and the shell in the background."""
    path = tmp_path / "x"
    with heap(one, 300000) as target:
        dumper = subprocess.Popen(
            [str(harness.PYDUMPD), "attach", str(target.pid), "-q", "-o", str(path)],
            preexec_fn=lambda: signal.signal(number, signal.SIG_IGN),
        )
        while dumper.poll() is None:
            dumper.send_signal(number)
            time.sleep(0.02)
        assert dumper.returncode == 0 and path.exists()


FAKE = """
#include <unistd.h>
#include <stdio.h>
/* What a Python of the far future shows first: a cookie and its version. */
__attribute__((aligned(16))) struct {
	char cookie[8];
	unsigned long long version, free_threaded;
	char rest[4096];
} _PyRuntime = { "xdebugpy", 0x036300f0, 0, "" };
const unsigned long Py_Version = 0x036300f0;
int main(void)
{
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
"""


def test_unknown_version(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program, out = tmp_path / "python3.99", tmp_path / "out"
    out.mkdir()
    subprocess.run(
        [compiler, "-rdynamic", "-x", "c", "-", "-o", str(program)],
        input=FAKE.encode(),
        check=True,
    )
    with start([str(program)]) as target:
        assert target.line() == "ready"
        refused(pydumpd("attach", target.pid, "--dir", out), r"3\.99")
        told = pydumpd("doctor", target.pid)
        assert told.returncode == 1 and "3.99" in told.stdout + told.stderr
        assert target.unharmed()
    assert no_leftovers(out)


# -- bad dumps -----------------------------------------------------------


def pack(*maps: dict[str, object]) -> bytes:
    compressor = zstandard.ZstdCompressor(write_checksum=True, write_content_size=True)
    return b"".join(compressor.compress(msgpack.packb(m)) for m in maps)


HEADER = {"kind": "header", "magic": "pydump", "format": 1, "oldest_reader": 1}
BAD = {
    "empty": (b"", "empty"),
    "text": (b"this is no dump at all\n" * 20, "not a (pydumpd )?dump"),
    "random": (bytes(random.Random(1).choices(range(256), k=5000)), "not a (pydumpd )?dump"),
    "zeros": (bytes(5000), "not a (pydumpd )?dump"),
    "other zstd": (pack({"kind": "other"}), "not a (pydumpd )?dump|header"),
    "newer": (
        pack({**HEADER, "format": 99, "oldest_reader": 98}),
        "newer|98",
    ),
    "cut header": (pack({**HEADER, "argv": ["x" * 100]})[:-20], "."),
    "wrong types": (pack({**HEADER, "format": "one"}, {"kind": 5}), "."),
}


@pytest.mark.parametrize("command", ["show", "peek", "load"])
@pytest.mark.parametrize("name", BAD)
def test_bad_dump(tmp_path: Path, command: str, name: str) -> None:
    content, words = BAD[name]
    path = tmp_path / "bad.pydump"
    path.write_bytes(content)
    done = pydumpd(command, path)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    lines = [x for x in done.stderr.splitlines() if x.strip()]
    assert len(lines) == 1 and "bad.pydump" in lines[0], done.stderr
    assert re.search(words, lines[0], re.IGNORECASE), lines[0]


@pytest.mark.parametrize("command", ["show", "peek", "load"])
def test_missing_dump(tmp_path: Path, command: str) -> None:
    done = pydumpd(command, tmp_path / "none.pydump")
    assert done.returncode == 1 and "none.pydump" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_peek_at_a_folder(sleeper: Target, tmp_path: Path) -> None:
    attach(sleeper, tmp_path / "one.pydump")
    attach(sleeper, tmp_path / "two.pydump", "--description", "the second")
    done = pydumpd("peek", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) >= 2
    for word in ("one.pydump", "two.pydump", str(sleeper.pid)):
        assert word in done.stdout


def test_show_json(sleeper: Target, tmp_path: Path) -> None:
    import json

    attach(sleeper, tmp_path / "d.pydump")
    shown = json.loads(pydumpd("show", "--json", tmp_path / "d.pydump").stdout)
    assert shown["header"]["process"]["pid"] == sleeper.pid
    (thread,) = shown["threads"]
    assert thread["frames"][0]["name"] == "<module>"


def test_ps(sleeper: Target, one: Interpreter) -> None:
    done = pydumpd("ps")
    assert done.returncode == 0, done.stderr
    line = next(x for x in done.stdout.splitlines() if re.search(rf"\b{sleeper.pid}\b", x))
    assert ".".join(map(str, one.version)) in line


def test_doctor(sleeper: Target, one: Interpreter) -> None:
    done = pydumpd("doctor", sleeper.pid)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ".".join(map(str, one.version)) in done.stdout
    assert f"cpython-{one.version[0]}.{one.version[1]}" in done.stdout
    assert sleeper.unharmed()


def test_doctor_not_python() -> None:
    with start(["sleep", "600"]) as target:
        done = pydumpd("doctor", target.pid)
        assert done.returncode == 1 and "ython" in done.stdout + done.stderr
