#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of offsets/types/ from CPython's sources.

    records.py --git CPYTHON [--check] [--release X.Y.Z] [NAME...]

What types there are and which members count is in offsets/types/*.spec. Each
source file that a specification names is compiled, as it is in a release and
with the pyconfig.h of any build of that minor version, and its debug
information asked where the members are. --release takes the sources of
another release than the table was made from: whether a table is right for it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import find
from definitions import TOP
from recordspec import TYPES, SpecError, SpecField, SpecSource, SpecType, load
from structs import Structs, StructsError
from survey import unpack

import build

sys.path.insert(0, str(TOP / "tests" / "e2e"))
from interpreters import discover  # noqa: E402


@dataclass(frozen=True)
class Recipe:
    """What a table is for, and the release that it is made from."""

    name: str
    first: int
    last: int
    release: str
    # Others in which structs had another size, and of what sources.
    others: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> tuple[int, int]:
        major, minor = self.release.split(".")[:2]
        return int(major), int(minor)


# What others there are is what changes.py finds: each is the last release before
# a change.
RECIPES = [
    # 3.7.1 moved members without another size.
    Recipe("cpython-3.7.0", 0x030700F0, 0x030700FF, "3.7.0"),
    Recipe("cpython-3.7", 0x030701C1, 0x0307FFFF, "3.7.17", (
        ("3.7.2", "_functoolsmodule"),
    )),
    Recipe("cpython-3.8", 0x030800F0, 0x0308FFFF, "3.8.20", (
        ("3.8.18", "pyexpat"),
    )),
    Recipe("cpython-3.9", 0x030900F0, 0x0309FFFF, "3.9.25", (
        ("3.9.23", "pyexpat"),
        ("3.9.18", "pyexpat"),
        ("3.9.2", "_sre hamt"),
        ("3.9.0", "genericaliasobject"),
    )),
    Recipe("cpython-3.10", 0x030A00F0, 0x030AFFFF, "3.10.20", (
        ("3.10.21", "_bz2module"),
        ("3.10.18", "pyexpat"),
        ("3.10.13", "pyexpat"),
        ("3.10.5", "_asynciomodule"),
        ("3.10.1", "_sre hamt symtable"),
    )),
    Recipe("cpython-3.11", 0x030B00F0, 0x030BFFFF, "3.11.15", (
        ("3.11.16", "_bz2module"),
        ("3.11.13", "pyexpat"),
        ("3.11.8", "pyexpat"),
        ("3.11.5", "_sre mmapmodule"),
    )),
    Recipe("cpython-3.12", 0x030C00F0, 0x030CFFFF, "3.12.13", (
        ("3.12.14", "_bz2module"),
        ("3.12.11", "pyexpat"),
        ("3.12.7", "_sre"),
        ("3.12.4", "tokenize"),
        ("3.12.3", "symtable tokenize posixmodule"),
        ("3.12.1", "_elementtree mmapmodule pyexpat md5 sha1 sha2 sha3"),
        ("3.12.0", "_sre posixmodule"),
    )),
    Recipe("cpython-3.13", 0x030D00F0, 0x030DFFFF, "3.13.15", (
        ("3.13.14", "_pickle"),
        ("3.13.13", "_bz2module"),
        ("3.13.12", "posixmodule"),
        ("3.13.11", "_pickle"),
        ("3.13.7", "_sqlite mmapmodule pyexpat"),
        ("3.13.6", "_ssl."),
        ("3.13.5", "_ssl."),
        ("3.13.3", "_cursesmodule"),
        ("3.13.0", "_pickle _sre _threadmodule"),
    )),
    Recipe("cpython-3.14", 0x030E00F0, 0x030EFFFF, "3.14.7", (
        ("3.14.6", "bytesio _pickle itertools"),
        ("3.14.5", "_bz2module"),
        ("3.14.3", "posixmodule"),
        ("3.14.2", "_pickle"),
        ("3.14.0", "_ssl. mmapmodule _sqlite"),
    )),
    Recipe("cpython-3.15", 0x030F00C1, 0x030FFFFF, "3.15.0rc1"),
]

# Bytes of the kinds that the width of a member is checked against.
_WIDTHS = {
    "object": 8, "address": 8, "cstr": 8, "f32": 4, "f64": 8,
    "i8": 1, "u8": 1, "i16": 2, "u16": 2, "i32": 4, "u32": 4,
    "i64": 8, "u64": 8,
}
_AUTOMATIC = {"int": "i{}", "uint": "u{}"}


@dataclass
class Paragraph:
    """A type in a table."""

    name: str
    basicsize: int
    reader: str | None
    fields: list[tuple[str, str]]

    def keep_common(self, other: Paragraph) -> None:
        """Leaves out what is not the same in both, and what refers to it."""
        gone: set[str] = set()
        left = self.fields
        while True:
            kept = [
                f for f in left
                if f in other.fields
                and not gone & set(re.findall(r"[.\w]+", f[1]))
            ]
            if len(kept) == len(left):
                break
            lost = {name for name, value in left if (name, value) not in kept}
            gone |= lost | {name.lstrip(".") for name in lost}
            left = kept
        self.fields = left

    def text(self) -> str:
        lines = [f"[{self.name}]", f"basicsize = {self.basicsize}"]
        if self.reader:
            lines.append(f"reader = {self.reader}")
        lines += [f"{name} = {value}" for name, value in self.fields]
        return "\n".join(lines) + "\n"


class Members:
    """Members of structs as one object file has them.

    Queries are collected first and then asked together, because each start
    of the helper reads all debug information.
    """

    def __init__(self, obj: Path, queries: set[str]) -> None:
        self._structs = Structs([obj], queries)

    def has(self, query: str) -> bool:
        return query in self._structs

    def bit(self, query: str) -> int:
        return self._structs.bit(query)

    def size(self, query: str) -> int:
        return self._structs.size(query)

    def width(self, query: str) -> int:
        return self._structs.width(query)


def _steps(place: str, struct: str) -> list[tuple[str, int | None]]:
    """Of each step the query ("" for none) and what is added to it."""
    out: list[tuple[str, int | None]] = []
    for i, step in enumerate(place.split(">")):
        query, _, more = (part.strip() for part in step.partition("+"))
        added = int(more, 0) if more else None
        if query.isdigit():
            out.append(("", int(query) + (added or 0)))
        else:
            out.append((query if i else f"{struct}.{query}", added))
    return out


# Numbers that are computed: with +, -, * and / from left to right.
_MEASURE = re.compile(r"(sizeof|offsetof)\(([\w.]+)\)")
_SUM = re.compile(r"\d+(?:\s*[-+*/]\s*\d+)+")


def _measured(text: str) -> set[str]:
    return {m[0] if m[1] == "sizeof" else m[2]
            for m in _MEASURE.finditer(text)}


def _compute(text: str, m: Members) -> str | None:
    """The text with numbers for what it measures; None without them."""
    if not all(m.has(query) for query in _measured(text)):
        return None
    text = _MEASURE.sub(
        lambda x: str(m.size(x[0]) if x[1] == "sizeof" else m.bit(x[2]) // 8),
        text,
    )

    def total(match: re.Match[str]) -> str:
        first, *rest = re.findall(r"[-+*/]|\d+", match[0])
        value = int(first)
        for op, number in zip(rest[::2], map(int, rest[1::2])):
            value = {"+": value + number, "-": value - number,
                     "*": value * number, "/": value // number}[op]
        return str(value)

    return _SUM.sub(total, text)


def queries(t: SpecType) -> set[str]:
    found: set[str] = set()
    for struct in t.structs:
        found.add(f"sizeof({struct})")
        for f in t.fields:
            found |= _measured(f.rest)
            if f.kind == "const":
                found |= _measured(f.place)
            else:
                found |= {q for q, _ in _steps(f.place, struct) if q}
    for size in t.basicsize:
        found |= _measured(size)
    return found


def _render(f: SpecField, struct: str, m: Members) -> str | None:
    """The field's value in a table; None where the version lacks it."""
    if f.kind == "const":
        value = _compute(f.place, m)
        return None if value is None else f"const {value}"
    steps = _steps(f.place, struct)
    if not all(m.has(q) for q, _ in steps if q):
        return None
    bits = [(m.bit(q) if q else 0) + 8 * (more or 0) for q, more in steps]
    last, added = steps[-1]
    if last and m.width(last):
        if f.kind != "bool" or m.width(last) != 1 or f.rest:
            raise SpecError(f"{f.where}: {f.name} is a bit field")
        kind, behind = "u8", f" bit {bits[-1] % 8}"
        bits[-1] -= bits[-1] % 8
    else:
        # Behind a plus stands a part of the member, as in packed bytes.
        width = m.size(last) if last and added is None else 0
        kind, behind = _kind(f, f.kind, width), ""
    where = " > ".join(str(b // 8) for b in bits)
    rest = _compute(f.rest, m)
    if rest is None:
        return None
    return f"{kind} @ {where}{behind}{' ' if rest else ''}{rest}"


def _kind(f: SpecField, kind: str, width: int) -> str:
    if kind in _AUTOMATIC:
        if width not in (1, 2, 4, 8):
            raise SpecError(f"{f.where}: {f.name} has {width} bytes")
        return _AUTOMATIC[kind].format(8 * width)
    if kind == "bool":
        if width not in (1, 4):
            raise SpecError(f"{f.where}: {f.name} has {width} bytes")
        return "bool" if width == 1 else "bool32"
    if width and kind in _WIDTHS and width != _WIDTHS[kind]:
        raise SpecError(f"{f.where}: {f.name} has {width} bytes")
    return kind


def _basicsize(t: SpecType, struct: str, m: Members) -> int:
    for size in t.basicsize or [f"sizeof({struct})"]:
        value = _compute(size, m)
        if value is not None:
            return int(value)
    raise SpecError(f"{t.where}: no basicsize")


def paragraphs(
    t: SpecType, version: tuple[int, int], strings: bytes, m: Members
) -> list[Paragraph]:
    if version not in t.span:
        return []
    names = []
    for candidates in t.names:
        for name in candidates:
            # What stands before it need not be another string.
            if re.search(rb"(?<![\w.])" + re.escape(name.encode()) + rb"\0",
                         strings):
                names.append(name)
                break
    if not names:
        return []
    for struct in t.structs:
        if m.has(f"sizeof({struct})"):
            break
    else:
        raise SpecError(f"{t.where}: no struct {t.structs}")
    fields = []
    for name in t.field_names():
        value = None
        lines = [f for f in t.fields if f.name == name]
        for f in lines:
            if version in f.span:
                value = _render(f, struct, m)
            if value is not None:
                break
        if value is not None:
            fields.append((name, value))
        elif not any(f.optional for f in lines) and any(
            version in f.span for f in lines
        ):
            raise SpecError(f"{lines[0].where}: no member for {name}")
    size = _basicsize(t, struct, m)
    return [Paragraph(n, size, t.reader, fields) for n in names]


@dataclass
class Made:
    """The paragraphs of one build, and what could not be said."""

    paragraphs: list[Paragraph] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def text(self) -> str:
        return "\n".join(p.text() for p in self.paragraphs)

    def merge(self, other: Made) -> None:
        """Adds the types that another release has in another size.

        Where only the places differ nothing tells the two apart, and the
        fields that do are left out.
        """
        self.wrong += other.wrong
        for p in other.paragraphs:
            same = [q for q in self.paragraphs if q.name == p.name]
            if any(q.text() == p.text() for q in same):
                continue
            alike = [q for q in same if q.basicsize == p.basicsize]
            for q in alike:
                q.keep_common(p)
            if alike:
                continue
            at = 1 + max((self.paragraphs.index(q) for q in same),
                         default=len(self.paragraphs) - 1)
            self.paragraphs.insert(at, p)


def _of_source(
    source: SpecSource, tree: Path, pyconfig: Path, version: tuple[int, int],
    defines: Sequence[str], out: Path,
) -> Made:
    made = Made()
    path = next((p for p in source.paths if (tree / p).is_file()), None)
    if path is None:
        return made
    try:
        obj = build.from_module(tree, path, pyconfig, defines, out)
        asked: set[str] = set()
        for t in source.types:
            asked |= queries(t)
        strings = build.strings(obj)
        members = Members(obj, asked)
    except StructsError as exc:
        made.wrong.append(f"{path}: {exc}")
        return made
    for t in source.types:
        try:
            made.paragraphs += paragraphs(t, version, strings, members)
        except SpecError as exc:
            made.wrong.append(str(exc))
    return made


def make(
    tree: Path, pyconfig: Path, version: tuple[int, int], debug: bool,
    out: Path, only: str = "", jobs: int = 2,
) -> Made:
    """The paragraphs of one release and build.

    only has words of which the path of a source must contain one.
    """
    defines = ["Py_DEBUG"] * debug
    made = Made()
    sources = [
        s for s in load()
        if not only or any(w in p for w in only.split() for p in s.paths)
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for part in pool.map(
            lambda s: _of_source(s, tree, pyconfig, version, defines, out),
            sources,
        ):
            made.paragraphs += part.paragraphs
            made.wrong += part.wrong
    return made


def table_text(recipe: Recipe, flags: str, made: Made) -> str:
    return (
        "# SPDX-License-Identifier: Apache-2.0\n"
        "# Made by tools/offsets/records.py; do not edit.\n"
        f"# From the sources of CPython {recipe.release}.\n"
        f"hex_min = 0x{recipe.first:08x}\n"
        f"hex_max = 0x{recipe.last:08x}\n"
        f"flags = {flags}\n\n"
    ) + made.text()


def pyconfig_of(version: tuple[int, int]) -> Path | None:
    """Where the pyconfig.h of some build of a version is."""
    for i in discover():
        here = find.headers(i.version, i.debug, i.prefix, i.root)
        if i.version[:2] == version and not i.debug and here:
            return here[1]
    return None


def make_texts(
    recipe: Recipe, git: Path, tmp: Path, only: str = ""
) -> tuple[dict[str, str], list[str]]:
    """By name of the file: one table where both builds are the same."""
    pyconfig = pyconfig_of(recipe.version)
    if pyconfig is None:
        return {}, ["no interpreter of that version here"]
    made = {False: Made(), True: Made()}
    others = () if only else recipe.others
    for release, parts in ((recipe.release, only), *others):
        tree = tmp / release
        if not tree.is_dir():
            tree.mkdir(parents=True)
            unpack(git, f"v{release}", tree)
        for debug, all_made in made.items():
            out = tmp / f"{release}-{'debug' if debug else 'release'}"
            out.mkdir(exist_ok=True)
            part = make(tree, pyconfig, recipe.version, debug, out, parts)
            all_made.merge(part)
    wrong = made[False].wrong + made[True].wrong
    if made[False].text() == made[True].text():
        return {recipe.name: table_text(recipe, "any", made[False])}, wrong
    return {
        recipe.name: table_text(recipe, "none", made[False]),
        f"{recipe.name}-debug": table_text(recipe, "debug", made[True]),
    }, wrong


def main(argv: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--git", type=Path, required=True,
                   help="a git repository of CPython")
    p.add_argument("--check", action="store_true", help="compare, write nothing")
    p.add_argument("--release", help="in place of that of the table")
    p.add_argument("--only", default="", help="print what a source has")
    p.add_argument("--keep", type=Path, metavar="DIR",
                   help="where sources and object files stay for the next run")
    p.add_argument("names", nargs="*")
    args = p.parse_args(argv)
    status = 0
    for recipe in RECIPES:
        if args.names and recipe.name not in args.names:
            continue
        if args.release:
            recipe = Recipe(recipe.name, recipe.first, recipe.last,
                            args.release)
        with tempfile.TemporaryDirectory(prefix="pydumpd-records-") as tmp:
            folder = args.keep or Path(tmp)
            texts, wrong = make_texts(recipe, args.git, folder, args.only)
        for line in wrong:
            print(f"{recipe.name}: {line}", file=sys.stderr)
        status |= bool(wrong)
        if args.only:
            print(*texts.values(), sep="\n")
            continue
        if args.check:
            status |= _compare(recipe, texts, not args.release)
            continue
        for old in TYPES.glob(f"{recipe.name}*.types"):
            if old.stem in (recipe.name, f"{recipe.name}-debug"):
                old.unlink()
        for name, text in texts.items():
            (TYPES / f"{name}.types").write_text(text, encoding="utf-8")
        print(f"{recipe.name}: made {', '.join(texts)}")
    return status


def _compare(recipe: Recipe, texts: dict[str, str], all_of_it: bool) -> int:
    """Prints which types the tables here do not have as they were made."""
    status = 0
    for name, text in texts.items():
        path = TYPES / f"{name}.types"
        kept = path.read_text(encoding="utf-8") if path.exists() else ""
        made, there = (
            [p.strip() for p in t.split("\n\n")[1:]] for t in (text, kept)
        )
        wrong = [p.splitlines()[0] for p in made if p not in there]
        if all_of_it:
            wrong += [p.splitlines()[0] for p in there if p not in made]
        print(f"{name} {recipe.release}: {' '.join(wrong) or 'same'}",
              flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main())
