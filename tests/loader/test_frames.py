# SPDX-License-Identifier: Apache-2.0
"""Real frames: locals, lines, columns, tracebacks, depth."""

import inspect
import struct
import sys
import traceback
import types

import pydumpd
import pytest
from dumpwriter import INLINE, Writer
from pydumpd import frames as real
from pydumpd import sources, views

SOURCE = """\
import time

def outer(a, b=2, *rest, k, **kw):
    café = 'é'; inner(a + b)

def inner(n):
    total = n
    time.sleep(n)
"""


def build(tmp_path, *frames, writer=None, sources_=True):
    w = writer or Writer()
    if sources_:
        w.source("/srv/app.py", SOURCE)
    w.thread(frames)
    dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
    stack = real.thread_stack(dump, dump.threads[0].frames)
    return dump, stack


def code_node(w, name, args, **keys):
    """A code object with these variables, the first of them arguments."""
    flags = keys.get("flags", 3)
    return w.node("code", {
        "filename": w.add("/srv/app.py"), "name": w.add(name), "qualname": w.add(name),
        "varnames": w.add(tuple(args)), "cellvars": w.add(tuple(keys.get("cells", ()))),
        "freevars": w.add(tuple(keys.get("free", ()))),
    }, struct.pack("<7i", keys.get("argcount", 0), keys.get("posonly", 0), keys.get("kwonly", 0),
                   len(args), 1, flags, keys.get("firstlineno", 1)))  # fmt: skip


def test_api(tmp_path):
    w = Writer()
    cell, empty = w.node("cell", [w.add([1])]), w.node("cell", [0])
    frame = w.frame(
        "inner", line=8, col=4, end_col=17, qualname="outer.<locals>.inner", argcount=1,
        variables={"n": 3, "c": ("cell", cell), "unset": ("cell", empty), "f": ("free", cell)},
        stack=[w.add("on the stack"), 9 << 2 | 3], note="a note",
    )  # fmt: skip
    dump, _ = build(tmp_path, frame, writer=w)
    thread = dump.threads[0]
    assert (thread.name, thread.ident, thread.native_id, thread.gil) == ("T0", 1000, 5000, True)
    got = thread.frames[0]
    assert (got.name, got.qualname, got.file, got.line) == (
        "inner", "outer.<locals>.inner", "/srv/app.py", 8,
    )  # fmt: skip
    assert (got.col, got.end_col, got.note) == (4, 17, "a note")
    assert dict(got.locals) == {"n": 3, "c": [1], "f": [1]} and len(got.locals) == 3
    assert got.locals["c"] is got.locals["f"] and "unset" not in got.locals
    assert got.stack == ["on the stack", 9] and got.args == ["n"]
    assert got.globals == {"__name__": "app"} and got.code is None
    assert got.locals.address("c") == dump.address(got.locals["c"])
    assert dump.sources["/srv/app.py"].text == SOURCE and dump.complete


def test_real_frames(tmp_path):
    w = Writer()
    g = {"__name__": "app", "__builtins__": {"len": "not the real one"}, "x": 5}
    outer = code_node(w, "outer", ["a", "b", "k", "rest", "kw", "café"], argcount=2, kwonly=1,
                      flags=3 | 4 | 8)  # fmt: skip
    body = w.add({"attr": 1, "__qualname__": "K"})
    dump, stack = build(
        tmp_path,
        w.frame("inner", line=8, col=4, end_col=17, firstlineno=6,
                variables={"n": 3, "total": 3}, argcount=1, globals=g),
        w.frame("outer", line=4, col=18, end_col=30, firstlineno=3, globals=g, code=outer,
                variables={"a": 1, "k": 9, "rest": (1, 2), "kw": {"z": 1}, "café": "é"},
                argcount=2, kwonly=1, flags=3 | 4 | 8),
        w.frame("<listcomp>", line=4, firstlineno=4, variables={".0": 1, "i": 3, "None": 5},
                argcount=1, globals=g),
        w.frame("K", line=3, firstlineno=3, locals=body, globals=g, flags=0,
                variables={"hid": ("hidden", w.add("overlaid"))}),
        w.frame("<module>", line=5, globals=g, locals=id(g), flags=0),
        writer=w,
    )  # fmt: skip
    module, cls, comp, out, inner = stack.frames
    assert all(type(f) is types.FrameType for f in stack.frames)
    assert [f.f_code.co_name for f in stack.frames] == [
        "<module>", "K", "<listcomp>", "outer", "inner",
    ]  # fmt: skip
    assert [f.f_lineno for f in stack.frames] == [5, 3, 4, 4, 8] == stack.lines
    assert module.f_back is None and inner.f_back is out and cls.f_back is module
    assert inner.f_locals == {"n": 3, "total": 3}
    assert comp.f_locals == {".0": 1, "i": 3, "None": 5}
    # b is an argument that was deleted: absent, and still an argument.
    assert out.f_locals == {"a": 1, "k": 9, "rest": (1, 2), "kw": {"z": 1}, "café": "é"}
    shown = inspect.getargs(out.f_code)
    assert shown.args == ["a", "b", "k"] and (shown.varargs, shown.varkw) == ("rest", "kw")
    assert out.f_code.co_kwonlyargcount == 1 and out.f_code.co_firstlineno == 3
    assert cls.f_locals == {"attr": 1, "__qualname__": "K", "hid": "overlaid"}
    assert module.f_locals is module.f_globals or module.f_locals["x"] == 5
    assert eval("len([x])", inner.f_globals, inner.f_locals) == 1
    text = "".join(traceback.format_tb(stack.traceback))
    assert 'File "/srv/app.py", line 8, in inner\n    time.sleep(n)' in text
    if sys.version_info >= (3, 11):
        carets = "~~~~~^^^^^^^" if sys.version_info >= (3, 13) else "^^^^^^^^^^^^"
        assert "    café = 'é'; inner(a + b)\n                %s\n" % carets in text
        assert inner.f_code.co_qualname == "inner"


def test_lines_that_are_odd(tmp_path):
    w = Writer()
    odd = [None, 0, -5, 2**40, 10**6, 1]
    dump, stack = build(
        tmp_path,
        *[w.frame("f", line=n, firstlineno=3, col=7, end_col=3, end_line=n) for n in odd],
        w.frame("\0", file="a\0b", line=3),
        w.frame("\ud800", file="\ud800", line=3, variables={"\ud800": 1}),
        writer=w,
    )
    assert stack.lines == [3, 3, 1, 10**6, 3, 3, 3, 3]
    assert [f.f_lineno for f in stack.frames] == stack.lines
    traceback.format_tb(stack.traceback)


def test_many_variables(tmp_path):
    w = Writer()
    names = {"v%d" % i: i for i in range(3000)}
    names.update({"class": 1, "not an identifier": 2, "": 3, "__debug__": 4})
    _, stack = build(tmp_path, w.frame("f", variables=names, argcount=300), writer=w)
    assert stack.frames[0].f_locals == names


def test_deep_stack(tmp_path):
    before = sys.getrecursionlimit()
    w = Writer()
    g = {"__name__": "app"}
    frames = [
        w.frame("rec", line=4, variables={"n": i, "below": [i]}, argcount=1, firstlineno=2,
                globals=g)
        for i in range(20000)
    ]  # fmt: skip
    dump, stack = build(tmp_path, *frames, writer=w)
    assert len(stack.frames) == 20000
    for i in (0, 1, 10000, 19999):
        values = stack.frames[19999 - i].f_locals
        assert values["n"] == i and values["below"] == [i]
    assert sys.getrecursionlimit() == before


def test_exception_has_a_real_traceback(tmp_path):
    w = Writer()
    g = w.add({"__name__": "app"})
    frames, code = [], {}
    for name, line in (("outer", 4), ("inner", 8)):
        code[name] = code_node(w, name, ["n"], argcount=1)
        frames.append(w.node(
            "frame", [0, code[name], g, 0, 0, 0, 0, 0, w.add(line)],
            struct.pack("<8i", 3, 10, line, line, 4, 17, 1, 0),
        ))  # fmt: skip
    tb = w.node("traceback", [0, frames[1]], struct.pack("<ii", 10, 8))
    tb = w.node("traceback", [tb, frames[0]], struct.pack("<ii", 2, 4))
    missing = w.node("traceback", [tb, 0x123450], struct.pack("<ii", 2, 99))
    exc = w.node("exception", {"args": w.add(("boom",)), "traceback": tb}, b"\0",
                 type=w.add(RuntimeError))  # fmt: skip
    exc2 = w.node("exception", {"args": w.add(()), "traceback": missing, "context": exc}, b"\0",
                  type=w.add(KeyError))  # fmt: skip
    # One that refers to itself.
    loop = w.fresh()
    w.node("traceback", [loop, frames[0]], struct.pack("<ii", 2, 4), addr=loop)
    exc3 = w.node("exception", {"args": w.add(()), "traceback": loop}, b"\0", type=w.add(KeyError))
    dump, _ = build(tmp_path, w.frame("x"), writer=w)
    got = dump.object(exc)
    tb = got.__traceback__
    assert type(tb) is types.TracebackType and tb is got.__traceback__
    assert tb.tb_frame.f_code.co_name == "outer" and tb.tb_next.tb_frame.f_locals == {"n": 8}
    text = "".join(traceback.format_exception(type(got), got, tb))
    assert text.startswith("Traceback (most recent call last):\n")
    assert 'File "/srv/app.py", line 4, in outer\n    café' in text
    assert text.endswith("RuntimeError: boom\n")
    text = "".join(traceback.format_exception(None, dump.object(exc2), None, chain=True))
    assert "RuntimeError: boom" in text and "During handling" in text
    assert "frame that was not dumped" in "".join(
        traceback.format_tb(dump.object(exc2).__traceback__)
    )
    assert len(traceback.extract_tb(dump.object(exc3).__traceback__)) == 1
    surrogate = dump.object(loop)
    assert isinstance(surrogate, types.TracebackType) and surrogate.tb_next is surrogate
    assert surrogate.tb_frame.f_locals == {"n": 4} and surrogate.tb_lineno == 4
    assert inspect.isframe(surrogate.tb_frame) and surrogate.tb_frame.f_code.co_name == "outer"


def test_sources_never_come_from_this_machine(tmp_path, monkeypatch):
    (tmp_path / "app.py").write_text("local = 'text of this machine'\n" * 20)
    monkeypatch.chdir(tmp_path)
    here = str(tmp_path / "app.py")
    w = Writer()
    dump, stack = build(
        tmp_path, w.frame("f", file="app.py", line=2), w.frame("g", file=here, line=3),
        writer=w, sources_=False,
    )  # fmt: skip
    assert "this machine" not in "".join(traceback.format_tb(stack.traceback))
    with pytest.raises(OSError):
        inspect.getsource(stack.frames[0])


@pytest.mark.parametrize(
    "text", ["", "a", "a\n", "a\nb", "a\x0cb\n", "\n\n", "a\r\nb\rc", "a\x85b\u2028c"]
)
def test_lines(tmp_path, text):
    w = Writer()
    w.source("f", text)
    w.source("bytes", text.encode())
    dump = pydumpd.open(w.write(tmp_path / "d"))
    for name in ("f", "bytes"):
        lines = sources.lines_of(dump, name)
        assert "".join(lines) == (text + "\n" if text and not text.endswith("\n") else text)
        assert all(line.count("\n") == 1 for line in lines)


def test_a_source_that_was_cut_says_so(tmp_path):
    w = Writer()
    w.source("f", "a = 1\n", truncated=10**9)
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert "not in the dump" in sources.lines_of(dump, "f")[-1]


def test_foresee_makes_the_classes_of_what_is_in_a_big_list(tmp_path):
    w = Writer()
    cls = w.type_node("Order")
    orders = [w.node("object", type=cls, attrs=[(INLINE, "n", w.add(i))]) for i in range(3000)]
    at = w.node("list", orders)
    w.thread([w.frame("f", variables={"orders": ("at", at), "n": 1})])
    dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
    made = dump.graph.classes._made
    view = views.Views(dump).of_thread(dump.threads[0])
    assert cls not in made
    views.foresee(view)
    assert made[cls].__name__ == "Order"
    orders = dump.threads[0].frames[0].locals["orders"]
    assert [o.n for o in orders[:3]] == [0, 1, 2]
