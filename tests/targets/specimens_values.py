# SPDX-License-Identifier: Apache-2.0
"""Specimens: numbers, text, dates, enums, memory, patterns, annotations."""

import array
import datetime
import decimal
import enum
import fractions
import math
import mmap
import os
import pathlib
import re
import struct
import sys
import time
import types
import typing
import uuid


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    BLUE = (1, 2)
    CRIMSON = 1


class Planet(enum.Enum):
    EARTH = (5.9e24, 6.3e6)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 1000


class Word(str, enum.Enum):
    HELLO = "hello"


class Perm(enum.Flag):
    R = 4
    W = 2
    X = 1


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Stamp(datetime.datetime):
    pass


class SlotStamp(datetime.datetime):
    __slots__ = ("zone_name",)


class Day(datetime.date):
    pass


class Span(datetime.timedelta):
    pass


class Zone(datetime.tzinfo):
    def __init__(self, hours=3):
        self.hours = hours

    def utcoffset(self, when):
        return datetime.timedelta(hours=self.hours)

    def dst(self, when):
        return None

    def tzname(self, when):
        return "Z%d" % self.hours


class Money(decimal.Decimal):
    pass


class Ratio(fractions.Fraction):
    pass


class Folder(type(pathlib.PurePosixPath())):
    pass


class Numbers(array.array):
    pass


T = typing.TypeVar("T")
U = typing.TypeVar("U", bound=int, covariant=True)
V = typing.TypeVar("V", int, str)


class Box(typing.Generic[T]):
    def __init__(self, content):
        self.content = content


class Point3(typing.NamedTuple):
    x: int
    y: int
    z: int = 0


def with_attributes(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def numbers(c):
    D = decimal.Decimal
    g = c.group("decimal.Decimal", "str(x)")
    for name, text in (
        ("small", "3.14"),
        ("zero", "0"),
        ("negative zero", "-0.00"),
        ("huge exponent", "-1E+9999"),
        ("tiny", "1E-9999"),
        ("infinity", "-Infinity"),
        ("nan", "NaN"),
        ("nan with payload", "-NaN123"),
        ("signalling nan", "sNaN"),
        ("many digits", "1234567890123456789" * 20 + ".5"),
        ("nineteen digits", "9999999999999999999"),
        ("zeros inside", "1" + "0" * 60 + "1"),
    ):
        g.add(name, lambda text=text: D(text))
    g.add("subclass", lambda: with_attributes(Money("9.99"), currency="EUR"), "x.currency")
    g = c.group(
        "decimal.Context", "x.prec", "x.rounding", "x.Emin", "x.Emax", "x.capitals", "x.clamp"
    )
    g.add("own", lambda: decimal.Context(prec=7, rounding=decimal.ROUND_DOWN, Emin=-99, Emax=99))
    g.add("current", decimal.getcontext)
    g = c.group("fractions.Fraction", "x.numerator", "x.denominator", "str(x)")
    g.add("simple", lambda: fractions.Fraction(-3, 4))
    g.add("whole", lambda: fractions.Fraction(7))
    g.add("huge", lambda: fractions.Fraction(10**50, 3**90))
    g.add("subclass", lambda: Ratio(1, 3))
    g = c.group("uuid.UUID", "x.int", "str(x)", "x.hex", "x.version")
    g.add("fixed", lambda: uuid.UUID("12345678-1234-5678-1234-567812345678"))
    g.add("nil", lambda: uuid.UUID(int=0))
    g.add("version 5", lambda: uuid.uuid5(uuid.NAMESPACE_DNS, "example.org"))
    g = c.group("builtins.int", "x + 0", "x.bit_length()")
    g.add("zero", lambda: 0)
    g.add("negative", lambda: -(2**64))
    g.add("huge", lambda: 7**3000)
    g = c.group("builtins.float", "x + 0.0")
    g.add("nan", lambda: float("nan"))
    g.add("minus zero", lambda: -0.0)
    g.add("pi", lambda: math.pi)
    c.group("builtins.complex", "x.real", "x.imag").add("negative zero", lambda: complex(1.5, -0.0))


def texts(c):
    g = c.group("builtins.str", "len(x)", "x[:50]", "x.upper()[:20]")
    g.add("empty", lambda: "")
    g.add("ascii", lambda: "hello world")
    g.add("latin", lambda: "caf\xe9 \x00")
    g.add("two bytes", lambda: "\u20ac\u0100" * 10)
    g.add("four bytes", lambda: "\U0001f40d\ud800")
    g.add("long", lambda: "abc" * 5000)
    g = c.group("builtins.bytes", "len(x)", "x[:50]")
    g.add("empty", lambda: b"")
    g.add("all", lambda: bytes(range(256)))
    g = c.group("builtins.bytearray", "len(x)", "bytes(x)")
    g.add("empty", bytearray)
    g.add("cut at the start", lambda: bytearray(b"0123456789")[3:])
    for name, value in (("Ellipsis", Ellipsis), ("NotImplemented", NotImplemented), ("None", None)):
        label = "builtins." + type(value).__name__
        c.group(label.replace("builtins.ellipsis", "builtins.Ellipsis")).add(
            name, lambda value=value: value, "x is " + name
        )
    g = c.group("builtins.range", "x.start", "x.stop", "x.step", "len(x)", "list(x[:5])")
    g.add("empty", lambda: range(0))
    g.add("negative", lambda: range(10, -10, -3))
    g.add("huge", lambda: range(10**20, 10**20 + 7))
    g = c.group("builtins.slice", "x.start", "x.stop", "x.step")
    g.add("numbers", lambda: slice(1, None, -2))
    g.add("objects", lambda: slice("a", [1], {"k": 2}))


def dates(c):
    hour = datetime.timedelta(hours=1)
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "IST")
    fields = ["x.year", "x.month", "x.day"]
    clock = ["x.hour", "x.minute", "x.second", "x.microsecond", "x.fold"]
    g = c.group("datetime.date", "x.isoformat()", *fields)
    g.add("day", lambda: datetime.date(2024, 2, 29))
    g.add("first", lambda: datetime.date.min)
    g.add("last", lambda: datetime.date.max)
    g.add("subclass", lambda: with_attributes(Day(1999, 12, 31), label="eve"), "x.label")
    g = c.group("datetime.datetime", "x.isoformat()", *(fields + clock))
    aware = "str(x.tzinfo)"
    g.add("naive", lambda: datetime.datetime(2024, 2, 29, 23, 59, 59, 999999), "x.tzinfo is None")
    g.add("utc", lambda: datetime.datetime(1, 1, 1, tzinfo=datetime.timezone.utc), aware)
    g.add("offset", lambda: datetime.datetime(2000, 1, 2, 3, 4, 5, tzinfo=zone), aware)
    g.add("fold", lambda: datetime.datetime(2024, 10, 27, 2, 30, fold=1))
    g.add("last", lambda: datetime.datetime.max)
    g.add("subclass", lambda: with_attributes(Stamp(2020, 5, 6, 7, tzinfo=zone), by="me"), "x.by")
    g.add(
        "slots",
        lambda: with_attributes(SlotStamp(2021, 5, 6, 7), zone_name="here"),
        "x.zone_name",
    )
    g = c.group("datetime.datetime", "x.year", "x.hour", "x.tzinfo.hours")
    g.add("own zone", lambda: datetime.datetime(2022, 1, 1, 12, tzinfo=Zone(-3)))
    g = c.group("datetime.time", "x.isoformat()", *clock)
    g.add("midnight", datetime.time)
    g.add("last", lambda: datetime.time.max)
    g.add("aware", lambda: datetime.time(1, 2, 3, 4, tzinfo=zone, fold=1), "x.tzinfo is not None")
    g = c.group("datetime.timedelta", "x.days", "x.seconds", "x.microseconds", "x.total_seconds()")
    g.add("zero", datetime.timedelta)
    g.add("negative", lambda: datetime.timedelta(days=-1, seconds=5, microseconds=7))
    g.add("largest", lambda: datetime.timedelta.max)
    g.add("smallest", lambda: datetime.timedelta.min)
    g.add("subclass", lambda: with_attributes(Span(1, 2, 3), why="test"), "x.why")
    g = c.group("datetime.timezone", "str(x)", "x.utcoffset(None).total_seconds()")
    g.add("utc", lambda: datetime.timezone.utc)
    g.add("named", lambda: zone)
    g.add("unnamed", lambda: datetime.timezone(-hour))
    c.group("datetime.tzinfo", "x.hours").add("subclass", lambda: Zone(9))
    zoneinfos(c)


def tzif():
    """A time zone file that has one zone, XYZ, two hours east."""
    head = b"TZif" + b"2" + b"\0" * 15
    body = struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 7200, 0, 0) + b"XYZ\0"
    return head + body + head + body + b"\nXYZ-2\n"


def zoneinfos(c):
    import io

    def zone(key):
        import zoneinfo

        return zoneinfo.ZoneInfo.from_file(io.BytesIO(tzif()), key=key)

    g = c.group("zoneinfo.ZoneInfo", "x.key", "str(x)", since=(3, 9))
    g.add("named", lambda: zone("Test/Xyz"))
    g.add("of a datetime", lambda: datetime.datetime(2024, 1, 1, tzinfo=zone("A/B")).tzinfo)


def enums(c):
    g = c.group("enum.Enum", "x.name", "x.value")
    g.add("number", lambda: Color.RED)
    g.add("alias", lambda: Color.CRIMSON)
    g.add("tuple", lambda: Color.BLUE)
    g.add("with attributes", lambda: Planet.EARTH, "x.mass", "x.radius")
    g.add("str mixed in", lambda: Word.HELLO, "x == 'hello'", "len(x)")
    g = c.group("enum.EnumMeta", "x.__name__", "x.RED.value")
    g.add("class of Enum", lambda: Color)
    g = c.group("enum.IntEnum", "x.name", "x.value", "x + 1")
    g.add("small", lambda: Level.LOW)
    g.add("large", lambda: Level.HIGH)
    g = c.group("enum.Flag", "x.value")
    g.add("one", lambda: Perm.R, "x.name")
    g.add("two", lambda: Perm.R | Perm.X)
    g.add("none", lambda: Perm(0))
    c.group("enum.EnumMeta", "x.__name__", "x.W.value").add("class of Flag", lambda: Perm)
    g = c.group("enum.IntFlag", "x.value", "x + 0")
    g.add("one", lambda: Bits.TWO, "x.name")
    g.add("two", lambda: Bits.ONE | Bits.TWO)
    g.add("re flags", lambda: re.I | re.M)

    def str_enum():
        return enum.StrEnum("Tone", [("DO", "do"), ("RE", "re")]).RE

    c.group("enum.StrEnum", "x.name", "x.value", "x == 're'", since=(3, 11)).add("word", str_enum)


def paths(c):
    P, W = pathlib.PurePosixPath, pathlib.PureWindowsPath
    g = c.group("pathlib.PurePosixPath", "str(x)")
    g.add("plain", lambda: P("/usr/lib/x.so"))
    g.add("empty", P)
    g.add("unicode", lambda: P("a/\u20ac/\U0001f40d"))
    g.add(
        "used", lambda: (lambda p: (p.parts, hash(p), str(p), p.name, p)[-1])(P("a//b/./c.tar.gz"))
    )
    g.add("subclass", lambda: Folder("/tmp/sub"))
    g = c.group("pathlib.PureWindowsPath", "str(x)")
    g.add("plain", lambda: W("c:/Windows/System32"))
    g.add("unc", lambda: W("//server/share/file"))
    g = c.group("pathlib.PosixPath", "str(x)")
    g.add("plain", lambda: pathlib.Path("/etc/passwd"))
    g.add("joined", lambda: pathlib.Path("/etc") / "ssl" / "certs")
    g.add("parent", lambda: pathlib.Path("/etc/ssl/certs").parent)


def structures(c):
    """Struct sequences and named tuples."""
    c.group("os.stat_result", "x.st_size", "x.st_mode", "x[0]", "len(x)", "x.st_mtime_ns").add(
        "of a folder", lambda: os.stat("/")
    )
    g = c.group("time.struct_time", "x.tm_year", "x.tm_zone", "x[1]", "len(x)")
    g.add("fixed", lambda: time.gmtime(86400 * 365))
    g.add("local", lambda: time.localtime(0))
    c.group("sys.version_info", "x.major", "x.minor", "x[:2]", "x.releaselevel").add(
        "own", lambda: sys.version_info
    )
    c.group("sys.flags", "x.optimize", "x.utf8_mode").add("own", lambda: sys.flags)
    c.group("sys.float_info", "x.max", "x.dig").add("own", lambda: sys.float_info)
    c.group("sys.hash_info", "x.width", "x.algorithm").add("own", lambda: sys.hash_info)
    c.group("sys.thread_info", "x.name", "x.lock").add("own", lambda: sys.thread_info)
    c.group("os.terminal_size", "x.columns", "x.lines").add(
        "made", lambda: os.terminal_size((80, 24))
    )
    c.group("os.uname_result", "x.sysname", "x.machine", "x[3]").add("own", os.uname)
    c.group("os.times_result", "x.user", "len(x)").add("own", os.times)

    def usage():
        import resource

        return resource.getrusage(resource.RUSAGE_CHILDREN)

    def entry():
        import pwd

        return pwd.getpwuid(0)

    c.group("resource.struct_rusage", "x.ru_maxrss", "x.ru_utime").add("children", usage)
    c.group("pwd.struct_passwd", "x.pw_name", "x.pw_uid", "x.pw_dir").add("root", entry)


def memory(c):
    data = bytes(range(60))
    g = c.group("builtins.memoryview", "x.format", "x.itemsize", "x.ndim", "x.readonly", "x.nbytes")
    content = ("x.shape", "x.strides", "x.tobytes()")
    g.add("bytes", lambda: memoryview(data), "x.obj", *content)
    g.add("empty", lambda: memoryview(b""), *content)
    g.add("writable", lambda: memoryview(bytearray(b"abc")), "x.tolist()", *content)
    g.add("part", lambda: memoryview(data)[10:20], *content)
    g.add("steps", lambda: memoryview(data)[50:10:-3], *content)
    g.add("cast", lambda: memoryview(data).cast("H"), "x.tolist()", *content)
    g.add("two dimensions", lambda: memoryview(data).cast("B", [6, 10]), "x.tolist()", *content)
    g.add("doubles", lambda: memoryview(array.array("d", [1.5, -2.5])), "x.tolist()", *content)

    def released():
        view = memoryview(b"gone")
        view.release()
        return view

    c.group("builtins.memoryview").add("released", released)
    g = c.group("array.array", "x.typecode", "x.itemsize", "len(x)", "list(x)", "x.tobytes()")
    g.add("empty", lambda: array.array("i"))
    for code in "bBhHiIlLqQ":
        low = 0 if code.isupper() else -1
        g.add("typecode " + code, lambda code=code, low=low: array.array(code, [low, 1, 100]))
    g.add("typecode f", lambda: array.array("f", [1.5, float("-inf")]))
    g.add("typecode d", lambda: array.array("d", [math.pi, -0.0]))
    g.add("typecode u", lambda: array.array("u", "a\u20ac\U0001f40d"))
    g.add("typecode w", lambda: array.array("w", "a\U0001f40d"), since=(3, 13))
    g.add("long", lambda: array.array("H", range(5000)))

    def popped():
        made = array.array("i", range(10))
        made.pop()
        made.extend([7, 8, 9])
        return made

    g.add("grown", popped)
    g.add("subclass", lambda: with_attributes(Numbers("i", [1, 2]), unit="m"), "x.unit")

    def mapping(closed=False):
        made = mmap.mmap(-1, 8192)
        made.write(b"hello")
        if closed:
            made.close()
        return made

    g = c.group("mmap.mmap")
    g.add("anonymous", mapping, ("len(x)", "len(x)", "x.size"), ("x.tell()", "x.tell()", "x.pos"))
    g.add("closed", lambda: mapping(True), "x.closed")
    g = c.group("struct.Struct", "x.format", "x.size")
    g.add("native", lambda: struct.Struct("@ihb"))
    g.add("network", lambda: struct.Struct(">4sQ2x"))
    g.add("empty", lambda: struct.Struct(""))


def patterns(c):
    g = c.group("re.Pattern", "x.pattern", "x.flags", "x.groups", "dict(x.groupindex)")
    g.add("plain", lambda: re.compile("a+b*"))
    g.add("groups", lambda: re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)(x)?"))
    g.add("flags", lambda: re.compile("x.y", re.I | re.S | re.X))
    g.add("bytes", lambda: re.compile(rb"\xff(.)", re.M))
    g.add("long", lambda: re.compile("z" * 400))
    g = c.group(
        "re.Match",
        "x.group()",
        "x.span()",
        "x.groups()",
        "x.groupdict()",
        "x.string",
        "x.pos",
        "x.endpos",
        "x.lastindex",
        "x.lastgroup",
        "x.re.pattern",
        "x.start(0)",
        "x[0]",
    )
    g.add("groups", lambda: re.search(r"(?P<a>\d+)(b)?(?P<c>c)", "xx12c zz"))
    g.add("empty", lambda: re.match("", "abc"))
    g.add("bytes", lambda: re.search(rb"(.)\xff", b"\x01\x02\xff"))
    g.add("window", lambda: re.compile("b").search("abcabc", 2, 5))
    g.add("unicode", lambda: re.search("\u20ac+", "\U0001f40d\u20ac\u20ac!"))


def annotations(c):
    g = c.group("types.GenericAlias", "x.__origin__", "x.__args__", since=(3, 9))
    g.add("list", lambda: list[int])
    g.add("nested", lambda: dict[str, list[int]])
    g.add("tuple", lambda: tuple[int, ...])
    g = c.group("types.UnionType", "x.__args__", since=(3, 10))
    g.add("two", lambda: int | None)
    g = c.group("typing.Union", "x.__args__")
    g.add("two", lambda: typing.Union[int, str])
    g.add("optional", lambda: typing.Optional[typing.List[int]], until=(3, 13))
    g = c.group("typing._GenericAlias", "x.__origin__")
    g.add("list", lambda: typing.List[int], "x.__args__")
    g.add("dict", lambda: typing.Dict[str, T], "len(x.__args__)")
    g.add("callable", lambda: typing.Callable[[int], str], "x.__args__")
    g.add("own", lambda: Box[int], "x.__args__")
    g.add("literal", lambda: typing.Literal["a", 1], "x.__args__", since=(3, 8))
    g.add(
        "annotated",
        lambda: typing.Annotated[int, "unit", 5],
        "x.__metadata__",
        since=(3, 9),
    )
    c.group("typing.Any").add("itself", lambda: typing.Any)
    g = c.group(
        "typing.TypeVar", "x.__name__", "x.__bound__", "x.__constraints__", "x.__covariant__"
    )
    g.add("free", lambda: T)
    g.add("bound", lambda: U)
    g.add("constraints", lambda: V)
    g = c.group("typing.ParamSpec", "x.__name__", since=(3, 10))
    g.add("free", lambda: typing.ParamSpec("P"))
    g = c.group("typing.TypeVarTuple", "x.__name__", since=(3, 11))
    g.add("free", lambda: typing.TypeVarTuple("Ts"))
    g = c.group("typing.TypeAliasType", "x.__name__", "x.__value__", since=(3, 12))
    g.add("made", lambda: typing.TypeAliasType("Number", int))
    g = c.group("typing.ForwardRef", "x.__forward_arg__")
    g.add("name", lambda: typing.ForwardRef("Later.Name"))
    g = c.group("typing.NewType", "x.__name__", "x.__supertype__")
    g.add("number", lambda: typing.NewType("UserId", int))
    g = c.group("typing.Generic", "x.content")
    g.add("instance", lambda: Box([1, 2]))
    g.add("instance of an alias", lambda: Box[int](5))
    g = c.group("typing.NamedTuple", "x.x", "x.z", "x[1]", "len(x)", "tuple(x)")
    g.add("default", lambda: Point3(1, 2))


def miscellany(c):
    g = c.group("types.SimpleNamespace", "vars(x)")
    g.add("empty", types.SimpleNamespace)
    g.add("filled", lambda: types.SimpleNamespace(a=1, b="two", c=[3]), "x.a", "x.c")

    def cyclic():
        made = types.SimpleNamespace(name="me")
        made.me = made
        return made

    c.group("types.SimpleNamespace", "x.name", "x.me is x").add("cyclic", cyclic)
    g = c.group("types.MappingProxyType", "dict(x)", "len(x)", "x['a']")
    g.add("of a dict", lambda: types.MappingProxyType({"a": 1}))
    g = c.group("types.CellType", "x.cell_contents", since=(3, 8))
    g.add("filled", lambda: types.CellType([5]))
    g = c.group("types.ModuleType", "x.__name__", "x.answer")
    g.add("made", lambda: with_attributes(types.ModuleType("made_up", "doc"), answer=42))
    c.group("types.MethodType", "x.__self__", "x.__name__").add("of a list", lambda: [1].append)


def collect(c):
    numbers(c)
    texts(c)
    dates(c)
    enums(c)
    paths(c)
    structures(c)
    memory(c)
    patterns(c)
    annotations(c)
    miscellany(c)
