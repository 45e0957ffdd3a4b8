# SPDX-License-Identifier: Apache-2.0
"""A program that breaks its own objects, one of each kind, and hangs.

broken.py TABLE, TABLE being the JSON of an offset table. The local "cases" of
broken() maps a name to ["before NAME", the broken object, {"after": NAME}].
Prints JSON: name -> what is to be said of the object, a regular expression;
then never touches the objects again. It is to be killed. Runs on Python 3.7 to
3.15.
"""

import collections
import ctypes
import gc
import json
import mmap
import sys
import time

TABLE = json.loads(sys.argv[1])
OFF = TABLE["offsets"]
MODEL = TABLE["models"]
SPLIT_REFCOUNT = MODEL["refcount"] == "split"
NOWHERE = 0x7000DEAD0000
KEEP = []


def put(addr, value, width=8):
    kind = {1: ctypes.c_uint8, 4: ctypes.c_uint32, 8: ctypes.c_uint64}[width]
    kind.from_address(addr).value = value & ((1 << 8 * width) - 1)


def get(addr, width=8):
    kind = {1: ctypes.c_uint8, 4: ctypes.c_uint32, 8: ctypes.c_uint64}[width]
    return kind.from_address(addr).value


def keep(thing):
    KEEP.append(thing)
    return thing


class Breaker:
    """Makes the cases; what is done to the memory is done at the end."""

    def __init__(self):
        self.cases = {}
        self.expected = {}
        self.writes = []

    def case(self, name, thing, expected, *fields):
        """fields: (key, value[, width]), "+N" for bytes from the object."""
        self.cases[name] = ["before " + name, thing, {"after": name}]
        self.expected[name] = expected
        for key, value, *width in fields:
            at = int(key) if key.startswith("+") else OFF[key]
            self.writes.append((id(thing) + at, value, width[0] if width else 8))

    def item(self, name, address, expected):
        """A list item that leads elsewhere."""
        self.case(name, None, expected)
        case = self.cases[name]
        items = get(id(case) + OFF["list.ob_item"])
        self.writes.append((items + 8, address, 8))

    def at(self, address, value, width=8):
        self.writes.append((address, value, width))


class Plain:
    def __init__(self):
        self.attribute = 1


class Text(str):
    pass


def make_class(name, *bases):
    return type(name, bases or (object,), {})


def objects(b):
    """Types, addresses and counts of any object."""
    b.case("type unmapped", Plain(), "unreadable|its type", ("object.ob_type", NOWHERE))
    b.case("type null", Plain(), "type is NULL", ("object.ob_type", 0))
    b.case("type odd", Plain(), "impossible address", ("object.ob_type", id(Plain) + 4))
    b.case("type is text", Plain(), "not a type|unreadable", ("object.ob_type", id(keep("t" * 99))))
    b.case("count zero", Plain(), "reference count is 0", ("object.ob_refcnt", 0))
    if not SPLIT_REFCOUNT:
        b.case("count negative", Plain(), "impossible reference count", ("object.ob_refcnt", -7))
    lost = Plain()
    b.case("attributes", lost, "unreadable|Plain object at")
    if MODEL["attrs"] == "dictoffset":
        b.at(id(lost) + Plain.__dictoffset__, NOWHERE)
    else:
        # Before the collector's head: values, then the dict (3.11), or one
        # word for both, or the dict alone.
        b.at(id(lost) - 24, NOWHERE)
        if MODEL["attrs"] == "split311":
            b.at(id(lost) - 32, NOWHERE)
    b.item("item unmapped", NOWHERE, "unreadable")
    b.item("item odd", id(keep([1])) + 1, "not aligned")
    # As an allocator leaves it: empty, and not in use by anything else.
    pages = keep(mmap.mmap(-1, 1 << 20))
    freed = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    b.item("freed", freed + 4096, "type is NULL")
    for name, field, value, expected in (
        ("basic size", "type.tp_basicsize", -1, "impossible sizes"),
        ("huge basic size", "type.tp_basicsize", 1 << 40, "impossible sizes"),
        ("item size", "type.tp_itemsize", 1 << 50, "impossible sizes"),
        ("dict offset", "type.tp_dictoffset", 1 << 40, "tp_dictoffset|Broken"),
        ("flags", "type.tp_flags", 0, "not ready"),
        ("name", "type.tp_name", NOWHERE, "unreadable"),
    ):
        broken = keep(make_class("Broken"))
        b.case("type's " + name, broken(), expected)
        b.at(id(broken) + OFF[field], value)


def types(b):
    """Bases that lead back."""
    loop = make_class("Loop")
    b.case("own base", loop(), "bases do not end")
    b.at(id(loop) + OFF["type.tp_base"], id(loop))
    b.case("class of own base", loop, "bases do not end|class .*Loop")
    one = make_class("One")
    two = make_class("Two", one)
    b.case("bases in a ring", two(), "bases do not end")
    b.at(id(one) + OFF["type.tp_base"], id(two))
    own = make_class("Own")
    b.case("own type", own(), "own type|not a type|unreadable|impossible|Own")
    bases = make_class("Bases")
    b.case("no bases", bases(), "Bases")
    b.at(id(bases) + OFF["type.tp_bases"], NOWHERE)
    b.at(id(bases) + OFF["type.tp_mro"], NOWHERE)


def containers(b):
    size = "object.ob_size"
    b.case("tuple huge", (1, 2, keep([])), "impossible size", (size, 1 << 50))
    b.case("tuple negative", (2, 2, keep([])), "impossible", (size, -3))
    b.case("tuple too long", (3, 2, keep([])), "not mapped", (size, 1 << 33))
    own = (1, [2])
    b.case("tuple of itself", own, r"cycle|\(1,")
    b.at(id(own) + OFF["tuple.ob_item"] + 8, id(own))
    b.case("list past its room", [1, 2, 3], "more items than room", (size, 1 << 20))
    b.case("list negative", [1, 2, 3], "more items than room", (size, -1))
    b.case("list without items", [1, 2, 3], "unreadable|not mapped", ("list.ob_item", NOWHERE))
    keys = {str(i): i for i in range(20)}
    b.case("dict without keys", {"a": 1, "b": 2}, "unreadable", ("dict.ma_keys", NOWHERE))
    b.case("dict of too many", {"a": 1, "b": [2]}, "torn: 2 of 1000 pairs",
           ("dict.ma_used", 1000))  # fmt: skip
    b.case("dict's keys' room", keys, "impossible|more entries than room")
    table = get(id(keys) + OFF["dict.ma_keys"])
    if OFF["dictkeys.dk_size"] is not None:
        b.at(table + OFF["dictkeys.dk_size"], 12345)
    else:
        b.at(table + OFF["dictkeys.dk_log2_size"], 77, 1)
    more = {str(i): -i for i in range(20)}
    b.case("dict's keys' number", more, "more entries than room")
    b.at(get(id(more) + OFF["dict.ma_keys"]) + OFF["dictkeys.dk_nentries"], 1 << 40)
    b.case("set mask", {1, 2, 3}, "impossible table", ("set.mask", 6))
    b.case("set mask huge", {1, 2, 4}, "impossible table", ("set.mask", (1 << 40) - 1))
    b.case("set used", {1, 2, 5}, "torn: 3 of 7 items", ("set.used", 7))
    b.case("set fill", {1, 2, 6}, r"\{1, 2, 6\}", ("set.fill", 1 << 40))
    b.case("set without table", frozenset([1, 2, 7]), "unreadable|not mapped",
           ("set.table", NOWHERE))  # fmt: skip
    b.case("deque too long", collections.deque([1, 2, 3]), "impossible|cycle|unreadable|mapped",
           (size, 1 << 39))  # fmt: skip


def values(b):
    state, length = "unicode.state", "unicode.length"

    def text(n):
        return "".join(["plain text %d " % n] * 3)

    def with_kind(thing, kind):
        bit = OFF["unicode.kind_bit"]
        return get(id(thing) + OFF[state], 4) & ~(7 << bit) | kind << bit

    for kind in (3, 7):
        t = text(kind)
        b.case("str kind %d" % kind, t, "impossible kind", (state, with_kind(t, kind), 4))
    b.case("str huge", text(10), "impossible length", (length, 1 << 50))
    b.case("str negative", text(11), "impossible length", (length, -2))
    b.case("str too long", text(12), "unreadable", (length, 1 << 33))
    high = text(13)
    b.case("str not ascii", high, "other bytes")
    b.at(id(high) + OFF["unicode.ascii_size"] + 3, 0xC3, 1)
    wide = "\U0001f40d" * 5
    b.case("str character", wide, "impossible character")
    b.at(id(wide) + OFF["unicode.compact_size"] + 4, 0x110000, 4)
    b.case("str hash", text(14), "^%s$" % repr(text(14)), ("unicode.hash", 12345))
    sub = Text(text(15))
    b.case("str data", sub, "unreadable", ("unicode.data", NOWHERE))
    b.case("bytes huge", bytes(bytearray(40)), "impossible size", ("object.ob_size", 1 << 50))
    b.case("bytes too long", bytes(bytearray(41)), "unreadable", ("object.ob_size", 1 << 33))
    b.case("bytearray start", bytearray(50), "unreadable", ("bytearray.ob_start", NOWHERE))
    big = 7**50
    if MODEL["int"] == "tag":
        size, one = "long.lv_tag", 8
        b.case("int sign", 7**52, "impossible sign", (size, 5 << 3 | 3))
    else:
        size, one = "object.ob_size", 1
    b.case("int huge", big, "impossible size", (size, (1 << 40) * one))
    b.case("int too long", 7**53, "unreadable|impossible digit|highest digit",
           (size, (1 << 25) * one))  # fmt: skip
    digit = 7**54
    b.case("int digit", digit, "impossible digit")
    b.at(id(digit) + OFF["long.ob_digit"], 1 << 31, 4)


def executions(b):
    """Code, functions, exceptions, generators."""
    f = eval("lambda a, b: (a, b)")
    b.case("function without code", f, "function", ("function.func_code", NOWHERE))
    try:
        raise ValueError("in a ring")
    except ValueError as e:
        ring = e
    b.case("exception in a ring", ring, "ValueError",
           ("exception.context", id(ring)), ("exception.cause", id(ring)))  # fmt: skip
    tb = ring.__traceback__
    b.case("traceback in a ring", tb, "traceback", ("traceback.tb_next", id(tb)))
    code = compile("x = 1", "<broken>", "exec")
    b.case("code of nowhere", code, "code object", ("code.co_filename", NOWHERE))
    cell = (lambda: b).__closure__[0]
    b.case("cell", cell, "cell", ("cell.ob_ref", NOWHERE))


def broken():
    b = Breaker()
    for part in (objects, types, containers, values, executions):
        part(b)
    cases = b.cases
    told = json.dumps(b.expected)
    gc.disable()
    gc.freeze()
    for addr, value, width in b.writes:
        put(addr, value, width)
    sys.stdout.write(told + "\n")
    sys.stdout.flush()
    while cases:
        time.sleep(100)


broken()
