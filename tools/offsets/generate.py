#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a table of offsets from DWARF, from headers or from sources.

    generate.py --python 3.11.7 --elf libpython3.11.so.1.0
    generate.py --python 3.11.7 --debug --source cpython --pyconfig DIR
    generate.py --python 3.15.0 --headers /usr/include/python3.15 \\
        --pyconfig /usr/include/x86_64-linux-gnu/python3.15 --check

The table goes to offsets/; with --check it is compared with what is there
and nothing is written. Headers alone lack the structs that only .c files
define, so that they can check a table but not make one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from definitions import OFFSETS, load_fields
from structs import StructsError
from table import Table, make_table, read_table

import build


def table_name(
    version: Sequence[int], debug: bool, free_threaded: bool
) -> str:
    """The name of the table of a version and build, and of its file."""
    name = f"cpython-{version[0]}.{version[1]}"
    if free_threaded:
        name += "t"
    return name + ("-debug" if debug else "")


def differences(made: Table, kept: Table) -> list[str]:
    """What two tables say differently, but for what made does not know."""
    out = []
    for what, a, b in (
        ("", made.offsets, kept.offsets),
        ("model.", made.models, kept.models),
        ("debug.", made.debug, kept.debug),
        ("", {"debug_size": made.debug_size}, {"debug_size": kept.debug_size}),
    ):
        for key in [*a, *(k for k in b if k not in a)]:
            if key in made.unknown and not what:
                continue
            if key not in a or key not in b or a[key] != b[key]:
                out.append(
                    f"{what}{key}: made {a.get(key, 'nothing')}, "
                    f"table has {b.get(key, 'nothing')}"
                )
    return out


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--python", required=True, metavar="X.Y.Z")
    p.add_argument("--debug", action="store_true", help="built with Py_DEBUG")
    p.add_argument("--free-threaded", action="store_true")
    p.add_argument("--min", help="first sys.hexversion (default: X.Y.0 final)")
    p.add_argument("--max", help="last sys.hexversion (default: of X.Y)")
    p.add_argument("--made-by", help="how, for the table's provenance")
    p.add_argument("--name", help="of the table")
    p.add_argument("--elf", type=Path, nargs="+", default=[])
    p.add_argument("--source", type=Path, help="a tree of CPython's sources")
    p.add_argument("--headers", type=Path, help="an include directory")
    p.add_argument("--pyconfig", type=Path, help="where pyconfig.h is")
    p.add_argument("--check", action="store_true")
    p.add_argument("-o", "--out", type=Path, default=OFFSETS)
    args = p.parse_args(argv)
    inputs = [bool(args.elf), bool(args.source), bool(args.headers)]
    if sum(inputs) != 1:
        p.error("one of --elf, --source and --headers is needed")
    if not args.elf and not args.pyconfig:
        p.error("--source and --headers need --pyconfig")
    if args.headers and not args.check:
        p.error("headers lack some structs: --headers needs --check")
    return args


def _make(args: argparse.Namespace, version: Sequence[int]) -> Table:
    short = (version[0], version[1])
    if args.elf:
        return make_table(args.elf, short)
    defines = ["Py_DEBUG"] * args.debug
    defines += ["Py_GIL_DISABLED=1"] * args.free_threaded
    with tempfile.TemporaryDirectory(prefix="pydumpd-offsets-") as tmp:
        if args.source:
            files = build.from_sources(
                args.source, args.pyconfig, defines, Path(tmp)
            )
        else:
            files = build.from_headers(
                args.headers, args.pyconfig, defines, Path(tmp)
            )
        return make_table(files, short)


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    version = [int(part) for part in args.python.split(".")[:2]]
    name = args.name or table_name(version, args.debug, args.free_threaded)
    path = args.out / f"{name}.offsets"
    try:
        table = _make(args, version)
    except StructsError as exc:
        print(f"generate.py: {name}: {exc}", file=sys.stderr)
        return 1
    if args.check:
        wrong = differences(table, read_table(path))
        for line in wrong:
            print(f"{path.name}: {line}")
        return 1 if wrong else 0
    lacking = [f.key for f in load_fields()
               if f.required and table.offsets[f.key] is None]
    if lacking:
        print(f"generate.py: {name}: no definition of {', '.join(lacking)}",
              file=sys.stderr)
        return 1
    flags = [f for f, on in (("debug", args.debug),
                             ("free-threaded", args.free_threaded)) if on]
    minor = f"0x{version[0]:02x}{version[1]:02x}"
    how = args.made_by or (
        f"DWARF of {', '.join(p.name for p in args.elf)}" if args.elf
        else "sources compiled" + ("" if not args.debug else " with Py_DEBUG")
    )
    table.header = {
        "name": name,
        "interpreter": f"CPython {args.python}",
        "flags": " ".join(flags) or "none",
        "hex_min": args.min or f"{minor}00f0",
        "hex_max": args.max or f"{minor}ffff",
        "made_by": how,
    }
    path.write_text(table.text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
