# SPDX-License-Identifier: Apache-2.0
"""Specimens: ctypes, and extension types that few know."""

import binascii
import bz2
import codecs
import lzma
import unicodedata
import zlib


def simple(c, ctypes):
    g = c.group("ctypes simple values", "x.value")
    for name, value in (
        ("c_int", -5),
        ("c_uint", 5),
        ("c_longlong", -(2**62)),
        ("c_ulonglong", 2**64 - 1),
        ("c_short", -3),
        ("c_ubyte", 255),
        ("c_byte", -1),
        ("c_char", b"x"),
        ("c_wchar", "\u20ac"),
        ("c_bool", True),
        ("c_float", 0.5),
        ("c_double", -1.25),
        ("c_size_t", 7),
        ("c_void_p", 4096),
    ):
        g.add(name, lambda name=name, value=value: getattr(ctypes, name)(value))
    g.add("null c_void_p", ctypes.c_void_p)
    g.add("c_char_p", lambda: ctypes.c_char_p(b"chars"))
    g.add("c_wchar_p", lambda: ctypes.c_wchar_p("w\u20acs"))
    g.add("null c_char_p", ctypes.c_char_p)
    g.add("py_object", lambda: ctypes.py_object([1, 2]))
    g.add("big endian", lambda: ctypes.c_int.__ctype_be__(258))


def compound(c, ctypes):
    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]

    class Packed(ctypes.Structure):
        _pack_ = 1
        _layout_ = "ms"
        _fields_ = [("a", ctypes.c_char), ("b", ctypes.c_longlong)]

    class Flags(ctypes.Structure):
        _fields_ = [
            ("low", ctypes.c_uint, 3),
            ("high", ctypes.c_uint, 5),
            ("rest", ctypes.c_int, 8),
        ]

    class Nested(ctypes.Structure):
        _fields_ = [("p", Point), ("name", ctypes.c_char * 8), ("next", ctypes.POINTER(Point))]

    class Derived(Point):
        _fields_ = [("z", ctypes.c_short)]

    class Either(ctypes.Union):
        _fields_ = [("i", ctypes.c_int), ("f", ctypes.c_float)]

    class Swapped(ctypes.BigEndianStructure):
        _fields_ = [("n", ctypes.c_uint16), ("m", ctypes.c_uint32)]

    def point():
        made = Point(3, 0.5)
        made.extra = "an attribute"
        return made

    g = c.group("ctypes.Structure")
    g.add("two fields", lambda: Point(-1, 2.5), "x.x", "x.y")
    g.add("attribute", point, "x.x", "x.extra")
    g.add("packed", lambda: Packed(b"c", -7), "x.a", "x.b")
    g.add("bit fields", lambda: Flags(5, 17, -3), "x.low", "x.high", "x.rest")
    there = c.keep(Point(8, 9))
    g.add(
        "nested",
        lambda: Nested(Point(1, 2), b"name", ctypes.pointer(there)),
        "x.p.x",
        "x.name",
        "x.p.y",
    )
    g.add("derived", lambda: Derived(1, 2, 3), "x.x", "x.z")
    g.add("big endian", lambda: Swapped(258, 1), "x.n", "x.m")
    c.group("ctypes.Union").add("int", lambda: Either(i=0x3F800000), "x.i", "x.f")
    g = c.group("ctypes.Array", "len(x)", "list(x)")
    g.add("ints", lambda: (ctypes.c_int * 3)(1, -2, 3), "x[1]")
    g.add("empty", lambda: (ctypes.c_int * 0)())
    g.add("chars", lambda: ctypes.create_string_buffer(b"hi", 5), "x.value", "x.raw")
    c.group("ctypes.Array", "len(x)", "x[1].y").add(
        "structures", lambda: (Point * 2)((1, 2), (3, 4))
    )
    target = c.keep(ctypes.c_int(77))
    g = c.group("ctypes.POINTER")
    g.add("to an int", lambda: ctypes.pointer(target), "x.contents.value", "x[0]")
    g.add("null", ctypes.POINTER(ctypes.c_int), "bool(x)")
    g = c.group("ctypes.CFUNCTYPE")
    g.add("callback", lambda: ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(abs))
    g = c.group("ctypes.CDLL", "x._name")
    g.add("own process", lambda: ctypes.CDLL(None))


def compressors(c):
    c.group("zlib.Compress").add("fed", lambda: fed(zlib.compressobj(), "compress"))
    g = c.group("zlib.Decompress", "x.eof", "x.unused_data", "x.unconsumed_tail")
    g.add(
        "finished", lambda: fed(zlib.decompressobj(), "decompress", zlib.compress(b"abc") + b"rest")
    )
    c.group("bz2.BZ2Compressor").add("fresh", bz2.BZ2Compressor)
    g = c.group("bz2.BZ2Decompressor", "x.eof", "x.unused_data", "x.needs_input")
    g.add(
        "finished", lambda: fed(bz2.BZ2Decompressor(), "decompress", bz2.compress(b"a") + b"more")
    )
    c.group("lzma.LZMACompressor").add("fresh", lzma.LZMACompressor)
    g = c.group("lzma.LZMADecompressor", "x.eof", "x.unused_data", "x.check")
    g.add(
        "finished",
        lambda: fed(lzma.LZMADecompressor(), "decompress", lzma.compress(b"a") + b"more"),
    )


def fed(made, method, data=b"some data"):
    getattr(made, method)(data)
    return made


def others(c):
    g = c.group("codecs.CodecInfo", "x.name", "len(x)")
    g.add("utf-8", lambda: codecs.lookup("utf-8"))
    c.group("unicodedata.UCD", "x.unidata_version").add("old", lambda: unicodedata.ucd_3_2_0)
    g = c.group("pyexpat.xmlparser", "x.ordered_attributes", "x.StartElementHandler")

    def parser():
        from xml.parsers import expat

        made = expat.ParserCreate()
        made.StartElementHandler = len
        return made

    g.add("with handler", parser)

    def profiler():
        import _lsprof

        return _lsprof.Profiler()

    c.group("_lsprof.Profiler").add("fresh", profiler)

    def capsule():
        import datetime

        return datetime.datetime_CAPI

    c.group("builtins.PyCapsule").add(
        "of datetime", capsule, ("'datetime.datetime_CAPI'", "x.name")
    )

    def coder():
        made = codecs.getincrementaldecoder("utf-8")()
        made.decode(b"\xe2\x82")
        return made

    c.group("codecs.IncrementalDecoder", "x.errors", "x.buffer").add("half a character", coder)

    def multibyte():
        return codecs.getincrementalencoder("gb18030")()

    c.group("_multibytecodec.MultibyteIncrementalEncoder", "x.errors").add("fresh", multibyte)
    c.group("binascii.Error", "x.args").add("made", lambda: binascii.Error("bad"))


def collect(c):
    try:
        import ctypes
    except ImportError as error:
        c.absent["ctypes"] = "not built: {}".format(error)
    else:
        simple(c, ctypes)
        compound(c, ctypes)
    compressors(c)
    others(c)
