# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that no stock linter knows.

- layers: a folder of src/ includes only folders before it in LAYERS, so that
  knowledge runs one way (doc/ARCHITECTURE.md says why they stand in this order);
- versions: only src/layout/ compares versions of Python;
- places: no path of one person's machine;
- licence: every source file begins with its SPDX line;
- recursion: no function of src/ calls itself, for target data may be deep.

Exit status 1 when a rule is broken; each finding is "file:line: text".
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

TOP = Path(__file__).resolve().parents[2]

# From left to right. A layer may include those before it and itself.
LAYERS = [
    "base",
    "secrets",
    "target",
    "native",
    "layout",
    "read",
    "dump",
    "runtime",
    "walk",
    "watch",
    "analyze",
    "cmd",
]
# Narrower than the order: the file format knows nodes and nothing of targets,
# and of versions how reprs differ.
ONLY = {"dump": {"base/", "read/node.h", "layout/reprs.h"}}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
VERSION = re.compile(
    r"0x03[01][0-9a-f][0-9a-f]{4}\b"  # a hexversion
    r"|\bPY_VERSION_HEX\b|\bPY_(MAJOR|MINOR)_VERSION\b"
    r"|\b(hex|hexversion|py_?version|minor)\s*(<=?|>=?|==|!=)"
    r"|\bhex_(min|max)\b",
    re.IGNORECASE,
)
PLACE = re.compile(r"(?<![\w.])/(work|farm|root|home/\w+|Users)/")
SPDX = "SPDX-License-Identifier: Apache-2.0"
SOURCES = {".c", ".h", ".py", ".sh", ".def", ".mk"}

Finding = Tuple[Path, int, str]


def files() -> list[Path]:
    """What git knows, or what is there where git is not."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=TOP,
            capture_output=True,
            check=True,
        ).stdout.decode()
        names = [n for n in listed.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(TOP)) for p in TOP.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith(("build/", "."))]
    return [Path(n) for n in names if (TOP / n).is_file()]


def text(path: Path) -> str:
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def check_layers(path: Path) -> Iterator[Finding]:
    parts = path.parts
    if parts[0] == "include":
        layer = "base"
    elif parts[0] == "src" and len(parts) > 2:
        layer = parts[1]
    else:
        return
    if layer not in LAYERS:
        yield path, 1, f"layer {layer} is not in the order of tools/lint/check.py"
        return
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    for number, line in enumerate(text(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match[1]
        if parts[0] == "include" and not name.startswith("pydumpd/"):
            yield path, number, f"the public API includes {name}"
        other = name.split("/")[0]
        if "/" not in name or other not in LAYERS or other == layer:
            continue
        narrow = ONLY.get(layer)
        if other not in allowed:
            yield path, number, f"layer {layer} may not know {other}: {name}"
        elif narrow and not any(name.startswith(n) for n in narrow):
            yield path, number, f"layer {layer} may know {sorted(narrow)}: {name}"


def check_versions(path: Path) -> Iterator[Finding]:
    if path.parts[0] != "src" or path.parts[1] == "layout":
        return
    for number, line in enumerate(text(path).splitlines(), 1):
        code = re.sub(r"/\*.*?\*/|//.*", "", line)
        if code.lstrip().startswith("*"):
            continue
        if VERSION.search(code):
            yield path, number, f"a version is compared outside layout: {line.strip()}"


def check_places(path: Path) -> Iterator[Finding]:
    if path.suffix in {".xz", ".zst", ".png", ".pydump"}:
        return
    for number, line in enumerate(text(path).splitlines(), 1):
        if PLACE.search(line) and "lint: place" not in line:
            yield path, number, f"a path of one machine: {line.strip()[:80]}"


def check_licence(path: Path) -> Iterator[Finding]:
    known = path.suffix in SOURCES or path.name == "Makefile"
    if known and text(path) and SPDX not in "\n".join(text(path).splitlines()[:3]):
        yield path, 1, "no SPDX line at the top"


def check_recursion(path: Path) -> Iterator[Finding]:
    """Functions of src/ that call themselves: no recursion over target data."""
    if path.suffix != ".c" or path.parts[0] != "src":
        return
    name, start = None, 0
    for number, line in enumerate(text(path).splitlines(), 1):
        head = re.match(r"[a-z][\w\s*]*?\b(\w+)\([^;]*$", line)
        if head and not line.startswith(("\t", " ", "#", "/", "return")):
            name, start = head[1], number
        elif line.startswith("}"):
            name = None
        elif name and number > start and re.search(rf"(?<![\w.>]){name}\(", line):
            if line.startswith("\t"):
                yield path, number, f"{name}() calls itself"


CHECKS = [
    check_layers,
    check_versions,
    check_places,
    check_licence,
    check_recursion,
]


def main() -> int:
    findings = 0
    for path in files():
        for check in CHECKS:
            for where, number, message in check(path):
                print(f"{where}:{number}: {message}")
                findings += 1
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
