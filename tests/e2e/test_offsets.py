# SPDX-License-Identifier: Apache-2.0
"""The tables of offsets are right.

Once by making them again, from the DWARF and the headers of each interpreter
here, and once by running each interpreter, which compares what it finds in its
own memory with what Python says.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from harness import TARGETS, TOP
from interpreters import Interpreter, environment

sys.path.insert(0, str(TOP / "tools" / "offsets"))

import find  # noqa: E402
from definitions import OFFSETS, load_fields, load_models  # noqa: E402
from generate import differences  # noqa: E402
from structs import StructsError  # noqa: E402
from table import Table, make_table, read_table  # noqa: E402

import build  # noqa: E402

# No field or object that these models describe exists in the versions whose
# tables do not check them: f_lasti up to 3.10, stack references from 3.11 on.
UNCHECKED = {"lasti", "stackref"}


def select(interpreter: Interpreter) -> Table:
    """The table that src/layout/ would choose."""
    flags = ["debug"] * interpreter.debug
    flags += ["free-threaded"] * interpreter.free_threaded
    best: tuple[int, Table] | None = None
    for path in sorted(OFFSETS.glob("*.offsets")):
        table = read_table(path)
        first, last = (int(table.header[f"hex_{m}"], 16) for m in ("min", "max"))
        if table.header["flags"] != (" ".join(flags) or "none"):
            continue
        if first <= interpreter.hex <= last:
            if best is None or last - first <= best[0]:
                best = (last - first, table)
    if best is None:
        pytest.skip(f"there is no table for {interpreter.key}")
    return best[1]


@pytest.mark.every_build
def test_tables_from_dwarf(interpreter: Interpreter) -> None:
    table = select(interpreter)
    found = find.debug_information(
        interpreter.path, interpreter.prefix, interpreter.root
    )
    if found is None:
        pytest.skip(f"{interpreter.key} has no DWARF, nor a detached file of it")
    made = make_table([found], interpreter.version[:2])
    assert differences(made, table) == []


@pytest.mark.every_build
def test_tables_from_headers(interpreter: Interpreter, tmp_path: Path) -> None:
    table = select(interpreter)
    here = find.headers(
        interpreter.version, interpreter.debug, interpreter.prefix, interpreter.root
    )
    if here is None:
        pytest.skip(f"{interpreter.key} has no internal headers")
    defines = ["Py_DEBUG"] * interpreter.debug
    files = build.from_headers(here[0], here[1], defines, tmp_path)
    made = make_table(files, interpreter.version[:2])
    assert differences(made, table) == []
    # Structs of .c files are not in headers; most others are.
    assert len(made.unknown) < len(made.offsets) / 3


def facts(interpreter: Interpreter, table: Table) -> dict[str, Any]:
    """What the interpreter finds at a table's offsets."""
    text = (TARGETS / "offset_facts.py").read_text(encoding="utf-8")
    data = {
        "offsets": table.offsets,
        "models": table.models,
        "debug": table.debug,
        "debug_size": table.debug_size,
    }
    done = subprocess.run(
        interpreter.argv("-c", text, json.dumps(data)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.every_build
def test_tables_in_a_running_interpreter(interpreter: Interpreter) -> None:
    table = select(interpreter)
    said = facts(interpreter, table)
    assert said["wrong"] == []
    keys = {key for key, offset in table.offsets.items() if offset is not None}
    keys |= set(table.models) | {f"debug.{key}" for key in table.debug}
    assert keys - set(said["checked"]) - UNCHECKED == set()


@pytest.mark.parametrize(
    "key", ["list.allocated", "set.used", "code.co_flags", "tstate.id", "tuple.ob_item"]
)
def test_a_wrong_offset_is_noticed(one: Interpreter, key: str) -> None:
    table = select(one)
    offset = table.offsets[key]
    assert offset is not None
    table.offsets[key] = offset - 4 if key == "code.co_flags" else offset - 8
    assert any(line.startswith(key) for line in facts(one, table)["wrong"])


def test_tables_say_everything() -> None:
    fields = [f.key for f in load_fields()]
    for path in sorted(OFFSETS.glob("*.offsets")):
        table = read_table(path)
        assert list(table.offsets) == fields, path.name
        assert set(table.models) == set(load_models()), path.name
        assert table.header["name"] == path.stem
        assert table.text() == path.read_text(encoding="utf-8"), path.name


C_WITHOUT_PYTHON = """
struct inner { char a; union { int b; struct { long c; }; }; };
typedef struct { short first; struct inner in; unsigned x:3, y:2; } outer;
struct twice { int one; };
outer o; struct twice t;
"""


def test_structs_of_any_c() -> None:
    """The helper, on structs whose layout the ABI gives."""
    with tempfile.TemporaryDirectory() as tmp:
        sources = []
        for name, text in (
            ("a", C_WITHOUT_PYTHON),
            ("b", "struct twice { long zero; int one; } t2;"),
        ):
            source = Path(tmp) / f"{name}.c"
            source.write_text(text, encoding="utf-8")
            subprocess.run(
                ["cc", "-g", "-c", str(source), "-o", f"{tmp}/{name}.o"], check=True
            )
            sources.append(Path(f"{tmp}/{name}.o"))
        from structs import Structs

        queries = ["outer.in.c", "outer.in.b", "outer.y", "sizeof(outer)", "sizeof(outer.in)",
                   "outer.nothing", "nothing.at", "twice.one"]
        got = Structs(sources[:1], queries)
        assert (got.bit("outer.in.c"), got.size("outer.in.c")) == (128, 8)
        assert got.bit("outer.in.b") == 128
        assert got.bit("outer.y") == 8 * 24 + 3
        assert (got.size("sizeof(outer)"), got.size("sizeof(outer.in)")) == (32, 16)
        assert "outer.nothing" not in got and got.knows_type("outer.nothing")
        assert "nothing.at" not in got and not got.knows_type("nothing.at")
        with pytest.raises(StructsError, match="twice.one: definitions differ"):
            Structs(sources, queries)
