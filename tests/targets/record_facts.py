# SPDX-License-Identifier: Apache-2.0
"""Checks descriptions of C types from the inside of an interpreter.

Run by test_types.py as "python record_facts.py TABLE..." with the paths of the
tables that are for it. Reads its own memory where they say and compares with
what Python itself says. Prints JSON: the types with their sizes, the fields
that were checked, and what was wrong.

It must run on every version, so that it uses no new syntax.
"""

import ctypes
import gc
import importlib
import io
import json
import os
import struct
import sys

from record_samples import ABSENT, Same, samples

HEAD = object.__basicsize__  # ob_refcnt and ob_type, more with Py_TRACE_REFS
TP_NAME = HEAD + 8
WIDTHS = {"i8": "b", "u8": "B", "i16": "h", "u16": "H", "i32": "i", "u32": "I"}
WIDTHS.update({"i64": "q", "u64": "Q", "u16be": ">H", "u32be": ">I", "f32": "f"})
WIDTHS.update({"f64": "d", "bool": "?", "bool32": "i", "address": "Q"})


def parse(paths):
    """Paragraphs: {name: [(basicsize, {field: value})]}."""
    found = {}
    for path in paths:
        with io.open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        fields = None
        for line in lines:
            if line.startswith("["):
                fields = {}
                found.setdefault(line[1:-1], []).append(fields)
            elif fields is not None and " = " in line:
                key, value = line.split(" = ", 1)
                fields[key] = value
    return found


def word(addr):
    return ctypes.c_uint64.from_address(addr).value


def tp_name(cls):
    return ctypes.string_at(word(id(cls) + TP_NAME)).decode("utf-8", "replace")


class Reader(object):
    """One object by one paragraph."""

    def __init__(self, obj, fields):
        self.obj = obj
        self.fields = fields

    def count(self, words):
        if words[0] == "ob_size":
            n = ctypes.c_int64.from_address(id(self.obj) + HEAD).value
        elif words[0].isdigit():
            n = int(words[0])
        else:
            n = self.number(words[0])
        if len(words) > 1 and words[1] == "*":
            n *= int(words[2])
        return n

    def number(self, name):
        value = self.value(name if name in self.fields else "." + name.lstrip("."))
        return 0 if value is ABSENT else value

    def place(self, words):
        addr = id(self.obj) + int(words[0])
        for i in range(1, len(words) - 1, 2):
            if words[i] != ">":
                break
            addr = word(addr)
            if not addr:
                return 0
            addr += int(words[i + 1])
        return addr

    def value(self, name):
        kind, _, rest = self.fields[name].partition(" ")
        if kind == "const":
            return int(rest)
        words = rest.split()[1:]
        if "if" in words:
            at = words.index("if")
            if not self.number(words[at + 1]):
                return ABSENT
            words = words[:at]
        addr = self.place(words)
        if not addr:
            return ABSENT
        n = None
        for mark in ("length", "count"):
            if mark in words:
                n = self.count(words[words.index(mark) + 1:])
        if kind == "object":
            return ABSENT if not word(addr) else self.object_at(word(addr))
        if kind == "objects":
            return [word(addr + 8 * i) for i in range(n)]
        if kind == "i64s":
            return list(struct.unpack("%dq" % n, ctypes.string_at(addr, 8 * n)))
        if kind in ("bytes", "text"):
            return ctypes.string_at(addr, n)
        if kind == "char":
            return ctypes.string_at(addr, 1).decode("latin-1")
        if kind == "cstr":
            return ABSENT if not word(addr) else ctypes.string_at(word(addr)).decode()
        if kind == "u24be":
            return struct.unpack(">I", b"\0" + ctypes.string_at(addr, 3))[0]
        code = WIDTHS[kind]
        value = struct.unpack(code, ctypes.string_at(addr, struct.calcsize(code)))[0]
        if "bit" in words:
            return bool(value >> int(words[words.index("bit") + 1]) & 1)
        return bool(value) if kind.startswith("bool") else value

    @staticmethod
    def object_at(addr):
        if addr % 8:
            raise ValueError("not an object: %#x" % addr)
        return ctypes.cast(addr, ctypes.py_object).value


MODULES = """
_abc _ast _asyncio _bisect _blake2 _bz2 _codecs _collections _contextvars _csv _ctypes
_curses _curses_panel _datetime _decimal _elementtree _functools _hashlib _heapq _hmac
_interpchannels _interpreters _interpqueues _io _json _lsprof _lzma _md5 _multibytecodec
_multiprocessing _opcode _operator _pickle _queue _random _sha1 _sha2 _sha256 _sha3
_sha512 _socket _sqlite3 _sre _ssl _statistics _string _struct _symtable _thread _tokenize
_tracemalloc _typing _uuid _weakref _zoneinfo _zstd array atexit audioop binascii collections
curses datetime decimal encodings.gbk enum faulthandler fcntl functools grp hashlib
itertools json math mmap multiprocessing.synchronize operator os pickle posix pwd pyexpat
queue random re resource select signal socket sqlite3 ssl string.templatelib struct
parser symtable syslog termios time tokenize types typing unicodedata xml.etree.ElementTree zlib
zoneinfo compression.zstd asyncio threading
"""


def load():
    """The modules that are there."""
    found = {}
    for name in MODULES.split():
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            pass
    return found


def all_types():
    seen = {}
    work = [object]
    while work:
        cls = work.pop()
        if id(cls) in seen:
            continue
        seen[id(cls)] = cls
        try:
            work.extend(type.__subclasses__(cls))
        except TypeError:
            pass
    # Types that are not ready yet are known by their instances only.
    for obj in gc.get_objects():
        cls = type(obj)
        while cls is not None and id(cls) not in seen:
            seen[id(cls)] = cls
            cls = cls.__base__
    return list(seen.values())


def is_heap(cls):
    return bool(cls.__flags__ & 1 << 9)


def made_by_class(cls):
    """Whether a class statement made it: its name is then that of a str."""
    name = word(id(cls) + TP_NAME)
    return is_heap(cls) and 0 < name - id(cls.__name__) < 128


def described(cls, table):
    """The fields that cls has and inherits."""
    found = {}
    while cls is not None:
        if not made_by_class(cls):
            for p in table.get(tp_name(cls), ()):
                if int(p["basicsize"]) == cls.__basicsize__:
                    found = dict(p, **found)
        cls = cls.__base__
    return found


def main():
    table = parse(sys.argv[1:])
    modules = load()
    keep, facts = samples(modules)
    sizes, sizes_wrong, others = {}, [], []
    for cls in all_types():
        name = tp_name(cls)
        if name not in table or made_by_class(cls):
            if not made_by_class(cls):
                others.append([name, cls.__basicsize__, cls.__base__.__name__
                               if cls.__base__ else ""])
            continue
        size = cls.__basicsize__
        sizes[name] = size
        if not any(int(p["basicsize"]) == size for p in table[name]):
            sizes_wrong.append([name, size, table[name][0]["basicsize"]])
    checked, wrong, lacking = [], [], []
    for obj, expected in facts:
        name = tp_name(type(obj))
        fields = described(type(obj), table)
        if not fields:
            lacking.append(name)
            continue
        reader = Reader(obj, fields)
        for field in fields:
            # Each must at least be readable.
            if field in ("basicsize", "reader"):
                continue
            try:
                value = reader.value(field)
            except Exception as exc:
                wrong.append("%s.%s: %r" % (name, field, exc))
                continue
            if field not in expected:
                continue
            want = expected[field]
            checked.append("%s.%s" % (name, field))
            if isinstance(want, Same):
                good = value is want.obj
            else:
                good = type(value) is type(want) and value == want
            if not good:
                wrong.append("%s.%s: %r, not %r" % (name, field, value, want))
        for field in expected:
            if field not in fields:
                wrong.append("%s has no %s" % (name, field))
    del keep
    print(json.dumps({
        "sizes": sizes, "sizes_wrong": sizes_wrong, "checked": sorted(set(checked)),
        "wrong": wrong, "lacking": lacking, "others": sorted(map(list, others)),
        "modules": sorted(modules),
    }))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # what is left open is meant to be
