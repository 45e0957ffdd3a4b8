# SPDX-License-Identifier: Apache-2.0
"""doc/TYPES.md: read, compared with what was seen, and written."""

from __future__ import annotations

import dataclasses
import re
from typing import Dict

from harness import TOP
from interpreters import Interpreter
from verdicts import LEVELS, Verdict

PATH = TOP / "doc" / "TYPES.md"
ABSENT = "-"
ORDER = [ABSENT, *LEVELS]

HEAD = """\
# The types that a dump tells

Written by `tests/e2e/test_catalogue.py`, which fails when this page says anything else than
what it sees: it makes specimens of every type in a running interpreter, dumps it, opens the
dump with the loader, and compares type, `repr()` and probes (attributes, lengths, items, what
methods gave) with what the program itself said. `make types` writes the page anew.

| word | what it means |
|---|---|
| as it was | a real object of the type, equal in its `repr()` and in all probes |
| surrogate | a stand-in: class and probes right, `repr()` true or `module.Name(field=value)` |
| partial | what is shown is right, but some of what the program tells is missing: see the notes |
| opaque | type and address only: see the notes |
| - | not in this version, or not built here |

A row stands for all specimens of a type, and its word is that of the worst. Where a debug build
differs, it says so. Columns were written with: {origin}.

"""


@dataclasses.dataclass
class Cell:
    """What is seen of a type under one version: the worst of its specimens."""

    level: str
    note: str = ""


#: type -> column ("3.11", "3.11-dbg") -> cell
Table = Dict[str, Dict[str, Cell]]


def column(interpreter: Interpreter) -> str:
    return interpreter.short


def clean(what: str) -> str:
    """A missing probe without what differs from run to run."""
    what = "repr" if what.startswith("repr") else what
    return re.sub(r"0x[0-9a-f]{6,}", "0x...", what)


def probe_of(what: str) -> str:
    """The expression alone: `x.name (why)` -> `x.name`."""
    what = clean(what)
    depth = 0
    for index, char in enumerate(what):
        if what[index : index + 2] == " (" and depth == 0:
            return what[:index]
        depth += (char in "([{") - (char in ")]}")
    return what


def cells(found: dict[str, tuple[str, Verdict]], why: dict[str, str]) -> dict[str, Cell]:
    """type -> cell, of one interpreter. why: reasons for what is missing."""
    kinds: dict[str, list[Verdict]] = {}
    for kind, verdict in found.values():
        kinds.setdefault(kind, []).append(verdict)
    out = {}
    for kind, verdicts in kinds.items():
        level = max((v.level for v in verdicts), key=ORDER.index)
        counts: dict[str, int] = {}
        for verdict in verdicts:
            for what in dict.fromkeys(map(probe_of, verdict.missing)):
                counts[what] = counts.get(what, 0) + 1
        items = []
        for what, count in counts.items():
            of = "" if count == len(verdicts) else f" ({count} of {len(verdicts)})"
            items.append(f"`{what}`{of}".replace("|", "\\|"))
        note = ""
        if level in ("partial", "opaque"):
            note = "not told: " + ", ".join(items) if items else "nothing is told"
            reason = why.get(kind)
            if reason:
                note += ". " + reason
        out[kind] = Cell(level, note)
    return out


def worst(a: Cell, b: Cell) -> Cell:
    """Of two interpreters of one column."""
    if ORDER.index(a.level) != ORDER.index(b.level):
        return max(a, b, key=lambda c: ORDER.index(c.level))
    return max(a, b, key=lambda c: (len(c.note), c.note))


def key_of(name: str) -> tuple[int, int, bool]:
    version, _, debug = name.partition("-")
    major, minor = version.split(".")
    return int(major), int(minor.rstrip("t")), bool(debug)


def versions(table: Table) -> list[str]:
    names = {name.partition("-")[0] for row in table.values() for name in row}
    return sorted(names, key=key_of)


def render(table: Table, origin: dict[str, str]) -> str:
    columns = versions(table)
    text = HEAD.format(
        origin=", ".join(f"{name} ({origin[name]})" for name in sorted(origin, key=key_of))
    )
    text += "| type | " + " | ".join(columns) + " |\n|---|" + "---|" * len(columns) + "\n"
    for kind in table:
        row = table[kind]
        parts = []
        for name in columns:
            cell = row.get(name, Cell(ABSENT))
            debug = row.get(name + "-dbg", cell)
            word = cell.level
            if debug.level != cell.level:
                word += f"; debug: {debug.level}"
            parts.append(word)
        text += f"| `{kind}` | " + " | ".join(parts) + " |\n"
    text += "\n## Notes\n\n"
    for kind, row in table.items():
        notes: dict[str, list[str]] = {}
        for name in sorted(row, key=key_of):
            note = row[name].note
            release = row.get(name.partition("-")[0])
            if name.endswith("-dbg") and release is not None and release.note == note:
                continue
            if note or name.endswith("-dbg"):
                notes.setdefault(note, []).append(name)
        for note, names in notes.items():
            text += f"- `{kind}` ({' '.join(names)}): {note or 'all is told'}\n"
    return text


def parse(text: str) -> tuple[Table, dict[str, str]]:
    table: Table = {}
    columns: list[str] = []
    origin = dict(re.findall(r"(3\.\d+t?(?:-dbg)?) \(([^)]*)\)", text.partition("\n| type |")[0]))
    for line in text.splitlines():
        if line.startswith("| type |"):
            columns = [part.strip() for part in line.split("|")[2:-1]]
        elif line.startswith("| `") and columns:
            kind, *words = [part.strip() for part in line.split("|")[1:-1]]
            row = table.setdefault(kind.strip("`"), {})
            for name, word in zip(columns, words):
                release, _, debug = word.partition("; debug: ")
                row[name] = Cell(release)
                if name + "-dbg" in origin:
                    row[name + "-dbg"] = Cell(debug or release)
        elif match := re.match(r"- `([^`]*)` \(([^)]*)\): (.*)", line):
            kind, names, note = match.groups()
            for name in names.split():
                row = table[kind]
                row[name].note = "" if note == "all is told" else note
                if name + "-dbg" in row:
                    row[name + "-dbg"].note = row[name].note
    return table, origin


def compare(interpreter: Interpreter, seen: dict[str, Cell]) -> list[str]:
    """What the page says of an interpreter's column that is not so."""
    if not PATH.is_file():
        return ["doc/TYPES.md is not there"]
    table, origin = parse(PATH.read_text(encoding="utf-8"))
    name = column(interpreter)
    full = ".".join(map(str, interpreter.version))
    if name not in origin:
        return [f"doc/TYPES.md has no column {name}"]
    # Where the column stands for several releases, it is the worst of them.
    only = origin[name] == full
    problems = []
    for kind in dict.fromkeys([*table, *seen]):
        said = table.get(kind, {}).get(name, Cell(ABSENT))
        is_so = seen.get(kind, Cell(ABSENT))
        if said == is_so or (not only and worst(said, is_so) == said):
            continue
        problems.append(f"{kind}, {name}: says {said}, but it is {is_so}")
    return problems


_begun: set[str] = set()


def update(interpreter: Interpreter, seen: dict[str, Cell]) -> None:
    """Puts what was seen into the column, which the first interpreter of it that
    this process tests begins anew."""
    name = column(interpreter)
    full = ".".join(map(str, interpreter.version))
    table: Table = {}
    origin: dict[str, str] = {}
    if PATH.is_file():
        table, origin = parse(PATH.read_text(encoding="utf-8"))
    again = name in _begun
    for kind in [*table, *(k for k in seen if k not in table)]:
        row = table.setdefault(kind, {})
        cell = seen.get(kind, Cell(ABSENT))
        row[name] = worst(row[name], cell) if again and name in row else cell
    order = {kind: number for number, kind in enumerate(seen)}
    # New types stand where the catalogue has them.
    table = {k: table[k] for k in sorted(table, key=lambda k: order.get(k, len(order)))}
    table = {k: r for k, r in table.items() if any(c.level != ABSENT for c in r.values())}
    known = origin[name].split("+") if again else []
    origin[name] = "+".join(sorted({*known, full}, key=lambda v: tuple(map(int, v.split(".")))))
    _begun.add(name)
    PATH.write_text(render(table, origin), encoding="utf-8")
