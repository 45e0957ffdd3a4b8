# SPDX-License-Identifier: Apache-2.0
"""What offsets/fields.def, debug.def and models.def list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
OFFSETS = TOP / "offsets"

_FIELD = re.compile(
    r"^PYD_FIELD\((\w+),\s*(\w+),\s*(\d+),\s*([RO]),\s*\"([^\"]*)\"\)$",
    re.MULTILINE,
)
_DEBUG = re.compile(
    r"^PYD_DEBUG_FIELD\((\w+),\s*(\w+),\s*\"([^\"]+)\",\s*\"([^\"]*)\"\)$",
    re.MULTILINE,
)
_MODEL = re.compile(r"^PYD_MODEL\(([\w,\s]+)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Field:
    """One line of fields.def."""

    struct: str
    name: str
    width: int
    required: bool
    candidates: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.struct}.{self.name}"


def load_fields(path: Path = OFFSETS / "fields.def") -> list[Field]:
    """All fields, in the order of the file, which is that of a table."""
    text = path.read_text(encoding="utf-8")
    found = [
        Field(s, n, int(width), presence == "R", tuple(where.split("|")))
        for s, n, width, presence, where in _FIELD.findall(text)
    ]
    lines = sum(line.startswith("PYD_FIELD(") for line in text.splitlines())
    if len(found) != lines:
        raise ValueError(f"{path}: {lines - len(found)} lines do not parse")
    return found


def load_debug_fields(
    path: Path = OFFSETS / "debug.def",
) -> dict[str, tuple[str, str]]:
    """By field: what holds its offset and its struct's size ("" if nothing)."""
    text = path.read_text(encoding="utf-8")
    found = {f"{s}.{n}": (m, size) for s, n, m, size in _DEBUG.findall(text)}
    lines = [x for x in text.splitlines() if x.startswith("PYD_DEBUG_FIELD(")]
    if len(found) != len(lines):
        raise ValueError(f"{path}: {len(lines) - len(found)} lines too many")
    return found


def load_models(path: Path = OFFSETS / "models.def") -> dict[str, list[str]]:
    """The values that each model may have."""
    models = {}
    for args in _MODEL.findall(path.read_text(encoding="utf-8")):
        name, *values = (part.strip() for part in args.split(","))
        models[name] = values
    return models
