# SPDX-License-Identifier: Apache-2.0
"""What offsets/types/*.spec say: C types, listed once for all versions.

A file is a list of sources, each followed by the types that it defines:

    source Modules/_sre/sre.c | Modules/_sre.c   # the first that is there
    [re.Pattern | _sre.SRE_Pattern]    # the first tp_name that it has
    struct = PatternObject             # one or more candidates, with |
    groups = int @ groups
    .extra? = address @ extra > SomeStruct.member

Several types with one struct stand in one pair of brackets, with commas. A
field is written as in a table (doc/HOWTO_ADD_A_TYPE.md), except that places
are member paths: the first from the type's struct, each further one behind a
pointer, with its struct. The kinds int, uint and bool stand for those of the
member's width; bool is for bit fields too. Of lines with one name the first that a
version can have is taken; a question mark behind the name says that a version
may have none. "when 3.9..3.11" at the end restricts a line or, as a key, a
type to versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from definitions import OFFSETS

TYPES = OFFSETS / "types"
KEYS = {"struct", "basicsize", "reader", "when"}

Version = tuple[int, int]


@dataclass(frozen=True)
class Span:
    """Minor versions, both ends included."""

    first: Version = (3, 0)
    last: Version = (3, 999)

    def __contains__(self, version: Version) -> bool:
        return self.first <= version <= self.last


@dataclass(frozen=True)
class SpecField:
    """One line of a type."""

    name: str
    kind: str
    place: str  # member path, with > where pointers are followed
    rest: str  # what stands behind it: if, length, count
    optional: bool
    span: Span
    where: str


@dataclass
class SpecType:
    """One pair of brackets: types that share a struct."""

    names: list[list[str]]  # of each type the candidates
    where: str
    structs: list[str] = field(default_factory=list)
    basicsize: list[str] = field(default_factory=list)
    reader: str | None = None
    span: Span = field(default_factory=Span)
    fields: list[SpecField] = field(default_factory=list)

    def field_names(self) -> list[str]:
        return list(dict.fromkeys(f.name for f in self.fields))


@dataclass
class SpecSource:
    """A file of CPython and what it defines."""

    paths: list[str]
    types: list[SpecType] = field(default_factory=list)


class SpecError(Exception):
    """A specification does not hold up."""


_FIELD = re.compile(r"(\.?\w+|\(items\)|\(pairs\))(\?)?\s*=\s*(\w+)\s+(.+)$")
_REST = re.compile(r"\s(?:if|length|count|bit)\s")
_WHEN = re.compile(r"\s+when\s+(\S+)$")


def _span(text: str) -> Span:
    def one(part: str, other: Version) -> Version:
        if not part:
            return other
        major, minor = part.split(".")
        return int(major), int(minor)

    first, dots, last = text.partition("..")
    return Span(one(first, Span.first), one(last if dots else first, Span.last))


def _candidates(text: str) -> list[str]:
    return [part.strip() for part in text.split("|")]


def _field(line: str, where: str) -> SpecField:
    match = _FIELD.match(line)
    if not match:
        raise SpecError(f"{where}: not a field: {line}")
    name, optional, kind, rest = match.groups()
    span = Span()
    when = _WHEN.search(rest)
    if when:
        span = _span(when[1])
        rest = rest[: when.start()]
    if kind == "const":
        return SpecField(name, kind, rest, "", bool(optional), span, where)
    if not rest.startswith("@ "):
        raise SpecError(f"{where}: {name} has no place")
    place = rest[2:]
    cut = _REST.search(place)
    behind = ""
    if cut:
        behind = place[cut.start():].strip()
        place = place[: cut.start()]
    return SpecField(
        name, kind, place.strip(), behind, bool(optional), span, where
    )


def parse(path: Path) -> list[SpecSource]:
    """What a file says, in its order."""
    sources: list[SpecSource] = []
    for number, raw in enumerate(
        path.read_text(encoding="utf-8").splitlines(), 1
    ):
        where = f"{path.name}:{number}"
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not line:
            continue
        if line.startswith("source ") and "=" not in line:
            sources.append(SpecSource(_candidates(line[7:])))
        elif line.startswith("["):
            if not sources or not line.endswith("]"):
                raise SpecError(f"{where}: not a type: {line}")
            names = [_candidates(n) for n in line[1:-1].split(",")]
            sources[-1].types.append(SpecType(names, where))
        else:
            if not sources or not sources[-1].types:
                raise SpecError(f"{where}: not in a type: {line}")
            _line(sources[-1].types[-1], line, where)
    for source in sources:
        for t in source.types:
            if not t.structs:
                raise SpecError(f"{t.where}: no struct")
    return sources


def _line(t: SpecType, line: str, where: str) -> None:
    key, eq, value = (part.strip() for part in line.partition("="))
    if not eq:
        raise SpecError(f"{where}: no =: {line}")
    if key not in KEYS:
        t.fields.append(_field(line, where))
    elif key == "struct":
        t.structs = _candidates(value)
    elif key == "basicsize":
        t.basicsize = _candidates(value)
    elif key == "reader":
        t.reader = value
    else:
        t.span = _span(value)


def load() -> list[SpecSource]:
    """All specifications, those of one source together."""
    merged: dict[tuple[str, ...], SpecSource] = {}
    for path in sorted(TYPES.glob("*.spec")):
        for source in parse(path):
            kept = merged.setdefault(tuple(source.paths), source)
            if kept is not source:
                kept.types += source.types
    return list(merged.values())
