# SPDX-License-Identifier: Apache-2.0
"""Instances of described C types: fields, items, the generic surrogate."""

import struct

import pydumpd
import pytest
from dumpwriter import BYTES, DICT, FIELD, SLOT, TEXT, At, Remote, Unsigned, Writer
from pydumpd.render import pretty, text


def every_origin(w):
    return w.record("ext.Thing", {
        "obj": At(w.add(["x"])), "null": At(0), "i": -5, "u": Unsigned(2**64 - 1), "f": -1.5,
        "yes": True, "no": False, "text": "é\ud800", "data": b"\0b", "ints": (1, -2),
        "at": Remote(0xABC0), "empty": "",
    })  # fmt: skip


def test_fields(load):
    w = Writer()
    at = every_origin(w)
    got = load(w).object(at)
    assert got.obj == ["x"] and got.obj is got.obj and got.null is None
    assert (got.i, got.u, got.f) == (-5, 2**64 - 1, -1.5)
    assert got.yes is True and got.no is False and got.empty == ""
    assert got.text == "é\ud800" and got.data == b"\0b" and got.ints == (1, -2)
    assert got.at == 0xABC0 and repr(got.at) == "<address 0xabc0>"
    assert repr(got) == (
        "ext.Thing(obj=['x'], null=NULL, i=-5, u=18446744073709551615, f=-1.5, yes=True, "
        "no=False, text='é\\ud800', data=b'\\x00b', ints=(1, -2), at=<address 0xabc0>, empty='')"
    )
    assert text(got) == repr(got) and text([got]) == "[%r]" % got
    assert type(got).__name__ == "Thing" and type(got).__module__ == "ext"
    assert isinstance(got, type(got)) and got.__class__ is type(got)
    assert {"obj", "ints", "at"} <= set(dir(got))
    with pytest.raises(TypeError):
        vars(got)  # it has none, as there
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        got.other  # noqa: B018
    with pytest.raises(TypeError):
        len(got)
    assert "\n  u = 18446744073709551615" in pretty(got)


def test_fields_beside_an_instance_dict_and_slots(load):
    w = Writer()
    base = w.c_type("ext.Base", members=["size"])
    sub = w.type_node("Sub", bases=[base])
    own = w.add({"a": [1], "size": "hidden by the getter", "state": "own"})
    at = w.record(sub, {"size": 7, "state": 9, "inner": At(w.add("in"))},
                  attrs=[(DICT, "__dict__", own), (SLOT, "s", w.add(2.5))])  # fmt: skip
    got = load(w).object(at)
    assert got.size == 7 and got.state == "own" and got.a == [1] and got.s == 2.5
    assert vars(got) == {"a": [1], "size": "hidden by the getter", "state": "own"}
    assert repr(got) == "app.Sub(size=7, state=9, inner='in', a=[1], s=2.5)"
    assert isinstance(got, type(got).__bases__[0]) and type(got).__bases__[0].__name__ == "Base"
    assert {"a", "s", "size", "inner"} <= set(dir(got))


def test_items(load):
    w = Writer()
    at = w.fresh()
    w.record("ext.Row", {"n": 3}, [w.add("a"), w.add(2), at], addr=at)
    got = load(w).object(at)
    assert len(got) == 3 and got[0] == "a" and got[-1] is got and got[:2] == ["a", 2]
    assert list(got)[:2] == ["a", 2] and "a" in got and 5 not in got
    assert repr(got) == "ext.Row(['a', 2, ...], n=3)"
    assert type(got).__name__ == "Row" and got.__class__.__name__ == "Row"
    with pytest.raises(IndexError):
        got[3]


def test_mapping(load):
    w = Writer()
    at = w.record("ext.Map", {"n": 1}, [w.add("k"), w.add([1]), w.add(2), w.add(None)], "mapping")
    got = load(w).object(at)
    assert got["k"] == [1] and got[2] is None and len(got) == 2 and "k" in got
    assert dict(got) == {"k": [1], 2: None} and got.get("x", 5) == 5
    assert list(got.items()) == [("k", [1]), (2, None)]
    assert repr(got) == "ext.Map({'k': [1], 2: None}, n=1)"
    with pytest.raises(KeyError):
        got["x"]


def test_marks(load):
    w = Writer()
    cut = w.record(
        "ext.Buf", {"size": 2000, "data": b"abc"}, mark=("truncated", 2000, "field data")
    )
    whole = w.record("ext.Buf", {"size": 1}, mark=("torn", None, "changed"))
    items = w.record("ext.Buf", {"size": 5}, [w.add(1)], mark=("truncated", 5, ""))
    dump = load(w)
    got = dump.object(cut)
    assert got.data == b"abc" and repr(got.data) == "b'abc' <truncated: 3 of 2000 bytes>"
    assert repr(got) == "ext.Buf(size=2000, data=b'abc' <truncated: 3 of 2000 bytes>)"
    assert "torn: changed" in repr(dump.object(whole))
    got = dump.object(items)
    assert "truncated" in repr(got) and got[0] == 1
    assert len(got) == 5
    for bad in (lambda: got[1], lambda: list(got), lambda: got[-1]):
        with pytest.raises(pydumpd.NotDumpedError):
            bad()


def test_fields_longer_than_the_object(load):
    w = Writer()
    at = w.record("ext.Thing", {"text": "abc", "n": 1})
    row = list(w.objects[at])
    row[3] = [(TEXT, "text", 1 << 63), (BYTES, "b", 5), row[3][1]]
    w.objects[at] = tuple(row)
    got = load(w).object(at)
    assert "corrupt" in repr(got) and "corrupt: field text" in repr(got.text) and got.n == 1


def test_value_of_the_kind_before_the_bytes_of_fields(load):
    w = Writer()
    sub = w.type_node("Str", bases=[w.c_type("ext.Str", [str])])
    at = w.node("str", value=b"abc", type=sub, attrs=[(TEXT, "x", "yz"), (BYTES, "b", b"12")])
    got = load(w).object(at)
    assert got == "abc" and got.x == "yz" and got.b == b"12" and isinstance(got, str)


def test_attributes_of_an_origin_that_is_not_known(load):
    w = Writer()
    at = w.record("ext.Thing", {"a": 1}, attrs=[(99, "z", 77), (FIELD, "o", w.add(5))])
    got = load(w).object(at)
    assert got.a == 1 and got.o == 5
    with pytest.raises(AttributeError):
        got.z  # noqa: B018


def test_deep_records_print(load):
    w = Writer()
    at = 0
    for _ in range(10000):
        at = w.record("ext.Node", {"next": At(at)})
    got = load(w).object(at)
    assert repr(got).startswith("ext.Node(next=ext.Node(next=") and "too deep" in repr(got)
    n = 0
    while got is not None:
        got, n = got.next, n + 1
    assert n == 10000


def test_record_of_a_type_that_was_not_dumped(load):
    w = Writer()
    at = w.node("record", type=0xAB0, attrs=[(FIELD, "a", w.add(1))], value=struct.pack("<i", 3))
    got = load(w).object(at)
    assert got.a == 1 and "a=1" in repr(got)
