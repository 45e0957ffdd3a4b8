# SPDX-License-Identifier: Apache-2.0
"""Where C members are, asked of debug information by structs.c."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent


class StructsError(Exception):
    """The debug information cannot be had or does not say."""


class Structs:
    """Answers queries from the debug information of some files."""

    def __init__(self, files: Sequence[Path], queries: Iterable[str]) -> None:
        wanted = sorted(set(queries))
        done = subprocess.run(
            [_helper(), *map(str, files)],
            input="\n".join(wanted) + "\n",
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StructsError(done.stderr.strip())
        self._bits: dict[str, tuple[int, int, int]] = {}
        self._why: dict[str, str] = {}
        for line in done.stdout.splitlines():
            query, *answer = line.split("\t")
            if len(answer) == 3:
                bit, size, width = map(int, answer)
                self._bits[query] = (bit, size, width)
            else:
                self._why[query] = answer[0]
                if answer[0] == "conflict":
                    raise StructsError(f"{query}: definitions differ")

    def __contains__(self, query: str) -> bool:
        return query in self._bits

    def bit(self, query: str) -> int:
        """Bits from the start of the outermost struct."""
        return self._bits[query][0]

    def size(self, query: str) -> int:
        """Bytes of what the query names."""
        return self._bits[query][1]

    def width(self, query: str) -> int:
        """Bits of a bit field; 0 of any other member."""
        return self._bits[query][2]

    def knows_type(self, query: str) -> bool:
        """False when the files do not define the query's struct at all."""
        return self._why.get(query) != "no type"


def _helper() -> str:
    """Path of the compiled structs.c, made once a process."""
    global _made
    if _made is None:
        folder = tempfile.mkdtemp(prefix="pydumpd-structs-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        tool = os.path.join(folder, "structs")
        cc = os.environ.get("CC", "cc")
        done = subprocess.run(
            [cc, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-o", tool,
             str(HERE / "structs.c"), "-ldw"],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StructsError(f"cannot compile structs.c: {done.stderr}")
        _made = tool
    return _made


_made: str | None = None
