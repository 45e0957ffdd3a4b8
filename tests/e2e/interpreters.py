# SPDX-License-Identifier: Apache-2.0
"""Finds every CPython on this machine that targets can run under.

Run as a program it lists them, one a line.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterator

OLDEST = (3, 7)
PROBE = """
import sys, sysconfig, json
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "hex": sys.hexversion,
    "debug": hasattr(sys, "gettotalrefcount"),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "shared": bool(sysconfig.get_config_var("Py_ENABLE_SHARED")),
    "prefix": sys.base_prefix,
    "implementation": sys.implementation.name,
}))
"""


@dataclasses.dataclass(frozen=True)
class Interpreter:
    """One CPython: its path inside root, which is None for this system."""

    path: str
    root: str | None
    origin: str
    version: tuple[int, int, int]
    hex: int
    debug: bool
    free_threaded: bool
    prefix: str

    @property
    def key(self) -> str:
        """A name for test ids: "3.13.5-dbg-trixie"."""
        version = ".".join(map(str, self.version))
        return f"{version}{self.suffix}-{self.origin}"

    @property
    def suffix(self) -> str:
        return ("t" if self.free_threaded else "") + ("-dbg" if self.debug else "")

    @property
    def short(self) -> str:
        """What PYDUMPD_REQUIRE names: "3.13" or "3.13-dbg"."""
        return f"{self.version[0]}.{self.version[1]}{self.suffix}"

    def argv(self, *args: str) -> list[str]:
        """The command that runs it with args; paths are as seen in root."""
        if self.root is None:
            return [self.path, *args]
        return ["chroot", self.root, self.path, *args]

    def outside(self, path: str) -> Path:
        """Where a path of the interpreter's world is in ours."""
        return Path((self.root or "") + path)


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """What targets run with: nothing of ours that changes an interpreter."""
    env = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("PYTHON", "PYENV", "VIRTUAL_ENV"))
    }
    env.update(PYTHONDONTWRITEBYTECODE="1", PYTHONIOENCODING="utf-8")
    env.update(extra or {})
    return env


def probe(path: str, root: str | None, origin: str) -> Interpreter | None:
    argv = [path] if root is None else ["chroot", root, path]
    try:
        done = subprocess.run(
            [*argv, "-S", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=60,
            check=True,
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    version = tuple(found["version"])
    if found["implementation"] != "cpython" or version < OLDEST:
        return None
    return Interpreter(
        path=path,
        root=root,
        origin=origin,
        version=version,
        hex=found["hex"],
        debug=found["debug"],
        free_threaded=found["free_threaded"],
        prefix=found["prefix"],
    )


def binaries(folder: Path) -> list[str]:
    """Names of interpreters in a bin folder, links to others left out."""
    pattern = re.compile(r"python3\.\d+t?(-dbg)?")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [n for n in names if pattern.fullmatch(n)]


def suites_folder() -> Path:
    """Where tools/interpreters.sh puts the systems that it makes."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("PYDUMPD_CACHE") or f"{cache}/pydumpd") / "suites"


def candidates() -> Iterator[tuple[str, str | None, str]]:
    for path in filter(None, os.environ.get("PYDUMPD_INTERPRETERS", "").split(":")):
        yield path, None, "given"
    pyenv = Path(os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv"))
    for version in sorted(pyenv.glob("versions/*")):
        if not version.is_symlink():
            yield str(version / "bin" / "python3"), None, "pyenv"
    for folder, origin in (("/usr/bin", "system"), ("/usr/local/bin", "local")):
        for name in binaries(Path(folder)):
            yield f"{folder}/{name}", None, origin
    if os.geteuid() == 0:
        for suite in sorted(suites_folder().glob("*")):
            for name in binaries(suite / "usr/bin"):
                yield f"/usr/bin/{name}", str(suite), suite.name


@functools.lru_cache(maxsize=None)
def discover() -> tuple[Interpreter, ...]:
    """All of them, by version; the same file is taken once."""
    found: dict[tuple[str | None, str], Interpreter] = {}
    for path, root, origin in candidates():
        real = os.path.realpath(path) if root is None else path
        if (root, real) in found:
            continue
        interpreter = probe(path, root, origin)
        if interpreter is not None:
            found[root, real] = interpreter
    return tuple(sorted(found.values(), key=lambda i: (i.version, i.debug, i.origin)))


def one_of_each() -> tuple[Interpreter, ...]:
    """Of each version and kind of build the newest."""
    return tuple({i.short: i for i in discover()}.values())


def newest() -> Interpreter:
    """The newest release build that shares our file system."""
    here = [i for i in discover() if i.root is None and not i.debug]
    return here[-1] if here else discover()[-1]


def required() -> list[str]:
    """What must be there, by PYDUMPD_REQUIRE: "3.9 3.13-dbg"."""
    return os.environ.get("PYDUMPD_REQUIRE", "").replace(",", " ").split()


def missing() -> list[str]:
    here = {i.short for i in discover()}
    return [r for r in required() if r not in here]


def main() -> int:
    for interpreter in discover():
        print(interpreter.key, " ".join(interpreter.argv()))
    for name in missing():
        print(f"missing: {name}", file=sys.stderr)
    return 1 if missing() else 0


if __name__ == "__main__":
    sys.exit(main())
