# SPDX-License-Identifier: Apache-2.0
"""Debug information from headers or sources, by compiling them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from structs import StructsError

# Structs that are in no header are in these; together with the headers that
# they include they define everything that fields.def names.
SOURCES = (
    "Objects/descrobject.c",
    "Objects/funcobject.c",
    "Objects/rangeobject.c",
    "Objects/typeobject.c",
    "Objects/dictobject.c",
    "Objects/frameobject.c",
    "Objects/genobject.c",
    "Objects/moduleobject.c",
    "Python/pystate.c",
)

_HEADERS = (
    "Python.h",
    "frameobject.h",
    "structmember.h",
    "internal/pystate.h",
    "internal/pycore_object.h",
    "internal/pycore_pystate.h",
    "internal/pycore_runtime.h",
    "internal/pycore_interp.h",
    "internal/pycore_dict.h",
    "internal/pycore_frame.h",
    "internal/pycore_interpframe_structs.h",
    "internal/pycore_interpframe.h",
    "internal/pycore_typeobject.h",
    "internal/pycore_gil.h",
    "internal/pycore_genobject.h",
    "internal/pycore_function.h",
)

_FLAGS = ("-g", "-O0", "-w", "-fPIC", "-fno-eliminate-unused-debug-types",
          "-DPy_BUILD_CORE", "-std=c11", "-D_GNU_SOURCE")


def _compile(args: Sequence[str]) -> None:
    cc = os.environ.get("CC", "cc")
    done = subprocess.run([cc, *_FLAGS, *args], capture_output=True, text=True)
    if done.returncode:
        lines = [x for x in done.stderr.splitlines() if "error" in x]
        raise StructsError(f"cannot compile {args[-1]}: {lines[:3]}")


def from_headers(
    include: Path, pyconfig: Path, defines: Sequence[str], out: Path
) -> list[Path]:
    """Compiles what an installed interpreter's headers define."""
    shim = out / "headers.c"
    shim.write_text(
        "".join(
            f"#if __has_include({h!r})\n#include {h!r}\n#endif\n".replace(
                "'", '"'
            )
            for h in _HEADERS
        ),
        encoding="utf-8",
    )
    obj = out / "headers.o"
    _compile(
        [f"-I{include}", f"-I{include}/internal", f"-I{pyconfig}",
         # Debian's pyconfig.h includes another by its path in /usr/include.
         "-idirafter", str(include.parent),
         *(f"-D{d}" for d in defines), "-c", "-o", str(obj), str(shim)]
    )
    return [obj]


def from_sources(
    tree: Path, pyconfig: Path, defines: Sequence[str], out: Path
) -> list[Path]:
    """Compiles the sources of a CPython tree that define what we ask for."""
    objs = []
    for source in SOURCES:
        obj = out / (Path(source).stem + ".o")
        _compile(
            [f"-I{tree}/Include", f"-I{tree}/Include/internal",
             f"-I{tree}/Include/internal/mimalloc", f"-I{tree}/Objects",
             f"-I{tree}/Python", f"-I{tree}", f"-I{pyconfig}",
             *(f"-D{d}" for d in defines),
             '-DPLATLIBDIR="lib"', '-DABIFLAGS=""', '-DSOABI=""',
             "-c", "-o", str(obj), str(tree / source)]
        )
        objs.append(obj)
    return objs
