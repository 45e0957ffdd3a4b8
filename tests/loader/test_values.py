# SPDX-License-Identifier: Apache-2.0
"""Builtin values come back as what they were."""

import json
import math
import random

import pydumpd
import pytest
from dumpwriter import DICT, Writer
from randomgraphs import random_graph, same


def load(tmp_path, *roots, **kw):
    w = Writer()
    addrs = [w.add(r) for r in roots]
    dump = pydumpd.open(w.write(tmp_path / "d.pydump"), **kw)
    out = [dump.object(a) for a in addrs]
    return out[0] if len(out) == 1 else out


SCALARS = [
    None, True, False, Ellipsis, NotImplemented, 0, 1, -1, 127, 128, -128, -129, 255, 256,
    2**30, 2**30 - 1, 2**60, 2**63, -(2**63), 2**64, -(2**64) - 1, 10**400, -(10**400),
    0.0, -0.0, 1.5, 1e308, 5e-324, float("inf"), float("-inf"), 3 + 4j, complex(-0.0, 1),
    "", "a", "café", "\u20ac", "\U0001f40d", "a\0b", "\ud800", "x\udfffy", "\ud83d\ude00",
    b"", b"\0\xff", bytearray(b""), bytearray(b"\1\2"), "x" * 100000, b"y" * 100000,
    slice(None), slice(1, 2, 3), slice("a", None, [1]), range(0), range(5), range(10, 0, -3),
    range(2**70, 2**71, 2**69),
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=lambda v: repr(v)[:30])
def test_scalar(tmp_path, value):
    got = load(tmp_path, value)
    assert type(got) is type(value)
    assert repr(got) == repr(value) if not isinstance(value, int) else got == value


def test_nan_stays_nan(tmp_path):
    assert math.isnan(load(tmp_path, float("nan")))


def test_containers(tmp_path):
    value = {
        "z": [1, 2.5, None], "a": (1, "b", (b"c", ())), 3: {1, 2}, (1, 2): frozenset({"x"}),
        None: {}, "e": [[], {}, set(), frozenset(), ()],
    }  # fmt: skip
    got = load(tmp_path, value)
    assert got == value and list(got) == list(value)
    assert type(got[3]) is set and type(got[1, 2]) is frozenset


def test_identity_and_aliases(tmp_path):
    shared = [1]
    got = load(tmp_path, {"a": shared, "b": shared, "c": (shared, shared)})
    assert got["a"] is got["b"] is got["c"][0]


def test_cycles(tmp_path):
    a, d = [], {}
    t = (a, d)
    a.append(t)
    a.append(a)
    d["self"] = d
    d["t"] = t
    got = load(tmp_path, t)
    assert type(got) is tuple
    assert got[0][0] is got and got[0][1] is got[0]
    assert got[1]["self"] is got[1] and got[1]["t"] is got


def test_tuple_that_is_its_own_item_is_marked(tmp_path):
    w = Writer()
    tuple_type = w.add(tuple)
    at = w.fresh()
    w.node("tuple", [w.add(7), at], type=tuple_type, addr=at)
    got = pydumpd.open(w.write(tmp_path / "d")).object(at)
    assert got[0] == 7
    assert isinstance(got[1], pydumpd.Placeholder) and "cycle" in repr(got[1])


def test_deep_nesting(tmp_path):
    deep = []
    for _ in range(100000):
        deep = [deep]
    got, n = load(tmp_path, deep), 0
    while len(got):
        got, n = got[0], n + 1
    assert n == 100000 and isinstance(got, list)
    while deep:  # without recursion
        deep = deep.pop()


def test_deep_tuples_and_dicts(tmp_path):
    deep = ()
    for i in range(50000):
        deep = (deep,) if i % 2 else {"k": deep}
    got, n = load(tmp_path, deep), 0
    while len(got):
        got, n = got[0 if isinstance(got, tuple) else "k"], n + 1
    assert n == 50000


def test_big_containers_become_stand_ins(tmp_path):
    big = list(range(50000))
    huge = {i: str(i) for i in range(30000)}
    members = set(range(30000))
    got, d, s, t = load(tmp_path, big, huge, members, tuple(big))
    assert isinstance(got, list) and type(got) is not list
    assert len(got) == 50000 and got[0] == 0 and got[-1] == 49999 and got[3:5] == [3, 4]
    assert got == big and not got != big and 49999 in got and "x" not in got
    assert isinstance(d, dict) and len(d) == 30000 and d[29999] == "29999"
    assert d == huge and list(d)[:2] == [0, 1] and dict(d.items()) == huge
    with pytest.raises(KeyError):
        d["x"]
    assert isinstance(s, set) and s == members and 5 in s and -1 not in s
    assert isinstance(t, tuple) and hash(t) == hash(tuple(big)) and t[7] == 7


def test_json_does_not_take_a_stand_in_for_empty(tmp_path):
    import json

    got = load(tmp_path, list(range(50000)))
    with pytest.raises(TypeError):
        json.dumps(got)


def test_materialise(tmp_path):
    w = Writer()
    big = [[i] for i in range(30000)]
    at = w.add(big)
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert type(dump.object(at)) is not list
    real = dump.materialise(dump.object(at))
    assert type(real) is list and real == big


def test_truncated_containers_do_not_lie(tmp_path):
    w = Writer()
    at = w.node("list", [w.add(i) for i in range(3)], type=w.add(list),
                mark=("truncated", 10, ""))  # fmt: skip
    dt = w.node("dict", [w.add("a"), w.add(1)], type=w.add(dict), mark=("truncated", 9, ""))
    dump = pydumpd.open(w.write(tmp_path / "d"))
    got = dump.object(at)
    assert isinstance(got, list) and len(got) == 10 and got[2] == 2
    with pytest.raises(pydumpd.NotDumpedError):
        got[5]
    with pytest.raises(pydumpd.NotDumpedError):
        list(got)
    assert got.dumped() == [0, 1, 2]
    assert repr(got) == "[0, 1, 2, ... <truncated: 3 of 10 items>]"
    d = dump.object(dt)
    assert d["a"] == 1 and len(d) == 9
    with pytest.raises(pydumpd.NotDumpedError):
        d["b"]
    assert repr(d) == "{'a': 1, ... <truncated: 1 of 9 pairs>}"


def test_containers_in_the_middle_of_a_change_do_not_lie(tmp_path):
    """A dict that has 3 pairs, of which its table shows none: it was resized."""
    w = Writer()
    empty = w.node("dict", [], type=w.add(dict), mark=("torn", 3, "has 3 items, shows 0"))
    some = w.node("set", [w.add(1)], type=w.add(set), mark=("torn", 2, ""))
    order = w.node("dict", [w.add("a"), w.add(1)], type=w.add(dict), mark=("torn", 1, "order"))
    names = w.node("dict", [], type=w.add(dict), mark=("torn", 1, ""))
    thing = w.node("object", type=w.type_node("Thing", bases=[w.add(object)]),
                   attrs=[(DICT, "__dict__", names)])  # fmt: skip
    dump = pydumpd.open(w.write(tmp_path / "d"))
    d, s = dump.object(empty), dump.object(some)
    assert "torn" in repr(d) and "torn" in repr(s)
    for ask in (len, bool, list, dict, lambda x: "a" in x, lambda x: x == {}):
        with pytest.raises(pydumpd.NotDumpedError, match="certain"):
            ask(d)
    with pytest.raises(pydumpd.NotDumpedError, match="certain"):
        assert 2 in s
    assert 1 in s and s.dumped() == [1]
    assert dump.object(order) == {"a": 1} and len(dump.object(order)) == 1
    with pytest.raises(AttributeError, match="not all names"):
        repr(dump.object(thing).name)


def test_truncated_text(tmp_path):
    w = Writer()
    s = w.node("str", value=b"abc", type=w.add(str), mark=("truncated", 2000, ""))
    b = w.node("bytes", value=b"abc", type=w.add(bytes), mark=("truncated", 2000, ""))
    i = w.node("int", value=b"\5", type=w.add(int), mark=("torn", None, ""))
    dump = pydumpd.open(w.write(tmp_path / "d"))
    text, raw = dump.object(s), dump.object(b)
    assert isinstance(text, str) and isinstance(raw, bytes) and text.dumped() == "abc"
    assert repr(text) == str(text) == f"{text}" == "'abc' <truncated: 3 of 2000 characters>"
    assert repr(raw) == "b'abc' <truncated: 3 of 2000 bytes>"
    assert repr(dump.object(i)) == "5 <torn>"
    # Nothing takes the part for the whole.
    assert len(text) == 2000 and len(raw) == 2000 and text and raw[1] == 98
    assert not text == "abc" and text != "abc" and not raw == b"abc"
    assert not text == "x" * 2000 and text != b"abc"
    assert text > "abc" and text < "b" and raw >= b"abb" and sorted([text, "abc"])[0] == "abc"
    assert text.startswith("ab") and not text.startswith("b") and "bc" in text
    assert text[2] == "c" and text[:2] == "ab" and text[-2000] == "a" and text[5000:] == ""
    with pytest.raises(IndexError):
        text[2000]
    for question in (
        lambda: text == "abc" + "x" * 1997,
        lambda: text < "abcd",
        lambda: "x" in text,
        lambda: text.startswith("abcd"),
        lambda: text[3],
        lambda: text[-1],
        lambda: text[:4],
        lambda: list(text),
        lambda: text.upper(),
        lambda: raw.decode(),
    ):
        with pytest.raises(pydumpd.NotDumpedError):
            question()
    with pytest.raises(TypeError):
        json.dumps(text)


def test_keys_that_are_not_whole_do_not_collapse(tmp_path):
    w = Writer()
    cut = [
        w.node("str", value=b"abc", type=w.add(str), mark=("truncated", n, "")) for n in (9, 9, 8)
    ]
    keys = [*cut, 0xDEAD0, 0xBEEF0, w.add("whole")]
    pairs = [r for i, k in enumerate(keys) for r in (k, w.add(i))]
    at, st = w.node("dict", pairs, type=w.add(dict)), w.node("set", keys, type=w.add(set))
    w.end["cut"] = {"max_string": 3, "max_objects": 2}
    dump = pydumpd.open(w.write(tmp_path / "d"))
    d, s = dump.object(at), dump.object(st)
    assert (
        isinstance(d, dict) and len(d) == len(list(d)) == 6 and list(d.values()) == list(range(6))
    )
    assert len(s) == len(list(s)) == 6
    assert d["whole"] == 5 and "whole" in s
    assert repr(d).count("'abc' <truncated: 3 of 9 characters>") == 2
    for missing in (lambda: d["other"], lambda: "abcdefgh" in d, lambda: 3 in s):
        with pytest.raises(pydumpd.NotDumpedError):
            missing()
    # With nothing but cut text, what cannot be one of them is not in it.
    only = w.node("dict", [cut[0], w.add(0)], type=w.add(dict))
    d = pydumpd.open(w.write(tmp_path / "e")).object(only)
    assert "abc" not in d and 7 not in d and "abcdefgh" not in d
    with pytest.raises(pydumpd.NotDumpedError):
        d["abcdefghi"]


def test_placeholders(tmp_path):
    w = Writer()
    a = w.node("placeholder", value=b"address not mapped", mark=("unreadable", None, ""))
    b = w.node("placeholder", value=b"", mark=("redacted", None, ""))
    c = w.node("list", [a, b, 0xDEAD0, 0], type=w.add(list))
    w.end["cut"] = {"max_objects": 5}
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert repr(dump.object(a)) == "<unreadable: address not mapped>"
    assert repr(dump.object(b)) == "<redacted>"
    got = dump.object(c)
    assert repr(got[2]) == "<not dumped: limit max_objects (object at 0xdead0)>"
    assert repr(got[3]) == "<NULL>"
    with pytest.raises(pydumpd.NotDumpedError):
        bool(got[2])


def test_tagged_small_integers(tmp_path):
    dump = pydumpd.open(Writer().write(tmp_path / "d"))
    assert dump.object(5 << 2 | 3) == 5
    assert dump.object((-7 << 2 | 3) & (1 << 64) - 1) == -7


class EqualStr(str):
    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self) >> 4


class Unhashed(list):
    def __hash__(self):
        return 1


def test_dict_keys_never_collapse(tmp_path):
    a, b, u = EqualStr("k"), EqualStr("k"), Unhashed([1])
    got, s = load(tmp_path, {"k": 0, a: 1, b: 2, u: 3, (u,): 4}, {a, b, u})
    assert len(got) == 5 and list(got.values()) == [0, 1, 2, 3, 4]
    assert got["k"] == 0
    own = [k for k in got if type(k).__name__ == "EqualStr"]
    assert [k + "" for k in own] == ["k", "k"]
    with pytest.raises(pydumpd.DumpCallError, match="EqualStr.__hash__"):
        own[0] in got  # noqa: B015
    assert len(s) == 3


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs(tmp_path, seed):
    graph = random_graph(random.Random(seed))
    assert same(graph, load(tmp_path, graph)) is None


@pytest.mark.parametrize("budget", [0, 5, 40])
def test_random_graphs_through_stand_ins(tmp_path, budget):
    for seed in range(20):
        graph = random_graph(random.Random(seed))
        assert same(graph, load(tmp_path, graph, budget=budget)) is None


@pytest.mark.parametrize(
    "columns",
    [
        {"refs": "u64 delta shuffle"},
        {"addr": "u64 raw", "refs": "u64", "size": "u32 delta"},
        {"size": "u64 shuffle", "type": "u32 delta shuffle"},
    ],
)
def test_the_header_says_how_columns_are_encoded(tmp_path, columns):
    w = Writer(columns=columns, batch=7)
    value = {"a": [1, 2, (3, 4)], "b": {5, 6}}
    at = w.add(value)
    assert pydumpd.open(w.write(tmp_path / "d")).object(at) == value


@pytest.mark.parametrize("step", ["_shell", "_fill", "_freeze", "_leaf"])
def test_an_interrupt_leaves_nothing_half_made(w, load, monkeypatch, step):
    """^C while objects are made: what is asked for next is whole."""
    inner = {"k": [1, 2, (3, [4])]}
    want = [inner, {"again": inner, "t": ([5], {6})}]
    at = w.add(want)
    for n in range(6):
        dump = load(w)
        plain, left = getattr(pydumpd.objects.Graph, step), [n]

        def interrupted(self, *args, plain=plain, left=left):
            left[0] -= 1
            if left[0] == -1:
                raise KeyboardInterrupt
            return plain(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(pydumpd.objects.Graph, step, interrupted)
            try:
                dump.object(at)
            except KeyboardInterrupt:
                pass
        got = dump.object(at)
        assert got == want and got[1]["again"] is got[0]
        assert dump.address(got[0]) == id(inner)
