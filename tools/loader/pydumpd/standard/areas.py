# SPDX-License-Identifier: Apache-2.0
"""Which modules of this package know the types of which packages, so that no
more of them load than a dump takes."""

from typing import Dict, List

#: Module -> the packages whose types it registers: the first word of their full
#: names, which of builtins are names as they are. tests/loader/test_areas.py
#: holds it against what the modules register.
AREAS: Dict[str, str] = {
    "asyncio_": "TaskStepMethWrapper TaskWakeupMethWrapper _asyncio",
    "collections_": "collections functools",
    "ctypes_": "_ctypes ctypes",
    "data_": "Struct _random _struct array memoryview mmap random",
    "datetime_": "datetime",
    "documents_": "_csv _elementtree csv sqlite3 xml",
    "enum_": "enum",
    "extensions_": "_cython builtins cython_function_or_method fused_cython_function numpy",
    "fractions_": "fractions",
    "frozendict_": "frozendict",
    "generics_": "_zoneinfo annotationlib types typing zoneinfo",
    "hashes_": "_blake2 _hashlib _md5 _sha1 _sha2 _sha256 _sha3 _sha512",
    "io_": "_io nt posix",
    "ipaddress_": "ipaddress",
    "iterators_": "_collections array arrayiterator bytearray_iterator bytes_iterator"
    " callable_iterator collections dict_itemiterator dict_items dict_keyiterator dict_keys"
    " dict_reverseitemiterator dict_reversekeyiterator dict_reversevalueiterator"
    " dict_valueiterator dict_values enumerate filter iterator list_iterator"
    " list_reverseiterator longrange_iterator map memory_iterator odict_items odict_iterator"
    " odict_keys odict_values range_iterator reversed set_iterator str_ascii_iterator"
    " str_iterator tuple_iterator zip",
    "itertools_": "itertools operator",
    "library_": "asyncio codecs dataclasses logging sentinel tempfile threading typing weakref",
    "net_": "PyCapsule _socket _thread asyncio socket",
    "numbers_": "decimal",
    "numpy_": "numpy",
    "numpy_scalars": "numpy",
    "pandas_": "pandas",
    "pandas_scalars": "pandas",
    "pathlib_": "pathlib",
    "pycollections": "_weakrefset argparse collections email os selectors types weakref",
    "pyobjects": "_frozen_importlib functools importlib logging subprocess traceback",
    "pythreads": "asyncio concurrent queue threading",
    "re_": "_sre re",
    "templates_": "string",
    "threads_": "Context ContextVar Token _contextvars _queue _thread contextvars hamt",
    "uuid_": "uuid",
}


def package_of(name: str) -> str:
    """The word of AREAS for the full name of a type."""
    package = name.partition(".")[0]
    # Each release of Cython has one of its own.
    return "_cython" if package.startswith("_cython_") else package


def by_package() -> Dict[str, List[str]]:
    """Package -> the modules that know types of it."""
    out: Dict[str, List[str]] = {}
    for area, packages in AREAS.items():
        for package in packages.split():
            out.setdefault(package, []).append(area)
    return out
