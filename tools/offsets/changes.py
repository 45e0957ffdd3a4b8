#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""In which releases of a minor version the structs of C types changed.

    changes.py --git CPYTHON 3.12...

Compares the text of the struct definitions in the sources that
offsets/types/*.spec name, and in all headers, from each release to the next,
and prints "OLD NEW FILE STRUCT...". What a described type is made of there
wants OLD and the source in the RECIPES of records.py. A macro that changes a
size is not seen.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from recordspec import load

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_STRUCT = re.compile(
    r"^(?:typedef\s+)?struct(?:\s+\w+)?\s*\{.*?^\}[^\n{]*;"
    r"|^#\s*define \w*HEAD\w*.*?[^\\]\n",
    re.DOTALL | re.MULTILINE,
)
# Made from other files, or other people's: nothing of ours is in them.
_SKIPPED = re.compile(
    r"clinic|_hacl|mimalloc|/expat/|opcode|libmpdec|unicodedata_db"
    r"|unicodename|ssl_data"
)


class Releases:
    """The tags of a git repository of CPython."""

    def __init__(self, git: Path) -> None:
        self.git = git
        self.tags = self._run("tag").split()

    def _run(self, *args: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.git), *args],
            capture_output=True, text=True, errors="replace",
        )
        return done.stdout

    def of(self, minor: str) -> list[str]:
        pattern = re.compile(rf"v{re.escape(minor)}\.(\d+)")
        found = [(int(m[1]), tag) for tag in self.tags
                 if (m := pattern.fullmatch(tag))]
        return [tag for _, tag in sorted(found)]

    def changed(self, old: str, new: str) -> list[str]:
        return self._run("diff", "--name-only", old, new, "--", "Include",
                         "Modules", "Objects", "Python").splitlines()

    def structs(self, tag: str, path: str) -> set[str]:
        text = _COMMENT.sub("", self._run("show", f"{tag}:{path}"))
        return {" ".join(m[0].split()) for m in _STRUCT.finditer(text)}


def _name(struct: str) -> str:
    """What a definition defines, for people."""
    behind = struct.rpartition("}")[2].strip(" ;")
    return behind or " ".join(struct.split()[:3]).strip(" {")


def main(argv: Sequence[str] | None = None) -> int:
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--git", type=Path, required=True)
    p.add_argument("minors", nargs="+", metavar="X.Y")
    args = p.parse_args(argv)
    releases = Releases(args.git)
    sources = {path for source in load() for path in source.paths}
    for minor in args.minors:
        tags = releases.of(minor)
        for old, new in zip(tags, tags[1:]):
            for path in releases.changed(old, new):
                if path not in sources and not path.endswith(".h"):
                    continue
                if _SKIPPED.search(path):
                    continue
                before = releases.structs(old, path)
                after = releases.structs(new, path)
                if before != after:
                    names = sorted(map(_name, before ^ after))
                    print(old, new, path, *dict.fromkeys(names), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
