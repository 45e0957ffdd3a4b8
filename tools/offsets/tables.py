#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes all tables of offsets/ again, after fields.def has changed.

    tables.py [--git CPYTHON] [--check] [NAME...]

Each is made from the DWARF of the newest interpreter here that it is for;
where there is none, from the sources of a release, which are taken from a git
repository of CPython. A table that can be made from neither stays as it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import find
import generate
from definitions import OFFSETS, TOP
from structs import StructsError
from survey import unpack

sys.path.insert(0, str(TOP / "tests" / "e2e"))
from interpreters import Interpreter, discover  # noqa: E402


@dataclass(frozen=True)
class Recipe:
    """What a table is for. The ranges are what survey.py found."""

    name: str
    first: int
    last: int
    release: str  # in the range; its sources will do for lack of DWARF
    debug: bool = False
    free_threaded: bool = False

    def fits(self, i: Interpreter) -> bool:
        return (
            self.first <= i.hex <= self.last
            and self.debug == i.debug
            and self.free_threaded == i.free_threaded
        )


def _both(name: str, first: int, last: int, release: str) -> list[Recipe]:
    return [
        Recipe(name, first, last, release),
        Recipe(f"{name}-debug", first, last, release, debug=True),
    ]


# From the first release candidate on that has the layout of the release.
RECIPES = [
    # The runtime state, which has the GIL, grew in 3.7.4.
    *_both("cpython-3.7.0", 0x030700C1, 0x030703FF, "3.7.3"),
    *_both("cpython-3.7", 0x03070400, 0x0307FFFF, "3.7.17"),
    *_both("cpython-3.8", 0x030800F0, 0x0308FFFF, "3.8.20"),
    *_both("cpython-3.9", 0x030900C1, 0x0309FFFF, "3.9.25"),
    *_both("cpython-3.10", 0x030A00C1, 0x030AFFFF, "3.10.20"),
    *_both("cpython-3.11", 0x030B00C1, 0x030BFFFF, "3.11.15"),
    *_both("cpython-3.12", 0x030C00C2, 0x030CFFFF, "3.12.13"),
    *_both("cpython-3.13", 0x030D00C2, 0x030DFFFF, "3.13.15"),
    # The interpreter state grew in 3.14.4 and in 3.14.5.
    *_both("cpython-3.14.0", 0x030E00C1, 0x030E03FF, "3.14.3"),
    *_both("cpython-3.14.4", 0x030E0400, 0x030E04FF, "3.14.4"),
    *_both("cpython-3.14", 0x030E0500, 0x030EFFFF, "3.14.7"),
    *_both("cpython-3.15", 0x030F00C1, 0x030FFFFF, "3.15.0rc1"),
]


def _dwarf(recipe: Recipe) -> list[str] | None:
    """Arguments of generate.py for an interpreter that is here."""
    for i in reversed(discover()):
        if not recipe.fits(i):
            continue
        found = find.debug_information(i.path, i.prefix, i.root)
        if found:
            what = Path(i.path).name
            if found.name.startswith("libpython"):
                what = found.name
            version = ".".join(map(str, i.version))
            return ["--python", version, "--elf", str(found),
                    "--made-by", f"DWARF of {what} ({i.origin})"]
    return None


def _sources(recipe: Recipe, git: Path, tmp: Path) -> list[str] | None:
    """Arguments of generate.py for the sources of a release."""
    minor = tuple(map(int, recipe.release.split(".")[:2]))
    for i in discover():
        here = find.headers(i.version, i.debug, i.prefix, i.root)
        if i.version[:2] == minor and not i.debug and here:
            unpack(git, f"v{recipe.release}", tmp)
            return ["--python", recipe.release, "--source", str(tmp),
                    "--pyconfig", str(here[1])]
    return None


def _make(recipe: Recipe, git: Path | None, check: bool) -> str:
    """"made", "same" or why not."""
    with tempfile.TemporaryDirectory(prefix="pydumpd-tables-") as tmp:
        args = _dwarf(recipe)
        try:
            if args is None and git:
                args = _sources(recipe, git, Path(tmp))
        except StructsError as exc:
            return str(exc)
        if args is None:
            return "no interpreter with DWARF here, and no sources"
        args += ["--name", recipe.name,
                 "--min", f"0x{recipe.first:08x}",
                 "--max", f"0x{recipe.last:08x}"]
        args += ["--debug"] * recipe.debug
        args += ["--free-threaded"] * recipe.free_threaded
        args += ["--check"] * check
        if generate.main(args):
            return "failed"
        return "same" if check else "made"


def main(argv: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--git", type=Path, help="a git repository of CPython")
    p.add_argument("--check", action="store_true", help="compare, write nothing")
    p.add_argument("names", nargs="*")
    args = p.parse_args(argv)
    known = {r.name for r in RECIPES}
    for path in OFFSETS.glob("*.offsets"):
        if path.stem not in known:
            print(f"{path.name}: no recipe here", file=sys.stderr)
    status = 0
    for recipe in RECIPES:
        if args.names and recipe.name not in args.names:
            continue
        said = _make(recipe, args.git, args.check)
        print(f"{recipe.name}: {said}")
        status |= said not in ("made", "same")
    return status


if __name__ == "__main__":
    sys.exit(main())
