# SPDX-License-Identifier: Apache-2.0
"""A table: the offsets and models of one CPython version and build."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from definitions import Field, load_debug_fields, load_fields, load_models
from structs import Structs, StructsError

ABSENT = "absent"
_DEBUG = "_Py_DebugOffsets"
# Asked beside the fields, because models follow from them.
_FACTS = (
    "_PyInterpreterFrame.f_executable.bits",
    "_object.ob_refcnt_split",
    "_object.ob_flags",
    "PyCodeObject.co_lnotab",
)


@dataclass
class Table:
    """What a file in offsets/ holds."""

    header: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    offsets: dict[str, int | None] = field(default_factory=dict)
    # Places in _Py_DebugOffsets: of an offset, and of its struct's size.
    debug: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    debug_size: int | None = None
    # Fields whose struct the input does not define: unknown, not absent.
    unknown: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            "# SPDX-License-Identifier: Apache-2.0",
            "# Made by tools/offsets/generate.py; do not edit.",
            *(f"{k} = {v}" for k, v in self.header.items()),
            *(f"model.{k} = {v}" for k, v in self.models.items()),
        ]
        for key, value in self.offsets.items():
            lines.append(f"{key} = {ABSENT if value is None else value}")
        if self.debug_size is not None:
            lines.append(f"debug_size = {self.debug_size}")
        for key, (place, size) in self.debug.items():
            within = "" if size is None else f" within {size}"
            lines.append(f"debug.{key} = {place}{within}")
        return "\n".join(lines) + "\n"


def read_table(path: Path) -> Table:
    """Parses a table file."""
    table = Table()
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        key, _, value = (part.strip() for part in line.partition("="))
        if key.startswith("model."):
            table.models[key[len("model."):]] = value
        elif key.startswith("debug."):
            place, *size = value.split(" within ")
            table.debug[key[len("debug."):]] = (
                int(place), int(size[0]) if size else None
            )
        elif key == "debug_size":
            table.debug_size = int(value)
        elif "." in key:
            table.offsets[key] = None if value == ABSENT else int(value)
        else:
            table.header[key] = value
    return table


def make_table(files: list[Path], version: tuple[int, int]) -> Table:
    """Offsets and models of files, for CPython version (major, minor)."""
    fields = load_fields()
    queries = set(_FACTS)
    for f in fields:
        queries.update(_plain(c) for c in f.candidates)
    debug_fields = load_debug_fields()
    queries.add(f"sizeof({_DEBUG})")
    for names in debug_fields.values():
        queries.update(f"{_DEBUG}.{name}" for name in names if name)
    structs = Structs(files, queries)
    table = Table()
    state = structs.bit("PyASCIIObject.state")
    for f in fields:
        value, known = _offset(structs, f, state)
        if value is None and not known:
            table.unknown.append(f.key)
        table.offsets[f.key] = value
    _settle(table)
    missing = [f.key for f in fields
               if f.required and table.offsets[f.key] is None
               and f.key not in table.unknown]
    if missing:
        raise StructsError(f"required fields not found: {', '.join(missing)}")
    table.models = _models(structs, table, version)
    if f"sizeof({_DEBUG})" in structs:
        table.debug_size = structs.size(f"sizeof({_DEBUG})")
        table.debug = _debug(structs, debug_fields)
    return table


def _debug(
    structs: Structs, fields: dict[str, tuple[str, str]]
) -> dict[str, tuple[int, int | None]]:
    def place(member: str) -> int | None:
        query = f"{_DEBUG}.{member}"
        return structs.bit(query) // 8 if query in structs else None

    places = {}
    for key, (member, size) in fields.items():
        where = place(member)
        if where is not None:
            places[key] = (where, place(size) if size else None)
    return places


def _plain(candidate: str) -> str:
    if candidate.startswith("bit("):
        return candidate[4:-1]
    return candidate


def _offset(
    structs: Structs, f: Field, state: int
) -> tuple[int | None, bool]:
    """The value of the first candidate there is, and whether that is all."""
    known = False
    for candidate in f.candidates:
        query = _plain(candidate)
        known |= structs.knows_type(query)
        if query not in structs:
            continue
        if candidate.startswith("bit("):
            return structs.bit(query) - state, True
        if candidate.startswith("sizeof("):
            return structs.size(query), True
        if structs.bit(query) % 8:
            raise StructsError(f"{f.key}: a bit field")
        return structs.bit(query) // 8, True
    return None, known


def _settle(table: Table) -> None:
    """Places what C aligns."""
    for key in ("runtime.gc_generations", "interp.gc_generations"):
        # Debian's 3.13 packs PyGC_Head to 4 bytes, python.org's does not: the
        # table is for both, and src/walk/gcroots.c finds out.
        value = table.offsets[key]
        if value is not None:
            table.offsets[key] = (value + 7) & ~7


def _models(
    structs: Structs, table: Table, version: tuple[int, int]
) -> dict[str, str]:
    off = table.offsets

    def has(key: str) -> bool:
        return off[key] is not None

    m = {}
    m["int"] = "tag" if has("long.lv_tag") else "size"
    m["dictkeys"] = "kinded" if has("dictkeys.dk_kind") else "hashed"
    if has("dictvalues.capacity"):
        m["dictvalues"] = "header"
    else:
        m["dictvalues"] = "prefixed" if has("dictvalues.values") else "array"
    # Where attributes are is computed in code, not named in a struct.
    m["attrs"] = (
        "dictoffset" if version <= (3, 10)
        else {(3, 11): "split311", (3, 12): "tagged312",
              (3, 13): "inline313"}.get(version, "inline314")
    )
    if "PyCodeObject.co_lnotab" in structs:
        m["linetable"] = "lnotab"
    else:
        m["linetable"] = "locations" if has("code.co_qualname") else "deltas"
    m["lasti"] = "units" if version == (3, 10) else "bytes"
    tagged = "_PyInterpreterFrame.f_executable.bits" in structs
    m["stackref"] = "tagged" if tagged and version >= (3, 14) else "plain"
    m["excinfo"] = "triple" if has("excinfo.exc_type") else "value"
    if not has("gen.gi_frame_state"):
        m["genstate"] = "frame"
    elif version <= (3, 12):
        m["genstate"] = "v311"
    else:
        m["genstate"] = "v313" if version <= (3, 14) else "v315"
    if has("object.ob_ref_local"):
        m["refcount"] = "biased"
    else:
        split = ("_object.ob_refcnt_split" in structs
                 or "_object.ob_flags" in structs)
        m["refcount"] = "split" if split else "plain"
    m["typedict"] = "perinterp" if has("interp.static_types") else "plain"
    if version >= (3, 12):
        m["evalcall"] = "shim"
    else:
        m["evalcall"] = "cframe" if has("cframe.previous") else "frame"
    allowed = load_models()
    if set(m) != set(allowed):
        raise StructsError(f"models: {set(m) ^ set(allowed)}")
    for name, value in m.items():
        if value not in allowed[name]:
            raise StructsError(f"model {name} has no value {value}")
    return m
