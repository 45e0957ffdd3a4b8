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


# What some modules are built with, by a part of their path.
_MODULE_FLAGS = {
    "_decimal/": ("-DCONFIG_64=1", "-DANSI=1", "-DHAVE_UINT128_T=1",
                  "-DASM=1", "-I{tree}/Modules/_decimal/libmpdec"),
    "_elementtree": ("-DUSE_PYEXPAT_CAPI", "-I{tree}/Modules/expat"),
    "pyexpat": ("-I{tree}/Modules/expat", "-DXML_STATIC=1",
                "-DHAVE_EXPAT_CONFIG_H=1"),
    "_sqlite/": ("-DMODULE_NAME=\"sqlite3\"",),
    "_ctypes/": ("-DUSING_MALLOC_CLOSURE_DOT_C=1", "-DHAVE_FFI_PREP_CIF_VAR=1",
                 "-DHAVE_FFI_PREP_CLOSURE_LOC=1", "-DHAVE_FFI_CLOSURE_ALLOC=1"),
    "posixmodule": ("-DMULTIARCH=\"\"",),
}

# What no described struct depends on, and whose headers may be older or not
# here at all although some build had them.
_NOT_NEEDED = ("HAVE_BLUETOOTH_BLUETOOTH_H", "HAVE_BLUETOOTH_H", "HAVE_STATX",
               "HAVE_LINUX_STATX")


def from_module(
    tree: Path, source: str, pyconfig: Path, defines: Sequence[str], out: Path
) -> Path:
    """Compiles one source of a CPython tree, of an extension module too.

    What is in out already is not made again.
    """
    obj = out / (source.replace("/", "-")[:-2] + ".o")
    if obj.exists():
        return obj  # of an earlier run, in a folder that is kept
    config = out / "pyconfig"
    config.mkdir(exist_ok=True)
    (config / "pyconfig.h").write_text(
        f'#include "{pyconfig}/pyconfig.h"\n'
        + "".join(f"#undef {name}\n" for name in _NOT_NEEDED),
        encoding="utf-8",
    )
    more = [
        flag.format(tree=tree)
        for part, flags in _MODULE_FLAGS.items() if part in source
        for flag in flags
    ]
    args = (
        [f"-I{tree}/Include", f"-I{tree}/Include/internal",
         f"-I{tree}/Include/internal/mimalloc", f"-I{tree}/Objects",
         f"-I{tree}/Python", f"-I{tree}/Modules", f"-I{tree}/Modules/_hacl",
         f"-I{tree}/Modules/_hacl/include",
         f"-I{tree}", f"-I{config}", *(f"-D{d}" for d in defines),
         '-DPLATLIBDIR="lib"', '-DABIFLAGS=""', '-DSOABI=""',
         *(["-DPy_BUILD_CORE_MODULE"] if source.startswith("Modules/") else []),
         *more,
         "-c", "-o", str(obj), str(tree / source)]
    )
    try:
        _compile(args)
    except StructsError:
        # 3.7 has modules that only compile as those of other people.
        try:
            _compile(["-UPy_BUILD_CORE", "-UPy_BUILD_CORE_MODULE",
                      *(a for a in args if a != "-DPy_BUILD_CORE_MODULE")])
        except StructsError:
            _compile(args)
    return obj


def strings(obj: Path) -> bytes:
    """The constant data of an object file, which has all names in it."""
    raw = obj.with_suffix(".rodata")
    done = subprocess.run(
        ["objcopy", "-O", "binary", "-j", ".rodata", "-j", ".rodata.*",
         str(obj), str(raw)],
        capture_output=True, text=True,
    )
    if done.returncode:
        raise StructsError(f"objcopy {obj.name}: {done.stderr.strip()}")
    return b"\0" + raw.read_bytes()
