# SPDX-License-Identifier: Apache-2.0
"""Limits put together at random, held against a dump of the same process, which
hangs, without limits: what is not marked is the same, and totals are true."""

from __future__ import annotations

import fnmatch
import os
import random
from pathlib import Path
from typing import Any, Iterator

import pytest
from harness import attach, open_dump, pydumpd, record, start_script
from interpreters import Interpreter

ROUNDS = int(os.environ.get("PYDUMPD_LIMIT_ROUNDS") or 2)
PATTERNS = ("__main__.*", "builtins.str", "builtins.[dl]i*", "collections.*", "*.Node", "_io.*")
UNITS = {"str": 1, "bytes": 1, "bytearray": 1, "dict": 2, "mapping": 2}


def options(r: random.Random) -> list[str]:
    """Some of the limits, each from harsh to mild."""
    ranges = {
        "--depth": (1, 12),
        "--max-objects": (10, 30_000),
        "--max-bytes": (500, 4_000_000),
        "--max-string": (1, 300),
        "--max-items": (1, 300),
        "--max-blob": (1, 300),
    }
    chosen = []
    for name, (low, high) in ranges.items():
        if r.random() < 0.4:
            chosen.append(f"{name}={int(low * (high / low) ** r.random())}")
    for name in ("--exclude", "--include"):
        if r.random() < 0.3:
            chosen += [f"{name}={p}" for p in r.sample(PATTERNS, r.randint(1, 2))]
    chosen += [o for o in ("--no-globals", "--gc") if r.random() < 0.25]
    if r.random() < 0.15:
        chosen.append(f"--timeout={0.0005 * 1000 ** r.random():.6f}")
    # Which names a value hangs under depends on what a limit leaves.
    return [*chosen, "--no-redact", f"--capture={r.choice(['copy', 'stop', 'live'])}"]


def type_name(dump: Any, addr: int) -> str:
    """module.qualname as the record of a type has it."""
    rec = dump.graph.record(addr)
    module, name, _ = rec.data.split(b"\0", 2)
    return f"{module.decode()}.{name.decode()}"


def total_of(rec: Any) -> int:
    name = rec.kind.name
    if name == "str":
        return len(rec.data.decode("utf-8", "surrogatepass"))
    if name in ("bytes", "bytearray"):
        return len(rec.data)
    return len(rec.rest()) // UNITS.get(name, 1)


def field_length(rec: Any, at: int) -> int:
    """Of a text field, in characters; of any other in bytes."""
    if rec.shape[at][0] != 10:
        return rec.values[at]
    before = [v for (o, _), v in zip(rec.shape[:at], rec.values) if o in (10, 11, 12)]
    text = rec.tail[sum(before) : sum(before) + rec.values[at]]
    return len(text.decode("utf-8", "surrogatepass"))


def fields(rec: Any) -> Any:
    return rec.kind.name, bytes(rec.data), list(rec.refs), list(rec.shape), list(rec.values)


def compare(addr: int, cut: Any, whole: Any) -> Iterator[str]:
    """What differs between a record under limits and one without, unmarked."""
    where = f"{whole.kind.name} at {addr:#x}"
    if cut.type != whole.type or cut.size != whole.size:
        yield f"{where}: type {cut.type:#x} {whole.type:#x}, size {cut.size} {whole.size}"
    mark = cut.mark
    if mark is not None and mark.word == "limit" and cut.data.startswith(b"left out"):
        return
    if mark is None or whole.mark is not None:
        if fields(cut) != fields(whole):
            yield f"{where}: {fields(cut)} is {fields(whole)}"[:1000]
        return
    if mark.word != "truncated" or cut.kind is not whole.kind and cut.kind.name != whole.kind.name:
        yield f"{where}: mark {mark}"
        return
    if mark.text:
        # A field of a described type.
        names = [name for _, name in whole.shape]
        at = names.index(mark.text.split(",")[0].removeprefix("field "))
        true = (whole.values[at], field_length(whole, at))
        if mark.total not in true or cut.values[at] >= whole.values[at]:
            yield f"{where}: {mark} of {true}"
        return
    if mark.total != total_of(whole) or total_of(cut) >= mark.total:
        yield f"{where}: {total_of(cut)} of {mark.total}, which are {total_of(whole)}"
    n = len(cut.refs)
    if not whole.data.startswith(cut.data) or list(cut.refs) != list(whole.refs)[:n]:
        yield f"{where}: not the beginning of what it was"


def compare_dumps(cut: Any, whole: Any, limits: dict[str, Any]) -> Iterator[str]:
    for addr in cut.file.addresses():
        a, b = cut.graph.record(addr), whole.graph.record(addr)
        if b is None:
            yield f"{addr:#x}: only under limits"
            continue
        yield from compare(addr, a, b)
        if a.type and cut.graph.record(a.type) is None:
            yield f"{addr:#x}: its type is not there"
        if a.mark is not None and a.mark.word == "limit" and b.kind.name != "dict":
            name = type_name(whole, b.type)
            excluded = any(fnmatch.fnmatchcase(name, p) for p in limits["exclude"])
            included = any(fnmatch.fnmatchcase(name, p) for p in limits["include"])
            if not excluded and (included or not limits["include"]):
                yield f"{addr:#x}: a {name} was left out"
    for thread in cut.threads:
        other = whole.threads[thread.index]
        if [f.name for f in thread.frames] != [f.name for f in other.frames]:
            yield f"thread {thread.index}: other frames"
        for mine, full in zip(thread.frames, other.frames):
            names, known = list(mine.locals), list(full.locals)
            space = cut.graph.record(mine.locals_address)
            if mine.locals_address and (space is None or space.mark is not None):
                # A module's, whose namespace is not there: that is said.
                if not any(n.startswith("<names") for n in names):
                    yield f"{mine.name}: names {names}"
                continue
            if len(names) != len(known):
                yield f"{mine.name}: names {names}, which are {known}"
                continue
            for name, true in zip(names, known):
                # What is no name says so.
                if name != true and "<" not in name:
                    yield f"{mine.name}: {name} is {true}"
                shown = repr(mine.locals[name])
                if shown.startswith("<not dumped: "):
                    continue  # of a variable in a cell, the cell
                if mine.locals.address(name) != full.locals.address(true) or not shown:
                    yield f"{mine.name} {name}: another object"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["graphs.py", "cuts.py"])
def test_limits_at_random(interpreter: Interpreter, tmp_path: Path, script: str) -> None:
    r = random.Random(f"{interpreter.hex} {script}")
    args = ("300", "25", "standard") if script == "graphs.py" else ()
    with start_script(interpreter, script, *args) as target:
        while not target.line().startswith("ready"):
            pass
        attach(target, tmp_path / "whole", "--gc", "--max-blob", "none", "--no-redact")
        chosen = [options(r) for _ in range(ROUNDS)]
        for i, limits in enumerate(chosen):
            attach(target, tmp_path / str(i), *limits)
        assert target.unharmed()
    with open_dump(tmp_path / "whole") as whole:
        for i, limits in enumerate(chosen):
            path = tmp_path / str(i)
            in_force = record(path, "header")["limits"]
            with open_dump(path) as cut:
                problems = list(compare_dumps(cut, whole, in_force))
            found = "\n".join(problems[:30])
            assert not problems, f"{len(problems)} under {limits}:\n{found}"
            end = record(path, "end")
            near = {a for t in record(path, "threads")["threads"] for a in (t["address"],)}
            assert near and end["complete"] is True
            assert in_force["max_objects"] is None or (
                # Types are there whatever the limit.
                end["objects"] <= in_force["max_objects"] + 4000
            )
            assert pydumpd("show", path).returncode == 0
