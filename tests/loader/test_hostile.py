# SPDX-License-Identifier: Apache-2.0
"""Nothing that a dump names is imported, evaluated, looked up or called, and no
name of its harms."""

import contextlib
import os
import pickle
import sys

import pydumpd
import pytest
from dumpwriter import INLINE, Writer
from pydumpd import frames, render
from pydumpd.debugger import DumpPdb
from pydumpd.describe import header_lines, thread_line
from pydumpd.views import View

NAMES = [
    "__class__", "__dict__", "__del__", "__getattribute__", "__getattr__", "__init__", "__new__",
    "__repr__", "__eq__", "__hash__", "__len__", "__iter__", "__bool__", "__mro__", "__name__",
    "__module__", "__qualname__", "__doc__", "__slots__", "__reduce__", "__reduce_ex__",
    "__setattr__", "__call__", "__instancecheck__", "__subclasshook__", "__init_subclass__",
    "__class_getitem__", "__set_name__", "__traceback__", "__index__", "__format__", "__str__",
    "_pydumpd_ref", "mro", "self", "None", "True", "", "a b", "a\nb", "\x1b[31m", "\0", "\ud800",
    "x" * 5000, "__wrapped__", "__code__", "__func__", "__self__", "__fspath__",
]  # fmt: skip


@pytest.fixture
def hostile(tmp_path):
    """Classes, instances, functions and modules under every odd name."""
    w = Writer()
    attrs = [(INLINE, name, w.add("v:" + name)) for name in NAMES]
    space = {name: w.add("c:" + name) for name in NAMES}
    out = {}
    for name in NAMES:
        cls = w.type_node(name, name, [w.add(object)], space)
        out[name, "instance"] = w.node("object", type=cls, attrs=attrs)
        for base in (dict, list, int, str, tuple, ValueError, type):
            sub = w.type_node(name, name, [w.add(base)], space)
            kind = "exception" if base is ValueError else base.__name__
            if base is type:
                out[name, "meta"] = sub
                continue
            out[name, base] = w.node(kind, [] if base is not ValueError else [w.add(())],
                                     b"\0" if base is ValueError else b"", type=sub,
                                     attrs=attrs)  # fmt: skip
        for kind in ("function", "module", "builtin", "descriptor", "code", "generator"):
            out[name, kind] = w.node(kind, {"dict": w.add({n: 1 for n in NAMES}),
                                            "name": w.add(name), "qualname": w.add(name)},
                                     name.encode("utf-8", "surrogatepass"))  # fmt: skip
    w.thread([w.frame(name, file=name, variables={n: 1 for n in NAMES})
              for name in NAMES])  # fmt: skip
    w.thread([], name="\x1b]0;title\x07", note="\x1b[2J")
    w.header["process"] = {"argv": ["\x1b[2J", b"\xff"], "pid": 1}
    return pydumpd.open(w.write(tmp_path / "d")), out


def test_names_do_no_harm(hostile):
    dump, objects = hostile
    for (name, what), addr in objects.items():
        obj = dump.object(addr)
        shown = repr(obj) + render.pretty(obj)
        assert all(c.isprintable() or c == "\n" for c in shown), (name, what)
        dir(obj)
        hash(type(obj))
        with contextlib.suppress(pydumpd.DumpCallError):
            str(obj)
        with contextlib.suppress(pydumpd.DumpCallError, pydumpd.NotDumpedError):
            bool(obj)
        for attr in NAMES:
            try:
                getattr(obj, attr)
            except (AttributeError, ValueError):
                pass
        assert isinstance(obj.__class__, type)
    obj = dump.object(objects["__class__", "instance"])
    assert vars(obj)["__class__"] == "v:__class__" and obj.__class__ is type(obj)
    assert getattr(obj, "a b") == "v:a b"


def test_frames_of_odd_names(hostile):
    dump, _ = hostile
    stack = frames.thread_stack(dump, dump.threads[0].frames)
    assert len(stack.frames) == len(NAMES)
    assert stack.frames[0].f_locals == {n: 1 for n in NAMES}
    for thread in dump.threads:
        assert thread_line(thread).isprintable()
    assert all(line.isprintable() for line in header_lines(dump))


def test_nothing_is_imported_or_run(tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    calls = []
    monkeypatch.setattr(os, "system", lambda *a: calls.append(a))
    w = Writer()
    cls = w.type_node("Evil", "evil_module", [w.add(object)])
    posix = w.node("module", [w.add({"__name__": "posix"}), 0], b"posix")
    system = w.node("builtin", [posix, w.add("posix")], b"system")
    run = w.node("builtin", [w.node("module", [0, 0], b"builtins"), 0], b"exec")
    obj = w.node("object", type=cls, attrs=[
        (INLINE, "__reduce__", system), (INLINE, "f", run), (INLINE, "__getattr__", run),
    ])  # fmt: skip
    fake = w.type_node("system", "os", [w.add(object)])
    w.thread(
        [
            w.frame(
                "f",
                variables={"obj": ("at", obj), "fake": ("at", fake)},
                globals={"__name__": "evil_module", "__loader__": 1, "__file__": "x"},
            )
        ]
    )
    dump = pydumpd.open(w.write(tmp_path / "d"))
    got = dump.object(obj)
    render.pretty(got)
    stack = frames.thread_stack(dump, dump.threads[0].frames)
    prompt = DumpPdb(dump, stdout=open(os.devnull, "w"))
    view = View(dump.threads[0])
    view.stack, view.traceback = list(zip(stack.frames, stack.lines)), stack.traceback
    prompt.run_on(view, ["p obj", "pp obj", "source obj", "source fake", "ll", "args", "w"])
    for call in (got.f, dump.object(system), got.__reduce__):
        with pytest.raises(pydumpd.DumpCallError):
            call("true")
    assert "evil_module" not in sys.modules and calls == []
    assert dump.object(fake) is not os.system
    with pytest.raises(TypeError):
        pickle.dumps(got)


def test_a_heap_class_is_no_builtin(tmp_path):
    w = Writer()
    fake = w.type_node("int", "builtins", [w.add(object)])
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert dump.object(fake) is not int and dump.object(fake).__name__ == "int"


def test_classes_in_impossible_relations(tmp_path):
    w = Writer()
    a, b = w.fresh(), w.fresh()
    w.type_node("A", bases=[b], mro=[a, b], addr=a)
    w.type_node("B", bases=[a], mro=[b, a, b], addr=b)
    selfish = w.fresh()
    w.type_node("S", bases=[selfish], mro=[], addr=selfish)
    both = w.type_node("Both", bases=[w.add(int), w.add(dict), w.add(str)])
    o = w.add(object)
    x, y = w.type_node("X", bases=[o]), w.type_node("Y", bases=[o])
    xy = w.type_node("XY", bases=[x, y])
    yx = w.type_node("YX", bases=[y, x])
    bad = w.type_node("Bad", bases=[xy, yx])
    noint = w.type_node("NoInt", bases=[w.add(bool), w.add(type(None))])
    odd = [w.node("object", type=t) for t in (a, b, selfish, both, bad, noint, w.add(5))]
    wrong = [w.node("dict", type=both), w.node("list", type=both), w.node("int", type=w.add(5)),
             w.node("object", type=w.type_node("D", bases=[w.add(dict)])),
             w.node("exception", [w.add(5)], type=both), w.node("type", type=both)]  # fmt: skip
    dump = pydumpd.open(w.write(tmp_path / "d"))
    for at in odd + wrong:
        got = dump.object(at)
        repr(got), dir(got), type(got).__mro__, type(got).__name__
    assert type(dump.object(odd[4])).__name__ == "Bad"


def test_deep_inheritance(tmp_path):
    w = Writer()
    cls = w.add(object)
    for i in range(600):
        cls = w.type_node("C%d" % i, bases=[cls])
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert len(dump.object(cls).__mro__) == 601


def test_values_too_short_for_their_kind(tmp_path):
    w = Writer()
    names = [k for k in ("float", "complex", "bool", "type", "code", "frame", "generator",
                         "traceback", "exception", "descriptor", "range", "slice", "cell",
                         "weakref", "super", "method", "methodwrapper", "function", "module",
                         "coroutine", "async_generator", "property", "staticmethod",
                         "mappingproxy", "builtin")]  # fmt: skip
    at = {k: w.node(k, [], b"\x01") for k in names}
    at["str"] = w.node("str", value=b"\xff\xfe", type=w.add(str))
    far = {k: w.node(k, [0xBAD0] * 12, b"\x01" * 64) for k in names}
    dump = pydumpd.open(w.write(tmp_path / "d"))
    for addr in [*at.values(), *far.values()]:
        got = dump.object(addr)
        repr(got)
        for name in dir(got):
            try:
                repr(getattr(got, name))
            except (AttributeError, ValueError, TypeError):
                pass
    assert "corrupt float" in repr(dump.object(at["float"]))
    assert "corrupt str" in repr(dump.object(at["str"]))


def test_rendering_is_bounded(tmp_path):
    w = Writer()
    deep = []
    for _ in range(5000):
        deep = [deep]
    wide = {i: "x" * 1000 for i in range(5000)}
    loop = []
    loop.append(loop)
    values = [deep, wide, loop, "y" * 10**6, 10**100000, {"k": [loop, deep]}]
    at = [w.add(v) for v in values]
    dump = pydumpd.open(w.write(tmp_path / "d"))
    for a in at:
        got = dump.object(a)
        assert len(render.text(got)) < 250000
        assert len(render.pretty(got)) < 600000
    assert render.text(dump.object(at[2])) == "[[...]]"
    while deep:
        deep = deep.pop()


def test_objects_inside_themselves(tmp_path):
    w = Writer()
    d, m, p, e = (w.fresh() for _ in range(4))
    w.node("dict", [d, w.add(1), m, d], addr=d, type=w.add(dict))
    w.node("method", [m, m], addr=m)
    w.node("mappingproxy", [p], addr=p)
    w.node("exception", {"args": w.node("tuple", [e, e, d], type=w.add(tuple)), "cause": d},
           addr=e, type=w.add(ValueError))  # fmt: skip
    dump = pydumpd.open(w.write(tmp_path / "d"))
    for at in (d, m, p, e):
        got = dump.object(at)
        assert len(repr(got)) < 100000 and len(render.pretty(got)) < 200000
        try:
            str(got), dir(got), getattr(got, "__name__", None), got == got
        except RecursionError:
            pass
    assert isinstance(dump.object(e).__cause__, pydumpd.NotDumpedError)
    assert [isinstance(k, pydumpd.EqualKey) for k in dump.object(d)] == [True, False]


def test_unhashable_members(tmp_path):
    w = Writer()
    inner = [w.add(x) for x in ([1], {2}, {3: 4}, bytearray(b"x"))]
    for kind, type_ in (("set", set), ("frozenset", frozenset)):
        at = w.node(kind, inner + inner[:1], type=w.add(type_))
        got = pydumpd.open(w.write(tmp_path / "d")).object(at)
        assert sorted(map(repr, got)) == sorted(
            ["<key [1]>", "<key [1]>", "<key {2}>", "<key {3: 4}>", "<key bytearray(b'x')>"]
        )
