# SPDX-License-Identifier: Apache-2.0
"""Classes and instances come back as surrogates that behave, and run nothing."""

import collections
import enum
import inspect
import struct
import types

import pydumpd
import pytest
from dumpwriter import GUESS, INLINE, MEMBER, SLOT, Writer

RAN = []


def ran(what):
    RAN.append(what)
    return what


class Base:
    shared = ["class", "attribute"]

    def __init__(self):
        self.x = 1

    def method(self, a, b=2):
        return ran("method")

    @property
    def prop(self):
        return ran("prop")

    @staticmethod
    def static(a):
        return ran("static")

    @classmethod
    def klass(cls):
        return ran("klass")

    def __repr__(self):
        return ran("repr")

    def __eq__(self, other):
        return ran("eq")

    def __hash__(self):
        return ran(1)

    def __len__(self):
        return ran(3)

    def __getattr__(self, name):
        return ran("getattr")

    def __del__(self):
        pass


class Derived(Base):
    """Has a doc."""

    extra = 5


class Slotted:
    __slots__ = ("a", "b")


class DictLike(dict):
    def keys(self):
        return ran("keys")


class ListLike(list):
    pass


class IntLike(int):
    pass


class StrLike(str):
    def __eq__(self, other):
        return ran("eq")

    __hash__ = str.__hash__


Point = collections.namedtuple("Point", "x y")


class Color(enum.IntEnum):
    RED = 1


class Loop:
    def __get__(self, obj, cls):
        return ran("get")


class WithDescriptor:
    d = Loop()


class AppError(ValueError):
    def __init__(self, code):
        super().__init__("failed", code)
        self.code = code


@pytest.fixture
def load(tmp_path):
    def load(*roots, writer=None):
        w = writer or Writer()
        addrs = [w.add(r) for r in roots]
        dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
        RAN.clear()
        out = [dump.object(a) for a in addrs]
        return (out[0] if len(out) == 1 else out), addrs, dump

    yield load
    assert RAN == []


def test_instance(load):
    obj = Derived()
    obj.y = [1, {"k": obj}]
    got, (addr,), _ = load(obj)
    assert type(got).__name__ == "Derived" and type(got).__qualname__ == "Derived"
    assert type(got).__module__ == __name__
    assert got.x == 1 and got.y[1]["k"] is got
    assert vars(got) == {"x": 1, "y": got.y} and got.__dict__ is got.__dict__
    assert repr(got) == "<%s.Derived object at %#x>" % (__name__, addr)
    assert got.shared == ["class", "attribute"] and got.extra == 5
    assert [c.__name__ for c in type(got).__mro__] == ["Derived", "Base", "object"]
    assert isinstance(got, type(got).__mro__[1])
    assert got.__class__ is type(got) and type(got).__bases__[0].__name__ == "Base"
    assert type(got).__doc__ == "Has a doc." and got.__doc__ == "Has a doc."
    assert {"x", "y", "method", "prop", "shared"} <= set(dir(got))
    assert "method" in type(got).__mro__[1].__dict__
    with pytest.raises(AttributeError, match="is not run"):
        got.missing  # noqa: B018
    assert got == got  # identity
    for run in (hash, len, bool, lambda x: x == 1, lambda x: 1 == x, lambda x: x != 1):
        with pytest.raises(pydumpd.DumpCallError, match="Derived.__"):
            run(got)
    with pytest.raises(TypeError, match="not iterable"):
        iter(got)


def test_methods_are_there_but_refuse(load):
    got, _, _ = load(Base())
    assert isinstance(got.method, types.MethodType)
    assert got.method.__name__ == "method" and got.method.__self__ is got
    assert got.method.__func__.__defaults__ == (2,)
    assert got.method.__func__.__code__.co_varnames == ("self", "a", "b")
    for call in (got.method, got.static, got.klass, type(got), type(got).method):
        with pytest.raises(pydumpd.DumpCallError, match="nothing of the program runs"):
            call(1)
    assert isinstance(got.prop, pydumpd.Placeholder)
    assert repr(got.prop) == "<property prop of Base, not run>"
    assert isinstance(type(got).__dict__["prop"], property)
    assert got.klass.__self__ is type(got)


class Meta(type):
    def method(cls):
        return ran("meta method")

    @property
    def prop(cls):
        return ran("meta prop")


class WithMeta(metaclass=Meta):
    pass


def test_metaclass(load):
    got, _, _ = load(WithMeta)
    assert got.__class__.__name__ == "Meta" and isinstance(got, got.__class__)
    assert repr(got.prop) == "<property prop of Meta, not run>" and got.method.__self__ is got
    with pytest.raises(pydumpd.DumpCallError):
        got.method()


def test_descriptor_is_not_computed(load):
    got, _, _ = load(WithDescriptor())
    assert repr(got.d) == "<descriptor d of WithDescriptor, not run>"


def test_slots(load):
    obj = Slotted()
    obj.a = [1]
    got, _, _ = load(obj)
    assert got.a == [1]
    with pytest.raises(AttributeError):
        got.b  # noqa: B018
    with pytest.raises(AttributeError):
        got.__dict__  # noqa: B018
    assert "a" in dir(got)


def test_subclasses_of_builtins(load):
    d = DictLike({"a": 1})
    d.attr = 2
    li = ListLike([1, 2])
    li.name = "n"
    (gd, gl, gi, gs, gp, gc), _, _ = load(d, li, IntLike(7), StrLike("s"), Point(1, [2]), Color.RED)
    assert isinstance(gd, dict) and dict(gd) == {"a": 1} and gd["a"] == 1 and gd.attr == 2
    assert type(gd).__name__ == "DictLike" and len(gd) == 1
    with pytest.raises(pydumpd.DumpCallError):
        gd.keys()
    assert list(gd.items()) == [("a", 1)]
    assert isinstance(gl, list) and gl == [1, 2] and gl.name == "n"
    assert isinstance(gi, int) and gi == 7 and gi + 1 == 8 and type(gi).__name__ == "IntLike"
    assert isinstance(gs, str) and gs + "" == "s" and type(gs).__name__ == "StrLike"
    with pytest.raises(pydumpd.DumpCallError, match="StrLike.__eq__"):
        gs == "s"  # noqa: B015
    assert isinstance(gp, tuple) and gp == (1, [2]) and gp._fields == ("x", "y")
    assert gp.x == 1 and gp.y is gp[1]
    assert isinstance(gc, int) and gc == 1 and type(gc).__name__ == "Color"
    assert repr(gl) == "[1, 2]" and repr(gi) == "7" and repr(gs) == "'s'"
    # They have a repr of their own, which is not run.
    assert repr(gp).endswith("(1, [2])>") and repr(gp).startswith("<%s.Point object" % __name__)
    assert repr(gc).startswith("<") and repr(gc).endswith(": 1>")


def test_types_of_the_interpreter_are_the_same_here(load):
    (a, b, c), _, _ = load(int, {int: "i", Base: "b"}, [type(None), types.FunctionType, dict])
    assert a is int and b[int] == "i" and c == [type(None), types.FunctionType, dict]


def test_inline_and_member_and_guess(load, tmp_path):
    w = Writer()
    cls = w.type_node("Thing", bases=[w.add(object)])
    at = w.node("object", type=cls, attrs=[
        (INLINE, "a", w.add(1)), (INLINE, "unset", 0), (SLOT, "s", w.add("s")),
        (MEMBER, "m", w.add(2.5)), (GUESS, "+24", w.add([3])),
    ])  # fmt: skip
    w.end["x"] = at
    _, _, dump = load(None, writer=w)
    got = dump.object(at)
    assert (got.a, got.s, got.m) == (1, "s", 2.5)
    assert got.__dict__ == {"a": 1} and got.__dict__ is got.__dict__
    assert getattr(got, "+24") == [3] and "+24" in dir(got)
    with pytest.raises(AttributeError):
        got.unset  # noqa: B018


def test_functions_and_friends(load):
    def outer():
        free = [1]

        def inner(a, *b, c=3, **d):
            "doc"
            return free, a, b, c, d

        inner.attr = free
        return inner

    f = outer()
    w = Writer()
    module = w.node("module", [w.add({"__name__": "builtins"}), 0], b"builtins")
    length = w.node("builtin", [module, w.add("builtins")], b"len")
    at = w.node("descriptor", [0, 0, 0], b"getset\0g", type=w.add(types.GetSetDescriptorType))
    lies = w.node("descriptor", [0, 0, 0], b"getset\0g", type=w.add(dict))
    (got, bound, prop), (addr, *_), dump = load(f, [].append, Base.prop, writer=w)
    builtin = dump.object(length)
    assert inspect.isgetsetdescriptor(dump.object(at))
    assert not isinstance(dump.object(lies), dict)
    assert isinstance(got, types.FunctionType) and inspect.isfunction(got)
    assert got.__name__ == "inner" and got.__qualname__ == f.__qualname__
    assert got.__doc__ == "doc" and got.__kwdefaults__ == {"c": 3} and got.attr == [1]
    assert got.__closure__[0].cell_contents == [1] and got.__closure__[0].cell_contents is got.attr
    assert got.__code__.co_argcount == 1 and got.__code__.co_freevars == ("free",)
    assert got.__code__.co_firstlineno == f.__code__.co_firstlineno
    assert repr(got) == "<function %s at %#x>" % (f.__qualname__, addr)
    with pytest.raises(pydumpd.DumpCallError):
        got(1)
    assert repr(builtin) == "<built-in function len>" and builtin.__self__.__name__ == "builtins"
    assert repr(bound).startswith("<built-in method append of list object at 0x")
    assert isinstance(prop, property) and prop.fget.__name__ == "prop"


def test_exceptions(load):
    err = AppError(7)
    try:
        try:
            {}["k"]
        except KeyError as e:
            raise err from e
    except AppError:
        pass
    if hasattr(err, "add_note"):
        err.add_note("a note")
    got, _, _ = load(err)
    assert isinstance(got, ValueError) and type(got).__name__ == "AppError"
    assert got.args == ("failed", 7) and got.code == 7 and str(got) == "('failed', 7)"
    assert type(got.__cause__).__name__ == "KeyError" and isinstance(got.__cause__, KeyError)
    assert got.__cause__.__class__ is KeyError and got.__cause__.args == ("k",)
    assert got.__suppress_context__ is True and got.__traceback__ is None
    assert repr(got) == "AppError('failed', 7)" and repr(got.__cause__) == "KeyError('k')"
    if hasattr(err, "add_note"):
        assert got.__notes__ == ["a note"]


class SaysMore(ValueError):
    def __str__(self):
        return ran("str")


def test_an_exception_that_makes_its_own_message(load):
    got, _, _ = load([SaysMore("m"), SaysMore("m", 2), SaysMore()])
    note = "<its __str__ is not run>"
    assert [str(e) for e in got] == ["m " + note, "('m', 2) " + note, " " + note]


def test_notes_in_the_dict_of_an_exception(load):
    w = Writer()
    at = w.node("exception", {"args": w.add(()), "dict": w.add({"__notes__": ["n"], "z": 1})},
                b"\0", type=w.add(KeyError))  # fmt: skip
    _, _, dump = load(None, writer=w)
    got = dump.object(at)
    assert got.__notes__ == ["n"] and got.z == 1 and vars(got)["z"] == 1 and "z" in dir(got)


def test_exceptions_in_a_long_chain(load):
    first = None
    for i in range(8000):
        e = ValueError(i)
        e.__context__ = first
        first = e
    got, _, _ = load(first)
    n = 0
    while got is not None:
        got, n = got.__context__, n + 1
    assert n == 8000
    while first is not None:
        first.__context__, first = None, first.__context__


def test_members_of_builtin_exceptions(load):
    w = Writer()
    ose = w.node("exception", {"args": w.add((2, "No such file"))}, b"\0",
                 type=w.add(FileNotFoundError),
                 attrs=[(MEMBER, "errno", w.add(2)), (MEMBER, "strerror", w.add("No such file")),
                        (MEMBER, "filename", w.add("/x"))])  # fmt: skip
    stop = w.node("exception", {"args": w.add((9,))}, b"\0", type=w.add(StopIteration),
                  attrs=[(MEMBER, "value", w.add(9))])  # fmt: skip
    group = w.type_node("ExceptionGroup", "builtins", [w.add(Exception)])
    eg = w.node("exception", {"args": w.add(("m", [ValueError(1)]))}, b"\0", type=group,
                attrs=[(MEMBER, "message", w.add("m")),
                       (MEMBER, "exceptions", w.add((ValueError(1),)))])  # fmt: skip
    _, _, dump = load(None, writer=w)
    got = dump.object(ose)
    assert got.errno == 2 and got.filename == "/x" and isinstance(got, OSError)
    assert str(got) == "[Errno 2] No such file: '/x'"
    assert dump.object(stop).value == 9
    got = dump.object(eg)
    assert got.message == "m" and str(got) == "m (1 sub-exception)"
    assert type(got.exceptions[0]).__name__ == "ValueError"


def test_generators(load):
    w = Writer()
    code = w.add((lambda: (yield)).__code__)
    names = [w.add("n"), w.add("q.n"), code]
    w.node("code", {"filename": w.add("/a.py"), "name": w.add("n"), "qualname": w.add("q.n"),
                    "localsplusnames": w.add(("a", "b", "c")),
                    "localspluskinds": w.add(bytes([0x20, 0x60, 0x80]))},
           struct.pack("<7i", 1, 0, 0, 3, 2, 0x23, 4), addr=code)  # fmt: skip
    cell = w.node("cell", [w.add("in cell")])
    awaited = w.add([1])
    refs = [*names, 0, awaited, 0, w.add({"g": 1}), 0, 0, 0, w.add(5), cell, 0, w.add("stack")]
    gen = w.node("generator", refs, struct.pack("<8i", 1, 6, 7, 7, 2, 9, 3, 1))
    done = w.node("coroutine", [*names, *[0] * 7], struct.pack("<8i", 3, -1, -1, -1, -1, -1, 0, -1))
    _, _, dump = load(None, writer=w)
    got = dump.object(gen)
    assert got.__name__ == "n" and got.gi_suspended and not got.gi_running
    assert got.gi_frame.f_locals == {"a": 5, "b": "in cell"} and got.gi_frame.f_lineno == 7
    assert got.gi_frame.f_code.co_varnames == ("a", "b") and got.gi_yieldfrom == [1]
    assert got.gi_frame.f_globals == {"g": 1} and got.gi_frame is got.gi_frame
    assert repr(got) == "<generator object q.n at %#x>" % gen
    got = dump.object(done)
    assert got.cr_frame is None and repr(got) == "<coroutine object q.n at %#x>" % done


@pytest.mark.parametrize("module, name", [("__main__", "Thing"), ("app", "app.Thing")])
def test_weakrefs_name_types_as_3_13_does(load, module, name):
    w = Writer()
    w.header["python"] = {"version": "3.13.0", "hex": 0x030D00F0, "implementation": "cpython"}
    obj = w.node("object", type=w.type_node("Thing", module, bases=[w.add(object)]))
    at = w.node("weakref", [obj, 0])
    _, _, dump = load(None, writer=w)
    assert repr(dump.object(at)) == "<weakref at %#x; to '%s' at %#x>" % (at, name, obj)


def test_reprs_of_natives(load):
    w = Writer()
    thing = w.type_node("Thing", bases=[w.add(object)])
    obj = w.node("object", type=thing)
    want = {
        w.node("cell", [0], type=w.add(types.CellType)): "<cell at {:#x}: empty>",
        w.node("weakref", [0, 0]): "<weakref at {:#x}; dead>",
        w.node("weakref", [obj, 0]): "<weakref at {:#x}; to 'Thing' at %#x>" % obj,
        w.node("descriptor", [thing, 0, 0], b"member\0m"): "<member 'm' of 'Thing' objects>",
        w.node("descriptor", [thing, 0, 0], b"wrapper\0w"):
            "<slot wrapper 'w' of 'Thing' objects>",
        w.node("mappingproxy", [w.add({"a": 1})]): "mappingproxy({{'a': 1}})",
        w.node("super", [thing, obj]): "<super: <class 'Thing'>, <Thing object>>",
        w.node("module", [w.add({"__name__": "m", "__file__": "/m.py"}), 0], b"m"):
            "<module 'm' from '/m.py'>",
        w.node("traceback", [0, 0], struct.pack("<ii", 1, 2), type=w.add(types.TracebackType)):
            "<traceback object at {:#x}>",
        thing: "<class 'app.Thing'>",
    }  # fmt: skip
    _, _, dump = load(None, writer=w)
    for addr, text in want.items():
        assert repr(dump.object(addr)) == text.format(addr)
    assert dump.object(list(want)[2])() is dump.object(obj)  # a weak reference can be followed
    assert dict(dump.object(list(want)[5])) == {"a": 1}


def test_object_of_a_type_that_was_not_dumped(load):
    w = Writer()
    at = w.node("object", type=0xABC0)
    _, _, dump = load(None, writer=w)
    assert repr(dump.object(at)) == (
        "<object of a type that was not dumped (0xabc0), object at %#x>" % at
    )
