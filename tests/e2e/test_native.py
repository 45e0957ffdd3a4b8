# SPDX-License-Identifier: Apache-2.0
"""Native stacks: merged with the Python ones as the program knows it, and the
same as gdb has them of the same process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterator

import harness
import pytest
from harness import TARGETS, attach, open_dump, start_script
from interpreters import Interpreter

# All frames of all threads but those of inlined functions and of functions that
# ended in a jump to another: gdb infers them from debug information, the stack
# holds nothing of them.
GDB = """
import gdb, json
out = {}
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frames, frame = [], gdb.newest_frame()
    while frame is not None:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            frames.append([frame.pc(), frame.name()])
        frame = frame.older()
    out[thread.ptid[1]] = frames
print("FRAMES" + json.dumps(out))
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tests/targets/native.c, needing no C library."""
    path = tmp_path_factory.mktemp("native") / "libpydnative.so"
    subprocess.run(
        ["cc", "-g", "-O1", "-fPIC", "-shared", "-nostdlib", "-o", str(path),
         str(TARGETS / "native.c")],
        check=True,
    )  # fmt: skip
    return path


@contextlib.contextmanager
def placed(interpreter: Interpreter, library: Path) -> Iterator[str]:
    """The library where the interpreter sees it."""
    if interpreter.root is None:
        yield str(library)
        return
    inside = f"/tmp/libpydnative-{os.getpid()}.so"
    shutil.copy(library, interpreter.outside(inside))
    try:
        yield inside
    finally:
        interpreter.outside(inside).unlink()


def native(dump: Any) -> dict[int, Any]:
    return {s.native_id: s for s in dump.native_stacks}


def is_ours(frame: Any) -> bool:
    return "/libpydnative" in (getattr(frame, "module", None) or "")


def names(thread: Any) -> list[str]:
    """Python functions, and those of the library, as they are merged."""
    out = []
    for entry in thread.merged:
        if hasattr(entry, "lasti"):
            out.append(entry.name)
        elif is_ours(entry):
            out.append(entry.function)
    return out


def gdb_frames(interpreter: Interpreter, pid: int, folder: Path) -> dict[int, Any]:
    script = folder / "frames.py"
    script.write_text(GDB)
    root = []
    if interpreter.root:
        # gdb takes long to read what was split off of these.
        root = ["-iex", f"set sysroot {interpreter.root}",
                "-iex", "set debug-file-directory /nonexistent"]  # fmt: skip
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off",
         "-iex", "set backtrace past-main on", *root,
         "-p", str(pid), "-x", str(script), f"/proc/{pid}/exe"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
        env={**os.environ, "DEBUGINFOD_URLS": ""},
    )  # fmt: skip
    found = re.search(r"^FRAMES(.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {int(tid): frames for tid, frames in json.loads(found[1]).items()}


def plain(name: str) -> str:
    """A function's name without what tools differ in: of several names for one
    place, and of parts that the compiler made."""
    name = re.sub(r"(\.(part|constprop|isra|cold|lto_priv|localalias)(\.\d+)?)+$", "", name)
    return re.sub(r"^(__GI_)?_*(libc_)?|_impl$", "", name)


def test_merged(
    interpreter: Interpreter, library: Path, tmp_path: Path
) -> None:
    with placed(interpreter, library) as path:
        with start_script(interpreter, "native.py", path) as target:
            told = target.json()
            dumps = {}
            for mode in ("copy", "stop"):
                attach(target, tmp_path / mode, f"--capture={mode}", "--native=all")
                dumps[mode] = open_dump(tmp_path / mode)
            other = gdb_frames(interpreter, target.pid, tmp_path)
            target.say("")
            assert target.wait() == 0
    for dump in dumps.values():
        main, waiting = dump.threads[0], harness.thread_with(dump, "wait")
        for thread in (main, waiting):
            assert thread.native.merged and thread.native.whole, thread.native.note
            assert thread.native.note is None
        assert names(main) == told["merged"]
        # Something of C sorts, and calls the key.
        python = [hasattr(e, "lasti") and e.name for e in main.merged]
        assert python.index("middle") - python.index("key") > 1
        alone = [s for s in dump.native_stacks if s.thread is None]
        assert len(alone) == 1
        calls = [f for f in alone[0].frames if is_ours(f)]
        assert [f.function for f in calls] == ["native_waiter", "native_thread"]
        # The library has debug information.
        source = (TARGETS / "native.c").read_text().splitlines()
        assert all(f.file.endswith("targets/native.c") for f in calls)
        assert [source[f.line - 1].strip() for f in calls] == [
            "int r = pause();",
            "kept = native_waiter((pauser *)arg);",
        ]
        # The same process, as gdb sees it.
        assert set(native(dump)) == set(other)
        for tid, stack in native(dump).items():
            assert [f.pc for f in stack.frames] == [pc for pc, _ in other[tid]]
            for frame, (_, name) in zip(stack.frames, other[tid]):
                if frame.function and name and not frame.signal:
                    assert plain(frame.function) == plain(name)
