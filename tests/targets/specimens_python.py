# SPDX-License-Identifier: Apache-2.0
"""Specimens: classes of the program, with all that they inherit from."""

import abc
import asyncio
import dataclasses
import io
import random
import socket
import threading
import types


class Plain:
    shared = "of the class"

    def __init__(self, a=1):
        self.a = a

    @property
    def double(self):
        return self.a * 2


class Told(Plain):
    def __repr__(self):
        return "Told!"


class Slotted:
    __slots__ = ("first", "second", "__weakref__")

    def __init__(self):
        self.first = 1


class SlottedMore(Slotted):
    __slots__ = ("third", "__dict__")


class SlottedDeep(SlottedMore):
    __slots__ = ("_hidden", "__mangled")

    def __init__(self):
        super().__init__()
        self._hidden = "h"
        self.__mangled = "m"


class Meta(type):
    def __new__(cls, name, bases, space, **more):
        made = super().__new__(cls, name, bases, space)
        made.registered = sorted(more.items())
        return made


class WithMeta(Plain, metaclass=Meta):
    pass


class Abstract(abc.ABC):
    @abc.abstractmethod
    def run(self):
        pass


class Concrete(Abstract):
    def run(self):
        return 1


class MyDict(dict):
    pass


class MyDictSlots(dict):
    __slots__ = ("extra",)


class MyList(list):
    pass


class MyListSlots(list):
    __slots__ = ("extra",)


class MyInt(int):
    pass


class MyStr(str):
    pass


class MyTuple(tuple):
    pass


class MySet(set):
    pass


class MySetSlots(set):
    __slots__ = ("extra",)


class MyFrozenSet(frozenset):
    pass


class MyBytes(bytes):
    pass


class MyByteArray(bytearray):
    pass


class MyFloat(float):
    pass


class MyComplex(complex):
    pass


class MyError(Exception):
    pass


class SlottedError(Exception):
    __slots__ = ("code",)


class MyOSError(OSError):
    pass


class MyModule(types.ModuleType):
    pass


class MyProperty(property):
    pass


class MyStatic(staticmethod):
    pass


class MyLocal(threading.local):
    pass


class MyText(io.StringIO):
    pass


class MyBytesIO(io.BytesIO):
    pass


class MySocket(socket.socket):
    pass


class MyRandom(random.Random):
    pass


class MyFuture(asyncio.Future):
    pass


class Mixed(MyList, Plain):
    pass


@dataclasses.dataclass
class Item:
    name: str
    price: float = 0.5
    tags: list = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=7, repr=False)


@dataclasses.dataclass(frozen=True, order=True)
class Frozen:
    a: int
    b: str = "b"


@dataclasses.dataclass
class Special(Item):
    discount: "float" = 0.1


def with_attributes(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def instances(c):
    g = c.group("instance", "x.a", "x.shared")
    g.add("plain", lambda: Plain([1]))
    g.add("own repr", lambda: Told(5))
    g.add("metaclass", lambda: WithMeta(3))
    g.add(
        "many attributes",
        lambda: with_attributes(Plain(0), **{"n%d" % i: i for i in range(60)}),
        "x.n59",
    )

    def deleted():
        made = with_attributes(Plain(1), b=2, c=3, d=4)
        del made.b
        made.e = 5
        return made

    g.add("deleted attribute", deleted, "sorted(vars(x))")

    def with_dict():
        made = Plain(1)
        made.__dict__["not an identifier"] = 1
        return made

    g.add("dict made", with_dict, "vars(x)")

    def cyclic():
        made = Plain()
        made.me = made
        return made

    g.add("cyclic", cyclic, "x.me is x")
    c.group("instance", "type(x).__mro__[1].__name__").add("abstract base", Concrete)
    g = c.group("instance with slots", "x.first")
    g.add("unset", Slotted, ("hasattr(x, 'second')", "hasattr(x, 'second')"))
    g.add(
        "dict too", lambda: with_attributes(SlottedMore(), third=3, extra="e"), "x.third", "x.extra"
    )
    g.add("mangled", SlottedDeep, "x._hidden", "x._SlottedDeep__mangled")
    g = c.group("dataclass", "x.name", "x.price", "x.tags", "x.hidden")
    g.add("plain", lambda: Item("n", 2.0, ["t"]))
    g.add("inherits", lambda: Special("s"), "x.discount")
    c.group("dataclass", "x.a", "x.b").add("frozen", lambda: Frozen(1))

    def slotted():
        @dataclasses.dataclass(slots=True)
        class SlottedItem:
            a: int
            b: list

        return SlottedItem(1, [2])

    c.group("dataclass", "x.a", "x.b").add("slots", slotted, since=(3, 10))
    c.group("dataclasses.Field", "x.name", "x.default", "x.init").add(
        "of a class", lambda: dataclasses.fields(Item)[1]
    )
    g = c.group("class", "x.__name__", "x.__module__", "[b.__name__ for b in x.__bases__]")
    g.add("plain", lambda: Plain, "x.shared")
    g.add("with metaclass", lambda: WithMeta, "x.registered", "x.__class__.__name__")
    g.add("dataclass", lambda: Item, "sorted(x.__dataclass_fields__)", "x.price")
    g.add("exception", lambda: MyError)


def subclasses(c):
    def g(base):
        return c.group("subclass of " + base, "x.extra")

    def e(made):
        return with_attributes(made, extra=["kept"])

    g("dict").add("filled", lambda: e(MyDict(a=1)), "dict(x)", "len(x)")
    g("dict").add("slots", lambda: e(MyDictSlots(a=1)), "dict(x)")
    g("list").add("filled", lambda: e(MyList([1, 2])), "list(x)", "len(x)")
    g("list").add("slots", lambda: e(MyListSlots([1, 2])), "list(x)")
    g("list").add("two bases", lambda: with_attributes(e(Mixed([1])), a=4), "list(x)", "x.a")
    g("int").add("small", lambda: e(MyInt(5)), "int(x)", "x + 1")
    g("int").add("huge", lambda: e(MyInt(-(10**40))), "int(x)")
    g("str").add("ascii", lambda: e(MyStr("abc")), "str(x)", "len(x)", "x == 'abc'")
    g("str").add("unicode", lambda: e(MyStr("\u20ac\U0001f40d")), "str(x)")
    g("tuple").add("filled", lambda: e(MyTuple((1, [2]))), "tuple(x)")
    g("tuple").add("empty", lambda: e(MyTuple()), "len(x)")
    g("set").add("filled", lambda: e(MySet([1, 2])), "sorted(x)")
    g("set").add("slots", lambda: e(MySetSlots("a")), "sorted(x)")
    g("frozenset").add("filled", lambda: e(MyFrozenSet({1, 2})), "sorted(x)")
    g("bytes").add("filled", lambda: e(MyBytes(b"\x00\xff")), "bytes(x)")
    g("bytearray").add("filled", lambda: e(MyByteArray(b"ab")), "bytes(x)")
    g("float").add("filled", lambda: e(MyFloat(-0.5)), "float(x)")
    g("complex").add("filled", lambda: e(MyComplex(1, -2)), "x.real", "x.imag")
    g("Exception").add("filled", lambda: e(MyError("m", 2)), "x.args", "str(x)")
    g("threading.local").add("filled", lambda: e(MyLocal()))
    g("io.StringIO").add("filled", lambda: e(MyText("t\u20ac")), "x.getvalue()")
    g("io.BytesIO").add("filled", lambda: e(MyBytesIO(b"\x01")), "x.getvalue()")
    g("random.Random").add("filled", lambda: e(MyRandom(5)))
    g("types.ModuleType").add("filled", lambda: e(MyModule("m")), "x.__name__")
    g("property").add("filled", lambda: e(MyProperty(len)), "x.fget")
    c.group("subclass of staticmethod").add("filled", lambda: MyStatic(len), "x.__func__")

    def future():
        loop = asyncio.new_event_loop()
        c.keep(loop)
        made = e(MyFuture(loop=loop))
        made.set_result("r")
        return made

    g("asyncio.Future").add("done", future, ("'r'", "x.result()", "x._result"))

    def sock():
        made = e(MySocket(socket.AF_INET, socket.SOCK_DGRAM))
        made.bind(("127.0.0.1", 0))
        return made

    g("socket.socket").add(
        "bound", sock, ("int(x.family)", "int(x.family)"), ("x.fileno()", "x.fileno()", "x.fd")
    )


def exceptions(c):
    g = c.group("exception", "x.args", "str(x)")
    g.add("plain", lambda: ValueError("bad", 1))
    g.add("empty", RuntimeError)
    g.add("key", lambda: KeyError("k"))
    g.add(
        "os",
        lambda: FileNotFoundError(2, "No such file", "/x"),
        "x.errno",
        "x.strerror",
        "x.filename",
    )
    g.add("os subclass", lambda: MyOSError(13, "no"), "x.errno", "x.strerror")
    g.add("stop", lambda: StopIteration([5]), "x.value")
    g.add("exit", lambda: SystemExit(3), "x.code")
    g.add(
        "unicode", lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"), "x.start", "x.object"
    )
    g.add("import", lambda: ImportError("m", name="n", path="p"), "x.name", "x.path")
    g.add("slots", lambda: with_attributes(SlottedError("s"), code=4), "x.code")

    def syntax():
        try:
            compile("a b", "file.py", "exec")
        except SyntaxError as error:
            return error.with_traceback(None)

    c.group("exception", "x.lineno", "x.offset", "x.text", "x.filename", "x.msg").add(
        "syntax", syntax
    )

    def chained():
        try:
            try:
                {}["missing"]
            except KeyError as error:
                raise MyError("wrapped") from error
        except MyError as error:
            return error

    g.add(
        "cause",
        chained,
        "x.__cause__.args",
        "type(x.__cause__).__name__",
        "x.__suppress_context__",
        "x.__traceback__.tb_frame.f_code.co_name",
        "x.__traceback__.tb_lineno",
    )

    def context():
        try:
            try:
                int("x")
            except ValueError:
                [][1]
        except IndexError as error:
            return error

    g.add("context", context, "str(x.__context__)", "x.__cause__")

    def noted():
        made = ValueError("with notes")
        made.add_note("first")
        made.add_note("second")
        return made

    g.add("notes", noted, "x.__notes__", since=(3, 11))

    def several():
        return ExceptionGroup("many", [ValueError(1), MyError("two")])  # noqa: F821

    g = c.group("ExceptionGroup", "x.message", "[str(e) for e in x.exceptions]", since=(3, 11))
    g.add("two", several)
    g.add("base", lambda: BaseExceptionGroup("b", [KeyboardInterrupt()]))  # noqa: F821


def running(c):
    def generate(n):
        local = n * 2
        got = yield local
        yield got

    async def coroutine(n):
        await asyncio.sleep(n)

    async def agen():
        yield 1

    def started():
        made = generate(4)
        next(made)
        return made

    g = c.group("generator", "x.__name__", "x.gi_running")
    g.add("fresh", lambda: generate(1))
    g.add("started", started, "x.gi_frame.f_locals['local']", "x.gi_frame.f_lineno")

    def finished():
        made = generate(1)
        list(made)
        return made

    g.add("finished", finished, "x.gi_frame")
    made = c.keep(coroutine(1))
    c.group("coroutine", "x.__name__", "x.cr_running").add("fresh", lambda: made)
    c.group("async_generator", "x.__name__").add("fresh", agen)
    g = c.group("function", "x.__name__", "x.__defaults__", "x.__kwdefaults__", "x.__doc__")

    def function(a, b=[1], *, k="k"):
        "Says so."
        return generate

    g.add("nested", lambda: function, "x.__code__.co_varnames", "x.__qualname__")
    g.add("closure", lambda: future_closure([7]), "x.__closure__[0].cell_contents")
    g.add("lambda", lambda: lambda q=1: q)
    c.group("bound method", "x.__name__", "x.__self__.a").add(
        "of an instance", lambda: MethodHolder(9).go
    )
    c.group("code", "x.co_name", "x.co_argcount", "x.co_consts").add(
        "of a function", lambda: with_consts.__code__
    )
    c.group("builtin function", "x.__name__").add("len", lambda: len)
    c.group("property", "x.fget.__name__", "x.fset").add(
        "of a class", lambda: vars(Plain)["double"]
    )
    c.group("staticmethod", "x.__func__.__name__").add("made", lambda: staticmethod(with_consts))
    c.group("classmethod", "x.__func__.__name__").add("made", lambda: classmethod(with_consts))
    g = c.group("descriptor", "x.__name__", "x.__objclass__.__name__")
    g.add("of a slot", lambda: vars(Slotted)["first"])
    g.add("method of list", lambda: list.append)
    g.add("slot wrapper", lambda: int.__add__)
    c.group("super", "x.__thisclass__.__name__").add("made", lambda: super(Told, Told()))

    def traced():
        try:
            1 / 0
        except ZeroDivisionError as error:
            return error.__traceback__

    c.group("traceback", "x.tb_lineno", "x.tb_frame.f_code.co_name", "x.tb_next").add("one", traced)


class MethodHolder(Plain):
    def go(self):
        return self.a


def with_consts():
    return "constant", 12345


def future_closure(kept):
    def inner():
        return kept

    return inner


def collect(c):
    instances(c)
    subclasses(c)
    exceptions(c)
    running(c)
