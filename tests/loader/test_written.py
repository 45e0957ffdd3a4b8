# SPDX-License-Identifier: Apache-2.0
"""Objects that say they are of a standard type and are not as they should be:
each is printed, and none does harm."""

import contextlib
import inspect
import itertools
import re
import time
from pathlib import Path

import pydumpd
import pytest
from dumpwriter import DICT, INLINE, SLOT, Writer
from pydumpd import render, standard
from pydumpd.meta import SurrogateMeta

AREAS = {
    "enum_", "fractions_", "ipaddress_", "pathlib_", "pycollections", "pyobjects", "pythreads",
    "typing_", "uuid_",
}  # fmt: skip
SOURCES = [Path(standard.__file__).parent / (a + ".py") for a in AREAS]
#: Every attribute that an entry asks for.
ASKED = sorted(
    {n for s in SOURCES for n in re.findall(r'"(_?_?[a-z][a-zA-Z_]*)"', s.read_text("utf-8"))}
)
#: What may be raised where there is no answer.
HONEST = (TypeError, LookupError, AttributeError, ValueError, ArithmeticError, RecursionError)


def evil(w):
    """Values that no attribute should have; "self" is the object itself."""
    cyclic = w.fresh()
    w.node("list", [cyclic], addr=cyclic, type=w.add(list))
    pairs = w.fresh()
    w.node("dict", [w.add("k"), pairs], addr=pairs, type=w.add(dict))
    cut = w.node("list", [w.add(1)], type=w.add(list), mark=("truncated", 10**15, ""))
    gone = w.node("placeholder", [], b"gone", mark=("unreadable", None, "gone"))
    red = w.node("str", [], b"\x1b[31mred\nline", type=w.add(str))
    return {
        "self": "self", "none": w.add(None), "big": w.add(10**40), "minus": w.add(-1),
        "nan": w.add(float("nan")), "text": red, "format": w.add("%0999999999d %s"),
        "bytes": w.add(b"\xff"), "cyclic": cyclic, "pairs": pairs, "cut": cut, "gone": gone,
        "lost": 0xDEAD0000, "type": w.add(int), "tuple": w.add((1, (2,))), "true": w.add(True),
    }  # fmt: skip


def objects(w, name):
    """One object of a type of that name for each of the evil values."""
    module, _, short = name.rpartition(".")
    base = {"collections.Counter": dict}.get(name, object)
    cls = w.type_node(short, module, [w.add(base)])
    sub = w.type_node("Sub", "app", [cls])
    out = []
    for what, value in evil(w).items():
        at, owner = w.fresh(), sub if what in ("self", "cut", "text") else cls
        value = at if value == "self" else value
        kind, origin = ("dict", DICT) if base is dict else ("object", INLINE)
        attrs = [(origin if origin == INLINE else SLOT, n, value) for n in ASKED]
        w.node(kind, [w.add("k"), value] if base is dict else [], type=owner, attrs=attrs, addr=at)
        out.append((what, at))
    out.append(("bare", w.node("object", [], type=cls)))
    return out


def mixin_names():
    return sorted(
        name
        for name, entry in standard.registry().items()
        if getattr(entry.mixin or entry.make, "__module__", "").rpartition(".")[2] in AREAS
    )


@pytest.mark.parametrize("name", mixin_names())
def test_values_that_cannot_be(name, tmp_path):
    w = Writer()
    made = objects(w, name)
    holder = w.add([])
    w.objects[holder] = (*w.objects[holder][:2], [a for _, a in made], *w.objects[holder][3:])
    dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
    began = time.process_time()
    for what, at in made:
        obj = dump.object(at)
        shown = [render.text(obj)]
        if what in ("text", "gone"):
            shown.append(render.pretty(obj))
        with contextlib.suppress(*HONEST):
            shown.append(repr(obj))
        for each in shown:
            assert each and all(c.isprintable() or c == "\n" for c in each), (what, each)
            assert len(each) < 300000
        assert isinstance(dir(obj), list)
        look_at(obj)
    assert len(render.text(dump.object(holder))) < 400000
    assert time.process_time() - began < 20


def look_at(obj):
    """Everything that a person may ask of it."""
    asked = [len, bool, hash, str, lambda o: list(itertools.islice(o, 100)), lambda o: o["k"],
             lambda o: o[0], lambda o: o == 1,
             lambda o: hasattr(type(o), "__len__") and "k" in o, lambda o: o < o,
             lambda o: format(o, "")]  # fmt: skip
    for ask in asked:
        with contextlib.suppress(*HONEST):
            ask(obj)
    if not isinstance(type(obj), SurrogateMeta):
        return
    for cls in type.__getattribute__(type(obj), "__mro__"):
        if cls.__module__.startswith("pydumpd."):
            for name, found in vars(cls).items():
                if name.startswith("_") or name in ("base", "most_common"):
                    continue
                with contextlib.suppress(*HONEST):
                    value = getattr(obj, name)
                    if callable(value) and inspect.isfunction(found):
                        value()


def test_a_class_of_enums_that_is_none(tmp_path):
    """Its map of members holds what is no member."""
    w = Writer()
    meta = w.type_node("EnumMeta", "enum", [w.add(type)])
    base = w.type_node("Enum", "enum", [w.add(object)], meta=meta)
    for value in evil(w).values():
        if value == "self":
            continue
        space = {"_member_map_": value, "_member_names_": value, "_value_": value}
        cls = w.type_node("Color", "app", [base], namespace=space, meta=meta)
        obj = w.node("object", [], type=cls, attrs=[(INLINE, "_value_", cls)])
        dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
        got = dump.object(cls)
        assert repr(got) == "<enum 'Color'>" and list(got) == [] and len(got) == 0 and bool(got)
        with pytest.raises(KeyError):
            got["RED"]
        assert render.text(dump.object(obj)).startswith("<Color.None: <enum 'Color'>>")


SHAPES = ["__dataclass_fields__", "__attrs_attrs__", "n_sequence_fields", "_fields"]


@pytest.mark.parametrize("shape", SHAPES)
def test_classes_that_look_like_others(shape, tmp_path):
    w = Writer()
    for what, value in evil(w).items():
        if value == "self":
            continue
        code = w.node("code", {"filename": w.add("<string>")}, b"")
        generated = w.node(
            "function", {"code": code, "globals": w.add({"__name__": "collections"})}
        )
        names = {shape: value, "__repr__": generated, "_field_defaults": value}
        for kind, base in (("tuple", tuple), ("object", object)):
            cls = w.type_node("Shape", "app", [w.add(base)], namespace=names)
            items = [w.add(1), w.add(2)] if kind == "tuple" else []
            at = w.node(kind, items, type=cls, attrs=[(INLINE, "x", value)])
            obj = pydumpd.open(w.write(tmp_path / "d.pydump")).object(at)
            shown = render.text(obj) + render.pretty(obj)
            assert all(c.isprintable() or c == "\n" for c in shown), (what, shown)
            look_at(obj)
