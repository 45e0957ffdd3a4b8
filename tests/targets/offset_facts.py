# SPDX-License-Identifier: Apache-2.0
"""Checks a table of offsets from the inside of the interpreter it is for.

Run by test_offsets.py as "python -c TEXT TABLE", TABLE being JSON. Reads its
own memory at the table's offsets and compares with what Python itself says.
Prints JSON: which fields were checked, and what was wrong.

It must run on every version, so that it uses no new syntax.
"""

import builtins
import ctypes
import datetime
import gc
import json
import struct
import sys
import threading
import types
import weakref

TABLE = json.loads(sys.argv[1])
OFF = TABLE["offsets"]
MODEL = TABLE["models"]
# Kept apart: TABLE has what the table says, this what was looked at.
checked = {}
wrong = []
PTR_MASK = ~3 if MODEL["stackref"] == "tagged" else ~0


def off(key):
    return OFF[key]


def has(key):
    return OFF[key] is not None


def u64(addr):
    return ctypes.c_uint64.from_address(addr).value


def i64(addr):
    return ctypes.c_int64.from_address(addr).value


def u32(addr):
    return ctypes.c_uint32.from_address(addr).value


def i32(addr):
    return ctypes.c_int32.from_address(addr).value


def u8(addr):
    return ctypes.c_uint8.from_address(addr).value


def i8(addr):
    return ctypes.c_int8.from_address(addr).value


def raw(addr, size):
    return ctypes.string_at(addr, size)


def cstr(addr):
    return ctypes.string_at(addr).decode() if addr else None


def obj(addr):
    """The object at an address that was read."""
    return ctypes.cast(addr, ctypes.py_object).value if addr else None


def check(key, found, expected):
    """One fact about one field."""
    checked[key] = checked.get(key, 0) + 1
    if found != expected:
        wrong.append(
            "{} = {}: found {!r}, expected {!r}".format(
                key, OFF.get(key, MODEL.get(key)), found, expected
            )
        )


def pointer(key, thing, expected):
    """A field of thing that must point to the object expected."""
    if has(key):
        check(key, u64(id(thing) + off(key)), id(expected))


def number(key, thing, expected, read=i32):
    if has(key):
        check(key, read(id(thing) + off(key)), expected)


def named(key, thing, expected):
    """A field of thing that must point to an equal str."""
    if has(key):
        addr = u64(id(thing) + off(key))
        found = obj(addr) if addr else None
        check(key, found, expected)


class Plain(object):
    """With a documentation string."""


class Sub(Plain):
    pass


class Slots(object):
    __slots__ = ("first", "second")


def dict_of_type(t):
    """The dict that a type's mapping proxy shows, found by the collector."""
    return [d for d in gc.get_referents(t.__dict__) if isinstance(d, dict)][0]


def check_objects():
    x = Plain()
    pointer("object.ob_type", x, Plain)
    pointer("object.ob_type", Plain, type)
    check("object.size", off("object.size"), object.__basicsize__)
    if has("object.ob_refcnt"):
        before = u64(id(x) + off("object.ob_refcnt")) & 0xFFFFFFFF
        more = [x] * 10
        after = u64(id(x) + off("object.ob_refcnt")) & 0xFFFFFFFF
        check("object.ob_refcnt", after - before, len(more))
        # Immortals are what the halves are for.
        whole = u64(id(None) + off("object.ob_refcnt"))
        split = whole & 0xFFFFFFFF >= 3 << 30
        check("refcount", "split" if split else "plain", MODEL["refcount"])
    for n in (0, 1, 7, 300):
        t = tuple(object() for _ in range(n))
        number("object.ob_size", t, n, i64)


def check_types():
    for t in (int, list, type, Plain, Sub, Slots, Exception, OSError, property):
        number("type.tp_basicsize", t, t.__basicsize__, i64)
        number("type.tp_itemsize", t, t.__itemsize__, i64)
        number("type.tp_flags", t, t.__flags__, u64)
        number("type.tp_dictoffset", t, t.__dictoffset__, i64)
        number("type.tp_weaklistoffset", t, t.__weakrefoffset__, i64)
        pointer("type.tp_base", t, t.__base__)
        if not (MODEL["typedict"] == "perinterp" and not t.__flags__ & 1 << 9):
            pointer("type.tp_dict", t, dict_of_type(t))
            pointer("type.tp_bases", t, t.__bases__)
            pointer("type.tp_mro", t, t.__mro__)
        name = cstr(u64(id(t) + off("type.tp_name")))
        check("type.tp_name", name.rpartition(".")[2], t.__name__)
    check(
        "type.tp_doc",
        cstr(u64(id(Plain) + off("type.tp_doc"))),
        Plain.__doc__,
    )
    check("type.tp_subclasses", u64(id(Sub) + off("type.tp_subclasses")), 0)
    static = u64(id(int) + off("type.tp_dict")) == 0
    check("typedict", "perinterp" if static else "plain", MODEL["typedict"])
    known = obj(u64(id(Plain) + off("type.tp_subclasses")))
    check(
        "type.tp_subclasses",
        type(known) is dict and [w() for w in known.values()],
        Plain.__subclasses__(),
    )
    pointer("heaptype.ht_name", Plain, Plain.__name__)
    pointer("heaptype.ht_qualname", Plain, Plain.__qualname__)
    check(
        "heaptype.ht_slots",
        obj(u64(id(Slots) + off("heaptype.ht_slots"))),
        ("first", "second"),
    )
    check("heaptype.size", off("heaptype.size"), type.__basicsize__)
    # What follows the type in a heap type is as_async: slots, no data.
    check("type.size", off("type.size") % 8, 0)
    members = u64(id(Slots) + off("type.tp_members"))
    size = off("memberdef.size")
    for i, name in enumerate(Slots.__slots__):
        entry = members + i * size
        check("type.tp_members", cstr(u64(entry + off("memberdef.name"))), name)
        check(
            "memberdef.offset",
            u64(entry + off("memberdef.offset")),
            off("object.size") + 8 * i,
        )
        # T_OBJECT_EX, which is what a slot is.
        check("memberdef.type", u32(entry + off("memberdef.type")), 16)
    check(
        "memberdef.size", cstr(u64(members + size + off("memberdef.name"))), "second"
    )
    number("descr.d_type", Slots.first, id(Slots), u64)
    named("descr.d_name", Slots.second, "second")
    member = u64(id(Slots.second) + off("descr.d_member"))
    check("descr.d_member", member, members + size)
    check("memberdef.name", cstr(u64(member + off("memberdef.name"))), "second")
    named("descr.d_qualname", str.upper, str.upper.__qualname__)
    method = u64(id(str.upper) + off("descr.d_method"))
    check("descr.d_method", cstr(u64(method + off("methoddef.ml_name"))), "upper")
    real = int.__dict__["real"]
    getset = u64(id(real) + off("descr.d_getset"))
    check("descr.d_getset", cstr(u64(getset + off("getsetdef.name"))), "real")
    check("methoddef.ml_name", off("methoddef.ml_name"), 0)
    check("getsetdef.name", off("getsetdef.name"), 0)


def int_at(addr):
    if MODEL["int"] == "tag":
        tag = u64(addr + off("long.lv_tag"))
        sign, count = {0: 1, 1: 0, 2: -1}[tag & 3], tag >> 3
    else:
        size = i64(addr + off("object.ob_size"))
        sign, count = (1 if size > 0 else -1), abs(size)
    digits = [u32(addr + off("long.ob_digit") + 4 * i) for i in range(count)]
    return sign * sum(d << 30 * i for i, d in enumerate(digits))


def check_numbers():
    for n in (0, 1, -1, 255, 2**30, -(2**30) - 5, 2**90 + 12345, -(7**200)):
        for key in ("long.ob_digit", "int"):
            check(key, int_at(id(n)), n)
        if has("long.lv_tag"):
            check("long.lv_tag", u64(id(n) + off("long.lv_tag")) & 3, (n <= 0) + (n < 0))
    for f in (0.0, -1.5, 1e300):
        found = struct.unpack("<d", raw(id(f) + off("float.ob_fval"), 8))[0]
        check("float.ob_fval", found, f)
    c = complex(1.25, -9)
    found = struct.unpack("<dd", raw(id(c) + off("complex.cval"), 16))
    check("complex.cval", complex(*found), c)


def check_text():
    for b in (b"", b"abc", bytes(range(256)) * 5):
        found = raw(id(b) + off("bytes.ob_sval"), len(b) + 1)
        check("bytes.ob_sval", found, b + b"\0")
    array = bytearray(b"abcdefgh" * 20)
    del array[:9]
    # From 3.15 on it is a bytes object's, whose size __alloc__() tells.
    bytes_size = bytes.__basicsize__ if sys.version_info >= (3, 15) else 0
    number("bytearray.ob_alloc", array, array.__alloc__() - bytes_size, i64)
    start = u64(id(array) + off("bytearray.ob_start"))
    check("bytearray.ob_start", raw(start, len(array)), bytes(array))
    samples = ("", "a", "hello " * 9, "caf\xe9", "\u20ac" * 3, "\U0001f600x")
    for s in samples:
        s = s + s
        value = hash(s)
        number("unicode.length", s, len(s), i64)
        number("unicode.hash", s, value, i64)
        state = u32(id(s) + off("unicode.state"))
        width = 1 if s < "\x80" or max(s) < "\u0100" else 0
        width = width or (2 if max(s) < "\U00010000" else 4)
        ascii_only = all(c < "\x80" for c in s)
        check("unicode.kind_bit", state >> off("unicode.kind_bit") & 7, width)
        check("unicode.compact_bit", state >> off("unicode.compact_bit") & 1, 1)
        check("unicode.ascii_bit", state >> off("unicode.ascii_bit") & 1, ascii_only)
        if has("unicode.ready_bit"):
            check("unicode.ready_bit", state >> off("unicode.ready_bit") & 1, 1)
        key = "unicode.ascii_size" if ascii_only else "unicode.compact_size"
        coding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[width]
        found = raw(id(s) + off(key), len(s) * width)
        check(key, found.decode(coding), s)
        check("unicode.state", state >> off("unicode.compact_bit") & 3, 1 + 2 * ascii_only)

    if has("unicode.wstr"):
        wide = ctypes.pythonapi.PyUnicode_AsUnicode
        wide.argtypes, wide.restype = [ctypes.py_object], ctypes.c_uint64
        s = "caf\xe9" * 2
        number("unicode.wstr", s, wide(s), u64)
        number("unicode.wstr_length", s, len(s), i64)

    class Text(str):
        pass

    for s in ("legacy", "l\u20acgacy"):
        t = Text(s)
        state = u32(id(t) + off("unicode.state"))
        check("unicode.compact_bit", state >> off("unicode.compact_bit") & 1, 0)
        width = state >> off("unicode.kind_bit") & 7
        data = raw(u64(id(t) + off("unicode.data")), len(s) * width)
        check("unicode.data", data.decode({1: "latin-1", 2: "utf-16-le"}[width]), s)


def pointers(addr, count):
    return [u64(addr + 8 * i) for i in range(count)]


def entries_of(d):
    """The items of a dict by its keys object, as the table has it."""
    keys = u64(id(d) + off("dict.ma_keys"))
    if has("dictkeys.dk_size"):
        size = u64(keys + off("dictkeys.dk_size"))
        width = 1 if size <= 0xFF else 2 if size <= 0xFFFF else 4
        index_bytes, general = size * width, True
    else:
        size = 1 << u8(keys + off("dictkeys.dk_log2_size"))
        index_bytes = 1 << u8(keys + off("dictkeys.dk_log2_index_bytes"))
        general = u8(keys + off("dictkeys.dk_kind")) == 0
    count = u64(keys + off("dictkeys.dk_nentries"))
    usable = u64(keys + off("dictkeys.dk_usable"))
    check("dictkeys.dk_usable", usable + count <= size * 2 // 3 + 1, True)
    check("dictkeys.dk_indices", off("dictkeys.dk_indices") % 8, 0)
    base = keys + off("dictkeys.dk_indices") + index_bytes
    values = u64(id(d) + off("dict.ma_values"))
    found = []
    for i in range(count):
        if general:
            key, value = u64(base + 24 * i + 8), u64(base + 24 * i + 16)
        else:
            key, value = u64(base + 16 * i), u64(base + 16 * i + 8)
        if values:
            start = off("dictvalues.values") if has("dictvalues.values") else 0
            value = u64(values + start + 8 * i)
        if value:
            found.append((key, value))
    return found


def ids(pairs):
    return [(id(k), id(v)) for k, v in pairs]


def check_containers():
    things = [object() for _ in range(5)]
    items = pointers(u64(id(things) + off("list.ob_item")), 5)
    check("list.ob_item", items, [id(x) for x in things])
    allocated = (things.__sizeof__() - list.__basicsize__) // 8
    number("list.allocated", things, allocated, i64)
    t = tuple(things)
    check(
        "tuple.ob_item",
        pointers(id(t) + off("tuple.ob_item"), 5),
        [id(x) for x in t],
    )
    texts = {"a": 1, "b": [], "c": None}
    mixed = {1: "one", (2,): "two", None: object(), "s": 4}
    mixed.pop(1)
    large = {"key%d" % i: object() for i in range(3000)}
    huge = {i: object() for i in range(70000)}
    for d in (texts, mixed, large, huge):
        number("dict.ma_used", d, len(d), i64)
        number("dict.ma_values", d, 0, u64)
        found = entries_of(d)
        for key in (
            "dict.ma_keys", "dictkeys.dk_nentries", "dictkeys.dk_indices", "dictkeys",
        ):
            check(key, found, ids(d.items()))
        for key in (
            "dictkeys.dk_size", "dictkeys.dk_log2_size",
            "dictkeys.dk_log2_index_bytes", "dictkeys.dk_kind",
        ):
            if has(key):
                check(key, found, ids(d.items()))
    x = Plain()
    x.first, x.second = object(), object()
    shown = x.__dict__
    check("dict.ma_values", entries_of(shown), ids(shown.items()))
    if MODEL["dictvalues"] == "array":
        check("dictvalues", entries_of(shown), ids(shown.items()))
    for s in (set(), set(range(3)), frozenset("word%d" % i for i in range(500))):
        number("set.used", s, len(s), i64)
        number("set.fill", s, len(s), i64)
        mask = u64(id(s) + off("set.mask"))
        table = u64(id(s) + off("set.table"))
        check("set.mask", mask & mask + 1, 0)
        found = [u64(table + 16 * i) for i in range(mask + 1)]
        check("set.table", sorted(filter(None, found)), sorted(map(id, s)))
    s = set(range(4))
    s.discard(2)
    # The place of what is gone stays filled.
    number("set.fill", s, 4, i64)
    number("set.used", s, 3, i64)
    number("mappingproxy.mapping", Plain.__dict__, id(dict_of_type(Plain)), u64)


def check_attributes():
    """The model of where attributes are, and the fields that it needs."""

    class Fresh(object):
        pass

    for _ in range(3):
        x = Fresh()
        x.one, x.two = object(), object()
    ordered = [id(x.one), id(x.two)]
    model = MODEL["attrs"]
    if model == "dictoffset":
        d = u64(id(x) + Fresh.__dictoffset__)
        check("attrs", obj(d) is x.__dict__, True)
        # Split: the keys are those that the type keeps.
        check("heaptype.ht_cached_keys", u64(d + off("dict.ma_keys")),
              u64(id(Fresh) + off("heaptype.ht_cached_keys")))
        return
    keys = u64(id(Fresh) + off("heaptype.ht_cached_keys"))
    check("heaptype.ht_cached_keys", u64(keys + off("dictkeys.dk_nentries")), 2)
    if model == "split311":
        values = u64(id(x) - 32)
    elif model == "tagged312":
        values = u64(id(x) - 24) + 1
    elif model == "inline313":
        values = id(x) + off("object.size")
    else:
        values = id(x) + Fresh.__basicsize__
    found = pointers(values + off("dictvalues.values"), 2)
    check("attrs", found, ordered)
    check("dictvalues.values", found, ordered)
    if MODEL["dictvalues"] == "header":
        check("dictvalues.size", u8(values + off("dictvalues.size")), 2)
        capacity = u8(values + off("dictvalues.capacity"))
        check("dictvalues.capacity", capacity >= 2, True)
        # The order of insertion stands behind the values.
        order = values + off("dictvalues.values") + 8 * capacity
        check("dictvalues", list(raw(order, 2)), [0, 1])
        check("dictvalues.embedded", u8(values + off("dictvalues.embedded")), 1)
        check("dictvalues.valid", u8(values + off("dictvalues.valid")), 1)
    else:
        # It stands before them: the last byte is the first index, but one.
        size = u8(values - 1)
        check("dictvalues", u8(values - 2), 2)
        check("dictvalues", [u8(values - 3 - i) for i in range(2)], [0, 1])
        check("dictvalues", size >= 2, True)


def outer(captured):
    def inner(a, b=2, *args, c=3, **kwargs):
        """Documentation."""
        return captured, a, b, args, c, kwargs

    return inner


def check_functions():
    f = outer(object())
    f.attribute = 1
    f.__annotations__ = {"a": int}
    for member, attribute in (
        ("func_code", "__code__"), ("func_globals", "__globals__"),
        ("func_builtins", "__builtins__"), ("func_defaults", "__defaults__"),
        ("func_kwdefaults", "__kwdefaults__"), ("func_closure", "__closure__"),
        ("func_doc", "__doc__"), ("func_name", "__name__"),
        ("func_qualname", "__qualname__"), ("func_dict", "__dict__"),
        ("func_module", "__module__"), ("func_annotations", "__annotations__"),
    ):
        if has("function." + member):
            pointer("function." + member, f, getattr(f, attribute))
    if has("function.func_typeparams"):
        f.__type_params__ = (1, 2)
        pointer("function.func_typeparams", f, f.__type_params__)
    if has("function.func_annotate"):
        g = outer(1)
        g.__annotate__ = lambda form: {}
        pointer("function.func_annotate", g, g.__annotate__)
    x = Plain()
    m = types.MethodType(f, x)
    pointer("method.im_func", m, f)
    pointer("method.im_self", m, x)
    things = []
    append = things.append
    pointer("cfunction.m_self", append, things)
    ml = u64(id(append) + off("cfunction.m_ml"))
    check("cfunction.m_ml", cstr(u64(ml + off("methoddef.ml_name"))), "append")
    pointer("cfunction.m_module", len, len.__module__)
    pointer("cell.ob_ref", f.__closure__[0], f.__closure__[0].cell_contents)
    pointer("module.md_dict", json, json.__dict__)
    pointer("module.md_name", json, json.__name__)
    p = property(outer(1), outer(2), outer(3), "doc string")
    pointer("property.prop_get", p, p.fget)
    pointer("property.prop_set", p, p.fset)
    pointer("property.prop_del", p, p.fdel)
    pointer("property.prop_doc", p, p.__doc__)
    for kind, prefix in ((staticmethod, "sm"), (classmethod, "cm")):
        w = kind(f)
        key = kind.__name__ + "." + prefix
        pointer(key + "_callable", w, w.__func__)
        pointer(key + "_dict", w, w.__dict__)
    seen = []
    ref = weakref.ref(x, seen.append)
    pointer("weakref.wr_object", ref, x)
    pointer("weakref.wr_callback", ref, ref.__callback__)
    wrapper = things.__len__
    pointer("methodwrapper.self", wrapper, things)
    pointer("methodwrapper.descr", wrapper, list.__dict__["__len__"])
    s = slice(object(), object(), object())
    check(
        "slice.start",
        pointers(id(s) + off("slice.start"), 3),
        [id(s.start), id(s.stop), id(s.step)],
    )
    r = range(10**9, 10**10, 10**6)
    check(
        "range.start",
        [obj(a) for a in pointers(id(r) + off("range.start"), 3)],
        [r.start, r.stop, r.step],
    )
    sub = Sub()
    view = super(Sub, sub)
    pointer("super.type", view, Sub)
    pointer("super.obj", view, sub)


def check_exceptions():
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            first = inner
            raise ValueError("outer", 2) from first
    except ValueError as caught:
        e = caught
        check_exc_info(e)
    e.extra = object()
    pointer("exception.args", e, e.args)
    pointer("exception.dict", e, e.__dict__)
    pointer("exception.traceback", e, e.__traceback__)
    pointer("exception.context", e, e.__context__)
    pointer("exception.cause", e, e.__cause__)
    number("exception.suppress_context", e, 1, u8)
    number("exception.suppress_context", first, 0, u8)
    if has("exception.notes"):
        # The slot is for groups to come; add_note() uses the dict.
        check("exception.notes", u64(id(e) + off("exception.notes")), 0)

    def deeper():
        return 1 // 0

    try:
        deeper()
    except ZeroDivisionError as z:
        tb = z.__traceback__
    pointer("traceback.tb_next", tb, tb.tb_next)
    pointer("traceback.tb_frame", tb, tb.tb_frame)
    number("traceback.tb_lasti", tb, tb.tb_lasti)
    number("traceback.tb_lasti", tb.tb_next, tb.tb_next.tb_lasti)
    found = i32(id(tb) + off("traceback.tb_lineno"))
    # A frame that has ended keeps its caller; one that runs may not.
    pointer("frameobj.f_back", tb.tb_next.tb_frame, tb.tb_frame)
    # -1 stands for "ask the code by lasti" from 3.12 on.
    check("traceback.tb_lineno", found in (-1, tb.tb_lineno), True)


def check_code():
    f = outer(1)
    for c in (f.__code__, outer.__code__, check_code.__code__):
        for name in (
            "co_argcount", "co_posonlyargcount", "co_kwonlyargcount",
            "co_nlocals", "co_stacksize", "co_flags", "co_firstlineno",
        ):
            if hasattr(c, name):
                number("code." + name, c, getattr(c, name))
        for name in ("co_consts", "co_names", "co_filename", "co_name", "co_qualname"):
            if hasattr(c, name):
                pointer("code." + name, c, getattr(c, name))
        for name in ("co_varnames", "co_freevars", "co_cellvars", "co_code"):
            pointer("code." + name, c, getattr(c, name))
        table = c.co_lnotab if MODEL["linetable"] == "lnotab" else c.co_linetable
        pointer("code.co_linetable", c, table)
        if has("code.co_exceptiontable"):
            pointer("code.co_exceptiontable", c, c.co_exceptiontable)
        if has("code.co_localsplusnames"):
            names = c.co_varnames + tuple(
                n for n in c.co_cellvars if n not in c.co_varnames
            ) + c.co_freevars
            named("code.co_localsplusnames", c, names)
            number("code.co_nlocalsplus", c, len(names))
            kinds = obj(u64(id(c) + off("code.co_localspluskinds")))
            check("code.co_localspluskinds", len(kinds), len(names))
    if hasattr(outer.__code__, "co_positions"):
        expected = "locations"
    else:
        expected = "deltas" if hasattr(outer.__code__, "co_lines") else "lnotab"
    check("linetable", MODEL["linetable"], expected)
    if has("code.co_cell2arg"):
        check("code.co_cell2arg",
              [u64(id(c) + off("code.co_cell2arg")) != 0
               for c in (outer.__code__, f.__code__)], [True, False])
    if has("code.co_code_adaptive"):
        fresh = compile("x = [1, 2]\ny = x", "f", "exec")
        plain = fresh.co_code
        found = raw(id(fresh) + off("code.co_code_adaptive"), len(plain))
        # Caches hold counters, but are 0 in co_code.
        same = [i for i in range(0, len(plain), 2) if plain[i : i + 2] != b"\0\0"]
        check(
            "code.co_code_adaptive",
            [found[i : i + 2] for i in same],
            [plain[i : i + 2] for i in same],
        )


def clean(addr):
    """A pointer without the bits that mark how it is held."""
    return addr & PTR_MASK


def make_generator():
    text = "local"
    number = [1, 2, 3]
    yield text
    yield number


def check_old_frames():
    g = make_generator()
    next(g)
    f = g.gi_frame
    here = sys._getframe()
    pointer("frameobj.f_back", here, here.f_back)
    pointer("frameobj.f_code", f, f.f_code)
    pointer("frameobj.f_builtins", f, f.f_builtins)
    pointer("frameobj.f_globals", f, f.f_globals)
    # Of a function it is set when someone asks for it.
    pointer("frameobj.f_locals", f, f.f_locals)
    scale = 2 if MODEL["lasti"] == "units" else 1
    check("frameobj.f_lasti", i32(id(f) + off("frameobj.f_lasti")) * scale, f.f_lasti)
    check("lasti", i32(id(f) + off("frameobj.f_lasti")) * scale, f.f_lasti)
    pointer("frameobj.f_gen", f, g)
    values = pointers(id(f) + off("frameobj.f_localsplus"), 2)
    check("frameobj.f_localsplus", [obj(v) for v in values], ["local", [1, 2, 3]])
    stack = u64(id(f) + off("frameobj.f_valuestack"))
    start = id(f) + off("frameobj.f_localsplus") + 8 * 2
    check("frameobj.f_valuestack", stack, start)
    if has("frameobj.f_stacktop"):
        check("frameobj.f_stacktop", u64(id(f) + off("frameobj.f_stacktop")), stack)
        number("frameobj.f_executing", f, 0, u8)
        number("frameobj.f_executing", here, 1, u8)
    if has("frameobj.f_stackdepth"):
        number("frameobj.f_stackdepth", f, 0)
        number("frameobj.f_state", f, -1, i8)
        number("frameobj.f_state", here, 0, i8)
    check_blocks()
    pointer("gen.gi_frame", g, f)
    pointer("gen.gi_code", g, g.gi_code)
    number("gen.gi_running", g, 0, u8)
    tstate = thread_state()
    check("genstate", MODEL["genstate"], "frame")
    # Not by u64(), which would see its own frame.
    current = ctypes.c_uint64.from_address(tstate + off("tstate.frame")).value
    check("tstate.frame", current, id(here))


def check_blocks():
    """Of a frame inside of a "with" and a "try" in it."""

    class Manager:
        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

    def inside():
        with Manager() as manager:
            for x in [1]:
                try:
                    yield manager
                finally:
                    pass

    g = inside()
    manager = next(g)
    f = g.gi_frame
    import opcode

    def is_finally(i):
        at = id(f) + off("frameobj.f_blockstack") + i * off("tryblock.size")
        level = u32(at + off("tryblock.b_level"))
        return u32(at + off("tryblock.b_type")) == opcode.opmap["SETUP_FINALLY"], level

    n = u32(id(f) + off("frameobj.f_iblock"))
    blocks = [is_finally(i) for i in range(n)]
    levels = [level for finally_, level in blocks if finally_]
    check("frameobj.f_iblock", n >= 2, True)
    # The "with" has __exit__ below its level, the "try" the iterator too.
    check("tryblock.b_level", levels, [1, 2])
    check("tryblock.b_type", blocks[0][0] and blocks[-1][0], True)
    check("tryblock.size", off("tryblock.size"), 12)
    slot = obj(u64(u64(id(f) + off("frameobj.f_valuestack"))))
    check("frameobj.f_blockstack", slot.__self__, manager)


def check_new_frames():
    g = make_generator()
    next(g)
    f = g.gi_frame
    inner = u64(id(f) + off("frameobj.f_frame"))
    check("gen.gi_iframe", id(g) + off("gen.gi_iframe"), inner)
    if has("gen.gi_code"):
        pointer("gen.gi_code", g, g.gi_code)
    check("frameobj.f_frame", clean(u64(inner + off("iframe.f_code"))), id(f.f_code))
    check("iframe.frame_obj", u64(inner + off("iframe.frame_obj")), id(f))
    values = pointers(inner + off("iframe.localsplus"), 2)
    found = [obj(clean(v)) for v in values]
    check("iframe.localsplus", found, ["local", [1, 2, 3]])
    check("stackref", found, ["local", [1, 2, 3]])
    start = id(f.f_code) + off("code.co_code_adaptive")
    at = u64(inner + off("iframe.instr_ptr")) - start
    check("iframe.instr_ptr", at, f.f_lasti)
    stack = inner + off("iframe.localsplus") + 8 * 2
    if has("iframe.stackpointer"):
        top = u64(inner + off("iframe.stackpointer"))
        # 3.15 keeps what a "yield from" would wait for, and an index.
        check("iframe.stackpointer", (top - stack) % 8 == 0 and 0 <= top - stack <= 16, True)
    if has("iframe.stacktop"):
        check("iframe.stacktop", i32(inner + off("iframe.stacktop")), 2)
    check("iframe.owner", u8(inner + off("iframe.owner")), 1)
    suspended = {"v311": (-1,), "v313": (-2, -1), "v315": (1, 2, 3)}
    state = i8(id(g) + off("gen.gi_frame_state"))
    check("gen.gi_frame_state", state in suspended[MODEL["genstate"]], True)
    check("genstate", state in suspended[MODEL["genstate"]], True)
    # The running frame, from the thread's own chain.
    here = sys._getframe()
    here.f_back
    tstate = thread_state()
    # Not by u64(), which would see its own frame.
    word = ctypes.c_uint64
    if has("tstate.cframe"):
        cframe = word.from_address(tstate + off("tstate.cframe")).value
        current = word.from_address(cframe + off("cframe.current_frame")).value
        key = "tstate.cframe"
        check("cframe.current_frame", u64(current + off("iframe.frame_obj")), id(here))
    else:
        current = word.from_address(tstate + off("tstate.current_frame")).value
        key = "tstate.current_frame"
    check(key, current, u64(id(here) + off("frameobj.f_frame")))
    check("iframe.owner", u8(current + off("iframe.owner")), 0)
    check("iframe.f_code", clean(u64(current + off("iframe.f_code"))), id(here.f_code))
    check(
        "iframe.f_funcobj",
        clean(u64(current + off("iframe.f_funcobj"))),
        id(check_new_frames),
    )
    check("iframe.f_globals", u64(current + off("iframe.f_globals")), id(globals()))
    check(
        "iframe.f_builtins",
        u64(current + off("iframe.f_builtins")),
        id(builtins.__dict__),
    )
    back = here.f_back
    previous = u64(current + off("iframe.previous"))
    check("iframe.previous", u64(previous + off("iframe.frame_obj")), id(back))
    namespace = {}
    exec(
        "found = u64(u64(id(frame()) + off('frameobj.f_frame'))"
        " + off('iframe.f_locals'))",
        dict(globals(), frame=sys._getframe),
        namespace,
    )
    check("iframe.f_locals", namespace["found"], id(namespace))
    if has("frameobj.f_extra_locals"):
        here.f_locals["not a name"] = 5
        extra = obj(u64(id(here) + off("frameobj.f_extra_locals")))
        check("frameobj.f_extra_locals", extra, {"not a name": 5})


def cframes():
    """The list of struct _cframe: how many, and the last, which is a member of
    the thread state."""
    word, found, state = ctypes.c_uint64, 1, thread_state()
    at = word.from_address(state + off("tstate.cframe")).value
    # What the last one's link is nobody has set (3.10).
    while found < 10000 and not state <= at < state + 4096:
        at = word.from_address(at + off("cframe.previous")).value
        found += 1
    return found, at


def before_me(_):
    """The owner of the frame struct before this function's own."""
    frame = sys._getframe()
    own = u64(id(frame) + off("frameobj.f_frame"))
    return u8(u64(own + off("iframe.previous")) + off("iframe.owner"))


def check_evaluation():
    """What a call of the evaluation loop by C leaves on its stack."""
    if has("tstate.cframe"):
        direct, last = cframes()
        called = list(map(lambda _: cframes(), [0]))[0][0]
        check("cframe.previous", called - direct, 1)
        check("tstate.cframe", 0 <= last - thread_state() < 4096, True)
    if MODEL["evalcall"] == "shim":
        check("evalcall", list(map(before_me, [0]))[0] >= 3, True)
    else:
        kind = "cframe" if has("tstate.cframe") else "frame"
        check("evalcall", MODEL["evalcall"], kind)
        check("evalcall", has("iframe.previous") and before_me(0) >= 3, False)


def check_frames():
    f = sys._getframe()
    f.f_trace = tracer = outer(1)
    pointer("frameobj.f_trace", f, tracer)
    f.f_trace = None
    g = make_generator()
    pointer("gen.gi_name", g, g.__name__)
    g.__qualname__ = "other.name"
    pointer("gen.gi_qualname", g, g.__qualname__)
    if sys.version_info >= (3, 10):
        # 0: no tracer has set it.
        number("frameobj.f_lineno", f, 0)
    else:
        number("frameobj.f_lineno", g.gi_frame, g.gi_code.co_firstlineno)
    sys.set_coroutine_origin_tracking_depth(1)
    space = {}
    exec("async def coro():\n    pass\n", space)
    coro = space["coro"]()
    sys.set_coroutine_origin_tracking_depth(0)
    pointer("gen.cr_origin", coro, coro.cr_origin)
    coro.close()
    if has("iframe.previous"):
        check_new_frames()
    else:
        check_old_frames()
    check_evaluation()


def thread_state():
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_uint64
    return get()


def check_exc_info(e):
    """Called while e is being handled."""
    item = u64(thread_state() + off("tstate.exc_info"))
    # Frames other than generators' share the item of the thread.
    value = u64(item + off("excinfo.exc_value"))
    check("tstate.exc_info", value, id(e))
    check("excinfo.exc_value", value, id(e))
    if has("excinfo.exc_type"):
        check("excinfo.exc_type", u64(item + off("excinfo.exc_type")), id(type(e)))
        check(
            "excinfo.exc_traceback",
            u64(item + off("excinfo.exc_traceback")),
            id(e.__traceback__),
        )
    check("excinfo.previous_item", u64(item + off("excinfo.previous_item")), 0)
    kind = "triple" if has("excinfo.exc_type") else "value"
    check("excinfo", MODEL["excinfo"], kind)

    def generator():
        # It has an item of its own while it runs.
        own = u64(thread_state() + off("tstate.exc_info"))
        check("excinfo.previous_item", u64(own + off("excinfo.previous_item")), item)
        yield

    next(generator())


def check_raised():
    """Puts an exception where C leaves one that is raised, and catches it."""
    e = OSError("put there")
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(e))
    keys = ["tstate.current_exception"]
    words = [id(e)]
    if not has("tstate.current_exception"):
        keys = ["tstate.curexc_" + n for n in ("type", "value", "traceback")]
        words = [id(OSError), id(e), 0]
        for key, word in zip(keys, words):
            check(key, off(key), off("tstate.curexc_type") + 8 * keys.index(key))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(OSError))
    # What PyDLL calls may raise, so that it looks for an exception after.
    put = ctypes.PyDLL(None).memmove
    put.argtypes = [ctypes.c_uint64, ctypes.c_char_p, ctypes.c_size_t]
    data = struct.pack("<%dQ" % len(words), *words)
    caught = None
    try:
        put(thread_state() + off(keys[0]), data, len(data))
    except OSError as seen:
        caught = seen
    for key in keys:
        check(key, caught is e, True)


def check_states():
    api = ctypes.pythonapi
    tstate = thread_state()
    interp = u64(tstate + off("tstate.interp"))
    api.PyInterpreterState_Head.restype = ctypes.c_uint64
    check("tstate.interp", interp, api.PyInterpreterState_Head())
    api.PyInterpreterState_ThreadHead.argtypes = [ctypes.c_uint64]
    api.PyInterpreterState_ThreadHead.restype = ctypes.c_uint64
    check(
        "interp.threads_head",
        u64(interp + off("interp.threads_head")),
        api.PyInterpreterState_ThreadHead(interp),
    )
    api.PyInterpreterState_GetID.argtypes = [ctypes.c_uint64]
    api.PyInterpreterState_GetID.restype = ctypes.c_int64
    check(
        "interp.id",
        i64(interp + off("interp.id")),
        api.PyInterpreterState_GetID(interp),
    )
    check("interp.next", u64(interp + off("interp.next")), 0)
    check("interp.modules", u64(interp + off("interp.modules")), id(sys.modules))
    check("interp.sysdict", u64(interp + off("interp.sysdict")), id(sys.__dict__))
    check("interp.builtins", u64(interp + off("interp.builtins")), id(builtins.__dict__))
    runtime = ctypes.addressof(ctypes.c_char.in_dll(api, "_PyRuntime"))
    head = u64(runtime + off("runtime.interpreters_head"))
    check("runtime.interpreters_head", head, interp)
    check("runtime.finalizing", u64(runtime + off("runtime.finalizing")), 0)
    check("tstate.thread_id", u64(tstate + off("tstate.thread_id")), threading.get_ident())
    if has("tstate.native_thread_id"):
        check(
            "tstate.native_thread_id",
            u64(tstate + off("tstate.native_thread_id")),
            threading.get_native_id(),
        )
    check_ids_and_next(tstate)
    if has("runtime.gil_locked"):
        check("runtime.gil_locked", u32(runtime + off("runtime.gil_locked")), 1)
        holder = u64(runtime + off("runtime.gil_last_holder"))
        check("runtime.gil_last_holder", holder, tstate)
        # What the GIL's own offsets are to be added to.
        for name in ("locked", "last_holder"):
            base = off("runtime.gil_" + name) - off("gil." + name)
            check("gil." + name, base, off("runtime.gil_locked") - off("gil.locked"))
    else:
        gil = u64(interp + off("interp.gil"))
        check("interp.gil", u32(gil + off("gil.locked")), 1)
        check("gil.locked", u32(gil + off("gil.locked")), 1)
        check("gil.last_holder", u64(gil + off("gil.last_holder")), tstate)
    check_gil_cond(runtime, interp)
    if has("interp.static_types"):
        check_static_types(interp)
    check_collector(interp, runtime)
    check_raised()


def check_gil_cond(runtime, interp):
    """Where a thread sleeps that waits for the GIL: glibc counts who waits at
    a condition variable in its __wrefs, from bit 3 on."""
    check("gil.cond_bytes", off("gil.cond_bytes"), 48)  # sizeof(pthread_cond_t)
    if has("runtime.gil_cond"):
        key, cond = "runtime.gil_cond", runtime + off("runtime.gil_cond")
        base = off("runtime.gil_locked") - off("gil.locked")
        check("gil.cond", off("runtime.gil_cond") - off("gil.cond"), base)
    else:
        key, cond = "gil.cond", u64(interp + off("interp.gil")) + off("gil.cond")
    libc = ctypes.PyDLL(None)  # calls it with the GIL held
    end = []

    def want():
        while not end:
            pass

    thread = threading.Thread(target=want)
    thread.start()
    waits = u32(cond + 36) >> 3
    for _ in range(2000):
        if waits == 1:
            break
        libc.usleep(2000)
        waits = u32(cond + 36) >> 3
    end.append(1)
    thread.join()
    check(key, waits, 1)


def check_ids_and_next(tstate):
    """With a second thread, which is put before the first one."""
    done, go = threading.Event(), threading.Event()
    seen = []

    def run():
        seen.append((thread_state(), threading.get_ident()))
        go.set()
        done.wait()

    thread = threading.Thread(target=run)
    thread.start()
    go.wait()
    other, ident = seen[0]
    check("tstate.next", u64(other + off("tstate.next")), tstate)
    check("tstate.next", u64(tstate + off("tstate.next")), 0)
    check("tstate.thread_id", u64(other + off("tstate.thread_id")), ident)
    first = u64(tstate + off("tstate.id"))
    check("tstate.id", u64(other + off("tstate.id")), first + 1)
    if hasattr(ctypes.pythonapi, "PyThreadState_GetID"):
        get = ctypes.pythonapi.PyThreadState_GetID
        get.argtypes, get.restype = [ctypes.c_uint64], ctypes.c_uint64
        check("tstate.id", u64(other + off("tstate.id")), get(other))
    done.set()
    thread.join()


def check_static_types(interp):
    size = off("statictype.size")
    for key, t in (("static_types", int), ("static_ext_types", datetime.date)):
        if not has("interp." + key):
            continue
        start = interp + off("interp." + key)
        total = off("interp." + key + "_bytes")
        found = {}
        for entry in range(start, start + total, size):
            found[u64(entry + off("statictype.type"))] = u64(
                entry + off("statictype.tp_dict")
            )
        for name in ("interp." + key, "interp." + key + "_bytes", "statictype.size",
                     "statictype.type"):
            check(name, id(t) in found, True)
        check("statictype.tp_dict", found.get(id(t)), id(dict_of_type(t)))
        check("interp." + key + "_bytes", total % size, 0)


def leads_back(head):
    link = u64(head + off("gchead.next")) & ~3
    readable = link and not link & 7 and link >> 47 == 0
    return readable and u64(link + off("gchead.next") + 8) & ~3 == head


def in_list(head, thing):
    """Whether the collector's list that begins at head has the thing."""
    wanted = id(thing) - off("gchead.size")
    at = head
    for _ in range(1000000):
        at = u64(at + off("gchead.next")) & ~3
        if at == wanted or at == head:
            break
    return at == wanted


def check_collector(interp, runtime):
    size = off("gcgen.size")
    young, permanent = "interp.gc_young", "interp.gc_permanent"
    base = interp
    if not has(young):
        young = "interp.gc_generations"
    if not has(young):
        young, permanent, base = "runtime.gc_generations", "runtime.gc_permanent", runtime
    start = base + off(young)
    gc.disable()
    try:
        gc.collect()
        thing = [object()]
        if not leads_back(start) and sys.version_info[:2] == (3, 13):
            # Debian's packs PyGC_Head to 4 bytes.
            start -= 4
        new = in_list(start, thing)
        for key in (young, "gchead.next", "gchead.size"):
            check(key, new, True)
        gc.collect()
        if has("interp.gc_old"):
            old = [base + off("interp.gc_old") + i * size for i in range(2)]
        else:
            old = [start + 2 * size]
        found = [in_list(head, thing) for head in old]
        for key in ("gcgen.size", "interp.gc_old" if has("interp.gc_old") else young):
            check(key, sum(found), 1)
        if has("interp.gc_old"):
            # The two follow each other, and the permanent ones follow them.
            check("interp.gc_old", old[0] - start, size)
            check("gcgen.size", base + off(permanent) - old[0], 2 * size)
        gc.freeze()
        check(permanent, in_list(base + off(permanent), thing), True)
        gc.unfreeze()
    finally:
        gc.enable()


def check_debug_offsets():
    """What the interpreter says of itself, at the places that TABLE has."""
    if not TABLE["debug_size"]:
        return
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    check("debug cookie", raw(runtime, 8), b"xdebugpy")
    check("debug version", u64(runtime + 8), sys.hexversion)
    for key, (place, size) in TABLE["debug"].items():
        # 0 is how it says absent.
        check("debug." + key, u64(runtime + place), OFF[key] or 0)
        if size is not None:
            check("debug." + key, u64(runtime + size) >= (OFF[key] or 0), True)


def main():
    for part in (
        check_objects, check_types, check_numbers, check_text,
        check_containers, check_attributes, check_functions,
        check_exceptions, check_code, check_frames, check_states,
        check_debug_offsets,
    ):
        try:
            part()
        except Exception as e:
            # A wrong offset shows itself in many ways.
            line = e.__traceback__.tb_next.tb_lineno
            wrong.append("{} line {}: {!r}".format(part.__name__, line, e))
    json.dump({"checked": checked, "wrong": wrong}, sys.stdout)


main()
