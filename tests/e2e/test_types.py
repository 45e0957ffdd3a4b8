# SPDX-License-Identifier: Apache-2.0
"""The tables of offsets/types/ are right.

By running each interpreter, which compares the described types with its own
and the fields of many objects with what Python says; and, where the sources of
CPython are at hand (PYDUMPD_CPYTHON_GIT), by making the tables again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import TARGETS, TOP, attach, no_leftovers, open_dump, pydumpd, start_code, thread_with
from interpreters import Interpreter, environment

sys.path.insert(0, str(TOP / "tools" / "offsets"))

import find  # noqa: E402
import records  # noqa: E402
from recordspec import KEYS, TYPES, load, parse  # noqa: E402

GIT = os.environ.get("PYDUMPD_CPYTHON_GIT")


def header(path: Path) -> dict[str, str]:
    """What stands above the first paragraph."""
    top = path.read_text(encoding="utf-8").partition("\n[")[0]
    lines = [x.split(" = ") for x in top.splitlines() if " = " in x]
    return {key: value for key, value in lines}


def select(interpreter: Interpreter) -> list[Path]:
    """The tables that src/layout/ would take."""
    found = []
    for path in sorted(TYPES.glob("cpython-*.types")):
        head = header(path)
        flags = "debug" if interpreter.debug else "none"
        if head["flags"] in (flags, "any") and (
            int(head["hex_min"], 16) <= interpreter.hex <= int(head["hex_max"], 16)
        ):
            found.append(path)
    return found


def facts(interpreter: Interpreter, tables: list[Path]) -> dict[str, Any]:
    """What the interpreter finds where the tables say."""
    program = TARGETS / "record_facts.py"
    inside = None
    if interpreter.root is not None:
        inside = Path(interpreter.root, "tmp", f"pydumpd-types-{os.getpid()}")
        inside.mkdir(exist_ok=True)
        for path in (program, TARGETS / "record_samples.py", *tables):
            shutil.copy(path, inside)
        tables = [Path("/tmp", inside.name, path.name) for path in tables]
        program = Path("/tmp", inside.name, program.name)
    try:
        done = subprocess.run(
            interpreter.argv(str(program), *map(str, tables)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
            timeout=120,
        )
    finally:
        if inside is not None:
            shutil.rmtree(inside)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def newer(interpreter: Interpreter) -> bool:
    """Whether it was released after all the sources that tables are made of."""
    known = [r for r in records.RECIPES if r.version == interpreter.version[:2]]
    releases = [r.release for r in known] + [other for r in known for other, _ in r.others]
    # A release candidate counts as the release.
    versions = [tuple(map(int, r.partition("rc")[0].split("."))) for r in releases]
    return max(versions) < interpreter.version


@pytest.mark.every_build
def test_types_of_a_running_interpreter(interpreter: Interpreter) -> None:
    tables = select(interpreter)
    assert len(tables) == 1, "one table for each version and build"
    said = facts(interpreter, tables)
    assert said["wrong"] == []
    if newer(interpreter):
        # Its sources were not there to be asked; what has changed since is not
        # decoded, for its size is another.
        assert len(said["sizes_wrong"]) <= 2
        assert {name for name, _, _ in said["sizes_wrong"]} >= set(said["lacking"])
    else:
        assert said["sizes_wrong"] == []
        assert said["lacking"] == []
    # Types of modules that a build may lack are not counted here.
    assert len(said["sizes"]) > 150
    assert len(said["checked"]) > 250


def test_a_wrong_place_is_noticed(one: Interpreter, tmp_path: Path) -> None:
    text = select(one)[0].read_text(encoding="utf-8")
    moved = tmp_path / "moved.types"
    for good, bad in (
        ("month = u8 @ 27", "month = u8 @ 28"),
        ("maxlen = i64 @ 64", "maxlen = i64 @ 56"),
        ("func = object @ 16\nargs = object @ 24", "func = object @ 24\nargs = object @ 16"),
    ):
        assert good in text
        moved.write_text(text.replace(good, bad), encoding="utf-8")
        assert facts(one, [moved])["wrong"] != []


@pytest.mark.slow
@pytest.mark.skipif(not GIT, reason="PYDUMPD_CPYTHON_GIT names no sources")
@pytest.mark.parametrize("recipe", records.RECIPES, ids=lambda r: r.name)
def test_tables_from_sources(recipe: records.Recipe, tmp_path: Path) -> None:
    assert GIT is not None
    if records.pyconfig_of(recipe.version) is None:
        pytest.skip("no interpreter of that version here")
    texts, wrong = records.make_texts(recipe, Path(GIT), tmp_path)
    assert wrong == []
    kept = {p.stem: p.read_text(encoding="utf-8")
            for p in TYPES.glob(f"{recipe.name}*.types")
            if p.stem in (recipe.name, f"{recipe.name}-debug")}
    assert texts == kept


def test_each_type_is_in_a_table() -> None:
    """No specification is left that no version has, and none says twice."""
    names = set()
    for path in TYPES.glob("cpython-*.types"):
        text = path.read_text(encoding="utf-8")
        found = [line[1:-1] for line in text.splitlines() if line.startswith("[")]
        names |= set(found)
    for source in load():
        for t in source.types:
            for candidates in t.names:
                assert names & set(candidates), f"{t.where}: nothing is {candidates}"
                assert set(candidates) <= names, f"{t.where}: {set(candidates) - names}"
            plain = [n.lstrip(".") for n in t.field_names()]
            assert len(plain) == len(set(plain)), t.where
            assert not KEYS & set(t.field_names()), t.where


def test_specification(tmp_path: Path) -> None:
    """The language of *.spec, on a C file of our own."""
    (tmp_path / "a.spec").write_text(
        """
source here.c | there.c
[old.Name | new.Name, other]   # two types
struct = thing
first = int @ first
flag = bool @ flag
packed = u16be @ raw + 1
deep? = object @ next > inner.value if .first
gone? = int @ gone
late = int @ first when 3.9..
.size = const sizeof(inner) / 8 + offsetof(thing.next)
""",
        encoding="utf-8",
    )
    (tmp_path / "here.c").write_text(
        """
struct inner { long pad; void *value; };
struct thing { long head; int first; unsigned a:3, flag:1; char raw[8];
               struct inner *next; };
struct inner i; struct thing t;
const char name[] = "x\\0new.Name", other[] = "\\0other";
""",
        encoding="utf-8",
    )
    import build

    subprocess.run(["cc", "-g", "-c", "here.c", "-o", "here.o"], cwd=tmp_path, check=True)
    (source,) = parse(tmp_path / "a.spec")
    (t,) = source.types
    obj = tmp_path / "here.o"
    members = records.Members(obj, records.queries(t))
    got = records.paragraphs(t, (3, 8), build.strings(obj), members)
    assert [p.name for p in got] == ["new.Name", "other"]
    assert got[0].basicsize == 32
    assert got[0].fields == [
        ("first", "i32 @ 8"),
        ("flag", "u8 @ 12 bit 3"),
        ("packed", "u16be @ 14"),
        ("deep", "object @ 24 > 8 if .first"),
        (".size", "const 26"),
    ]
    later = records.paragraphs(t, (3, 9), build.strings(obj), members)
    assert ("late", "i32 @ 8") in later[0].fields


# -- a user's own types

POINT = """
[described.Point]
basicsize = 96       # of struct point
x = f64 @ 16
y = f32 @ 24
small = i16 @ 28
marked = u8 @ 30 bit 2
unmarked = u8 @ 30 bit 1
letter = char @ 31
label = object @ 32
.count = i64 @ 40
numbers = i64s @ 48 > 0 count .count
(items) = objects @ 56 > 0 count count
text = text @ 64 > 0 length .count * 2
raw = bytes @ 64 > 2 length 3
unit = cstr @ 72 > 8
packed = u32be @ 81
.has_owner = bool32 @ 88
owner = object @ 72 > 16 if .has_owner
tail = address @ 72
seven = const 7
"""

USER_OF_POINT = """
import sys
sys.path.insert(0, sys.argv[1])
import described

class Derived(described.Point):
    pass

def hold():
    label = ["the label"]
    point, derived = described.Point(label), Derived(label)
    derived.extra = label
    print("ready", flush=True)
    sys.stdin.read()

hold()
"""


def build_described(interpreter: Interpreter, out: Path) -> None:
    here = find.headers(
        interpreter.version, interpreter.debug, interpreter.prefix, interpreter.root
    )
    if here is None:
        pytest.skip(f"{interpreter.key} has no headers")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-w", f"-I{here[0]}", f"-I{here[1]}",
         "-o", str(out / "described.so"), str(TARGETS / "described.c")],
        check=True,
    )


def test_types_of_a_user(one: Interpreter, tmp_path: Path) -> None:
    build_described(one, tmp_path)
    good = tmp_path / "types"
    good.mkdir()
    (good / "point.types").write_text(POINT, encoding="utf-8")
    other = tmp_path / "other.types"
    other.write_text(POINT.replace("basicsize = 96", "basicsize = 104"), encoding="utf-8")
    with start_code(one, USER_OF_POINT, str(tmp_path)) as target:
        assert target.line() == "ready"
        attach(target, tmp_path / "good.pydump", "--types", good)
        attach(target, tmp_path / "other.pydump", "--types", other)
        target.close_input()
        assert target.wait() == 0
    with open_dump(tmp_path / "good.pydump") as dump:
        found = thread_with(dump, "hold").frames[0].locals
        for point in (found["point"], found["derived"]):
            assert (point.x, point.y, point.small) == (-1.5, 0.25, -7)
            assert (point.marked, point.unmarked, point.letter) == (True, False, "\xe9")
            assert list(point.numbers) == [-(1 << 40), 0, 1 << 40]
            assert (point.text, point.raw, point.unit) == ("\xe4\xf6\xfc", b"\xc3\xb6\xc3", "m/s")
            assert (point.packed, point.seven) == (0x01020304, 7)
            assert point.label is found["label"]
            assert not hasattr(point, "owner") and not hasattr(point, "count")
            assert point.tail > 0
            assert list(point) == [found["label"]] * 3
        assert found["derived"].extra is found["label"]
        assert repr(found["point"]).startswith("described.Point(")
    with open_dump(tmp_path / "other.pydump") as dump:
        found = thread_with(dump, "hold").frames[0].locals
        assert not hasattr(found["point"], "x")


def test_a_description_that_is_wrong(one: Interpreter, tmp_path: Path) -> None:
    bad = tmp_path / "bad.types"
    bad.write_text("[a.B]\nbasicsize = 32\nx = i65 @ 16\n", encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    with start_code(one, "import sys; print('ready', flush=True); sys.stdin.read()") as target:
        assert target.line() == "ready"
        done = pydumpd("attach", target.pid, "-o", out / "a.pydump", "--types", bad)
        assert done.returncode != 0
        assert "bad.types:3:5" in done.stderr and "i65" in done.stderr
        assert no_leftovers(out)
        target.close_input()
        assert target.wait() == 0
