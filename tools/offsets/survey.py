#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which releases a table is right for: compares it with many git tags.

    survey.py --git CPYTHON --pyconfig DIR [--debug] [--free-threaded] TAG...

Makes a table from the sources of each tag, one after the other, and prints
"TAG same" or what differs from the table of offsets/ for that version. It is
how the hex_min and hex_max of a table are found; DIR has the pyconfig.h of
any build of that minor version.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from definitions import OFFSETS
from generate import differences, table_name
from structs import StructsError
from table import make_table, read_table

import build

_PARTS = ("Include", "Objects", "Python", "Parser", "Modules")


def unpack(git: Path, tag: str, out: Path) -> None:
    """The parts of a tag's tree that are compiled, with what they include."""
    with subprocess.Popen(
        ["git", "-C", str(git), "archive", "--format=tar", tag, *_PARTS],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as proc:
        assert proc.stdout is not None
        with tarfile.open(fileobj=proc.stdout, mode="r|") as tar:
            tar.extractall(out, filter="data")
    if proc.returncode:
        raise StructsError(f"git archive {tag} failed")


def main(argv: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--git", type=Path, required=True)
    p.add_argument("--pyconfig", type=Path, required=True)
    p.add_argument("--debug", action="store_true")
    p.add_argument("--free-threaded", action="store_true")
    p.add_argument("tags", nargs="+")
    args = p.parse_args(argv)
    defines = ["Py_DEBUG"] * args.debug
    defines += ["Py_GIL_DISABLED=1"] * args.free_threaded
    status = 0
    for tag in args.tags:
        match = re.match(r"v?(\d+)\.(\d+)", tag)
        if not match:
            p.error(f"{tag}: not a version's tag")
        version = (int(match[1]), int(match[2]))
        name = table_name(version, args.debug, args.free_threaded)
        kept = read_table(OFFSETS / f"{name}.offsets")
        with tempfile.TemporaryDirectory(prefix="pydumpd-survey-") as tmp:
            try:
                unpack(args.git, tag, Path(tmp))
                files = build.from_sources(
                    Path(tmp), args.pyconfig, defines, Path(tmp)
                )
                wrong = differences(make_table(files, version), kept)
            except StructsError as exc:
                wrong = [str(exc)]
        for line in wrong or ["same"]:
            print(f"{tag} {line}", flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main())
