# SPDX-License-Identifier: Apache-2.0
"""Finds what an interpreter has to tell offsets by: DWARF and headers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def _readelf(option: str, path: Path) -> str:
    done = subprocess.run(
        ["readelf", "-W", option, str(path)], capture_output=True, text=True
    )
    return done.stdout


def has_dwarf(path: Path) -> bool:
    return path.is_file() and " .debug_info " in _readelf("-S", path)


def _inside(root: Path, path: Path) -> Path:
    """Resolves links as they are meant inside of root."""
    for _ in range(16):
        if not path.is_symlink():
            break
        link = path.readlink()
        if link.is_absolute():
            path = root / str(link).lstrip("/")
        else:
            path = path.parent / link
    return path


def debug_information(
    executable: str, prefix: str, root: str | None
) -> Path | None:
    """A file with the DWARF of an interpreter, or None.

    executable and prefix are paths inside of root. It is in the executable,
    in the libpython that it is linked to, or in a detached file that the
    build id leads to.
    """
    top = Path(root or "/")
    exe = _inside(top, top / executable.lstrip("/"))
    objects = [exe]
    for name in re.findall(
        r"\(NEEDED\).*\[(libpython3\.[^\]]+)\]", _readelf("-d", exe)
    ):
        objects.append(top / prefix.lstrip("/") / "lib" / name)
    for obj in reversed(objects):
        if has_dwarf(obj):
            return obj
        match = re.search(r"Build ID: ([0-9a-f]+)", _readelf("-n", obj))
        if match:
            detached = (
                top / "usr/lib/debug/.build-id" / match[1][:2]
                / f"{match[1][2:]}.debug"
            )
            if has_dwarf(detached):
                return detached
    return None


def headers(
    version: tuple[int, ...], debug: bool, prefix: str, root: str | None
) -> tuple[Path, Path] | None:
    """The include folder and that of pyconfig.h, or None."""
    include = Path(root or "/") / prefix.lstrip("/") / "include"
    name = f"python{version[0]}.{version[1]}"
    names = [name + "d"] if debug else [name + "m", name]
    for n in names:
        folder = include / n
        if not (folder / "internal").is_dir():
            continue
        # Debian's pyconfig.h only includes that of the machine.
        for config in (*include.glob(f"*-linux-gnu/{n}"), folder):
            if (config / "pyconfig.h").is_file():
                return folder, config
    return None
