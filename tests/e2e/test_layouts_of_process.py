# SPDX-License-Identifier: Apache-2.0
"""Wherever and however the interpreter lies: on disk, in memory, in a namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import harness
import pytest
from harness import TARGETS, Target, attach, open_dump, record, start, thread_with
from interpreters import Interpreter, discover

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
HERE = [i for i in discover() if i.root is None]


def mapped_libpython(interpreter: Interpreter) -> Path | None:
    """The shared library that an interpreter runs from, or None."""
    code = "import os; print(open('/proc/self/maps').read())"
    maps = subprocess.run(
        interpreter.argv("-c", code), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    paths = {line.split(None, 5)[5] for line in maps.splitlines() if "/libpython" in line}
    return Path(paths.pop()) if paths else None


SHARED = [(i, lib) for i in HERE if (lib := mapped_libpython(i))]
STATIC = [i for i in HERE if i not in [s[0] for s in SHARED]]


def check(target: Target, path: Path, pid: int | None = None) -> None:
    """Dumps a tests/targets/simple.py and compares what it told."""
    told = target.json()
    attach(pid or target.pid, path)
    with open_dump(path) as dump:
        frame = thread_with(dump, "hold_simple").frames[0]
        assert frame.name == "hold_simple"
        assert frame.locals["marker"] == ["simple", {"n": 1}]
        assert frame.locals.address("marker") == told["id"]
    target.close_input()
    assert target.line() == "bye"
    assert target.wait() == 0


class Copy:
    """An interpreter's files where a test may do to them what it likes."""

    def __init__(self, interpreter: Interpreter, folder: Path) -> None:
        self.interpreter = interpreter
        self.program = folder / "bin" / "some-program"
        self.library: Path | None = None
        self.program.parent.mkdir(parents=True)
        real = os.path.realpath(interpreter.path)
        shutil.copy(real, self.program)
        self.env = {"PYTHONHOME": interpreter.prefix}
        library = mapped_libpython(interpreter)
        if library is not None:
            self.library = folder / "lib" / library.name
            self.library.parent.mkdir()
            shutil.copy(library, self.library)
            self.env["LD_LIBRARY_PATH"] = str(self.library.parent)

    def files(self) -> list[Path]:
        return [self.program, *([self.library] if self.library else [])]

    def start(self) -> Target:
        return Target([str(self.program), str(TARGETS / "simple.py")], env=self.env)


def each(interpreters: list[Interpreter]) -> pytest.MarkDecorator:
    """Releases and debug builds once a version, the first that is here."""
    chosen = {i.short: i for i in reversed(interpreters)}
    values = list(chosen.values())[::-1]
    return pytest.mark.parametrize("which", values, ids=[i.key for i in values])


@each(STATIC)
def test_static_executable(which: Interpreter, tmp_path: Path) -> None:
    with start(which.argv(str(TARGETS / "simple.py"))) as target:
        check(target, tmp_path / "d")


@each([i for i, _ in SHARED])
def test_shared_library(which: Interpreter, tmp_path: Path) -> None:
    with start(which.argv(str(TARGETS / "simple.py"))) as target:
        check(target, tmp_path / "d")


def copied(copy: Copy, path: Path, change: object = None) -> None:
    target = copy.start()
    try:
        if change is not None:
            # Ready means that everything is mapped.
            first = target.line()
            change()  # type: ignore[operator]
            target.pending = (first + "\n").encode() + target.pending
        check(target, path)
    finally:
        target.end()


@each(HERE)
def test_stripped(which: Interpreter, tmp_path: Path) -> None:
    """Without a symbol table or debug information."""
    if shutil.which("strip") is None:
        pytest.skip("no strip")
    copy = Copy(which, tmp_path / "copy")
    for file in copy.files():
        file.chmod(0o755)
        subprocess.run(["strip", "-s", str(file)], check=True)
    copied(copy, tmp_path / "d")


@each(HERE)
def test_renamed(which: Interpreter, tmp_path: Path) -> None:
    """Started under a name without "python", renamed while it runs."""
    copy = Copy(which, tmp_path / "copy")

    def rename() -> None:
        for file in copy.files():
            file.rename(file.with_name(f"other-{file.name}.bak"))

    copied(copy, tmp_path / "d", rename)


@each(HERE)
def test_deleted(which: Interpreter, tmp_path: Path) -> None:
    copy = Copy(which, tmp_path / "copy")

    def delete() -> None:
        for file in copy.files():
            file.unlink()

    copied(copy, tmp_path / "d", delete)


@each(HERE)
def test_replaced(which: Interpreter, tmp_path: Path) -> None:
    """As an upgrade does it: another file now has its name."""
    copy = Copy(which, tmp_path / "copy")

    def replace() -> None:
        for file in copy.files():
            new = file.with_suffix(".new")
            shutil.copy("/bin/sh", new)
            new.rename(file)

    copied(copy, tmp_path / "d", replace)


@each([i for i, _ in SHARED])
def test_two_libpythons(which: Interpreter, tmp_path: Path) -> None:
    """A second, unused copy of the library is mapped as well."""
    library = mapped_libpython(which)
    assert library is not None
    other = tmp_path / f"a-{library.name}"
    shutil.copy(library, other)
    with start(which.argv(str(TARGETS / "simple.py"), "dlopen", str(other))) as target:
        check(target, tmp_path / "d")


@each(HERE)
def test_two_of_static(which: Interpreter, tmp_path: Path) -> None:
    """Some other version's library is mapped as well."""
    others = [lib for i, lib in SHARED if i.version[:2] != which.version[:2]]
    if not others:
        pytest.skip("no library of another version")
    with start(which.argv(str(TARGETS / "simple.py"), "dlopen", str(others[-1]))) as target:
        check(target, tmp_path / "d")


@needs_root
def test_other_namespaces(one: Interpreter, tmp_path: Path) -> None:
    """Another mount and PID namespace: its own ids are others."""
    unshare = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run([*unshare, "true"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("cannot unshare")
    argv = [*unshare, *one.argv(str(TARGETS / "simple.py"))]
    with start(argv, pid_of_child=True) as target:
        told = target.line()
        pid = target.pid
        inside = json.loads(told)["pid"]
        assert inside != pid
        target.pending = told.encode() + b"\n" + target.pending
        check(target, tmp_path / "d", pid)
    process = record(tmp_path / "d", "header")["process"]
    assert process["pid"] == pid and process["ns_pids"][-1] == inside
    (thread,) = record(tmp_path / "d", "threads")["threads"]
    assert thread["native_id"] == pid
    if one.version >= (3, 8):
        assert thread["ns_native_id"] == inside


@needs_root
def test_hidden_files(one: Interpreter, tmp_path: Path) -> None:
    """Its files are not where its paths say, seen from here."""
    copy = Copy(one, tmp_path / "copy")
    inner = tmp_path / "copy"
    source = os.open(inner, os.O_RDONLY)
    script = (
        f"mount -t tmpfs none {tmp_path} && mkdir -p {inner} && "
        f"cp -r /proc/self/fd/{source}/. {inner}/ && exec {copy.program} {TARGETS}/simple.py"
    )
    outside = tmp_path.with_name(tmp_path.name + "-out")
    outside.mkdir()
    try:
        argv = ["unshare", "--mount", "sh", "-c", script]
        with start(argv, env=copy.env, pass_fds=[source]) as target:
            first = target.line()
            shutil.rmtree(inner)
            target.pending = first.encode() + b"\n" + target.pending
            check(target, outside / "d")
    finally:
        os.close(source)


@each([i for i in HERE if (3, 8) <= i.version])
def test_subinterpreter(which: Interpreter, tmp_path: Path) -> None:
    with start(which.argv(str(TARGETS / "simple.py"), "subinterpreter")) as target:
        check(target, tmp_path / "d")
    with open_dump(tmp_path / "d") as dump:
        assert len(dump.interpreters) == 2
        assert [i["main"] for i in dump.interpreters].count(True) == 1
        assert dump.threads[0].name == "MainThread"
        thread = thread_with(dump, "in_subinterpreter")
        frame = next(f for f in thread.frames if f.name == "in_subinterpreter")
        assert frame.locals["marker"] == ["sub", 2]
        other = next(i for i in dump.interpreters if not i["main"])
        assert thread.interpreter == other["id"]
        assert harness.pydumpd("show", tmp_path / "d").returncode == 0
