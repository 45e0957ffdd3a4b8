# SPDX-License-Identifier: Apache-2.0
"""Columns that are decoded no further than is asked for give what the whole of
them gives; and objects that are decoded many at once what they are one by one."""

import random

import pydumpd
import pytest
from dumpwriter import Writer, encode
from pydumpd import records, render
from pydumpd.columns import Column, Numbers, Sums
from pydumpd.refs import ref_of
from randomgraphs import CONTAINERS, random_graph, same


def addresses(rng, runs, each):
    """Ascending but for some places, as batches have them: by type, then by
    address."""
    out = []
    for _ in range(runs):
        at = rng.choice([0x55AA00001000, 0x7F0012345670, 16])
        for _ in range(rng.randrange(1, each)):
            at += rng.choice([16, 16, 48, 208, 4096, 1 << 20, 1 << 33])
            out.append(at)
    return out


ODD = [
    [],
    [1 << 63],
    [0, 0, 0],
    [5, 4, 3, 2, 1] * 300,
    [(1 << 64) - 1, 0, (1 << 64) - 8, 16],
    [1 << 56, 2, 1 << 63, 1 << 57, 3],
]


@pytest.mark.parametrize("spec", ["u64 delta shuffle", "u64 delta", "u64 shuffle", "u64"])
@pytest.mark.parametrize("seed", range(12))
def test_numbers(spec, seed):
    rng = random.Random(seed)
    runs, each = rng.choice([(1, 3000), (5, 700), (70, 90), (400, 4)])
    want = ODD[seed] if seed < len(ODD) else addresses(rng, runs, each)
    column = Column("addr", spec)
    data = encode(spec, want)
    numbers = Numbers(column, data)
    assert len(numbers) == len(want)
    picked = rng.sample(range(len(want)), min(len(want), 300))
    for i in picked:
        assert numbers.at(i) == want[i]
        assert want[numbers.find(want[i])] == want[i]
        absent = want[i] + 1
        if absent not in want:
            assert numbers.find(absent) == -1
    for value in (0, 7, (1 << 64) - 1, 1 << 62):
        assert (numbers.find(value) == -1) == (value not in want)
    assert list(numbers.all()) == want
    rows = numbers.rows()
    assert all(want[rows[value]] == value for value in want)
    assert [numbers.at(i) for i in picked] == [want[i] for i in picked]


@pytest.mark.parametrize("spec", ["u32 shuffle", "u32", "u16", "u8", "u32 delta shuffle"])
def test_cells_and_sums(spec):
    rng = random.Random(spec)
    top = 1 << int(spec[1:].split()[0])
    for n in (0, 1, 255, 256, 257, 9000):
        for most in (1, 2, 200, top):
            want = [rng.randrange(most) for _ in range(n)]
            if n > 300:
                want[300] = top - 1
            column = Column("c", spec)
            data = encode(spec, want)
            assert list(column.cells(data)) == want
            if "delta" not in spec:
                sums = Sums(column.planes(data))
                assert sums.total() == sum(want)
                for i in [0, n // 2, n]:
                    assert sums.before(i) == sum(want[:i])


class Thing:
    def __init__(self, rng, pool):
        self.name = "n%d" % rng.randrange(20)
        self.value = rng.choice(pool)
        if rng.random() < 0.3:
            self.more = [rng.choice(pool)]

    size = 4


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, rng, pool):
        self.a = rng.choice(pool)


NAMES = ("name", "value", "more", "size", "a", "b", "none", "__dict__")


def plain(obj):
    return isinstance(obj, (int, float, complex, str, bytes, type(None), type(...), range, tuple,
                            frozenset, type))  # fmt: skip


def comparable(obj):
    """Builtins as they are; what same() does not look into as text, instances
    by their attributes."""
    if type(obj).__name__ in ("Thing", "Slots") and not isinstance(obj, type):
        return [repr(obj), *[getattr(obj, name, "none such") for name in NAMES]]
    builtin = isinstance(obj, (int, float, complex, str, bytes, bytearray, *CONTAINERS))
    return obj if builtin else render.text(obj)


@pytest.mark.parametrize("seed", range(4))
def test_many_at_once(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    pool = random_graph(rng, 150)
    pool += [{"id": i, "name": "u%d" % i, "score": i / 2, "t": (i, [i])} for i in range(100)]
    pool += [kind(rng, pool) for kind in (Thing, Slots) for _ in range(50)]
    w = Writer(batch=rng.choice([40, 1000]))
    w.add(pool)
    marks = ("truncated", 100, "")
    extra = [
        w.node("str", value=b"cut", type=w.add(str), mark=marks),
        w.node("str", value=b"\xff\xfe", type=w.add(str)),
        w.node("float", value=b"1234", type=w.add(float)),
        w.node("list", refs=[w.add(1), 0, 7], type=w.add(list)),
        w.node("dict", refs=[w.add("a"), w.add(1), w.add("b")], type=w.add(dict)),
        w.node("dict", refs=[w.add("a"), w.add(1), w.add("a"), w.add(2)], type=w.add(dict)),
        w.node("list", refs=[w.add(1)], type=w.add(list), mark=marks),
        w.node("tuple", refs=[w.add(1), 0x123450], type=w.add(tuple)),
    ]
    path = w.write(tmp_path / "d")
    seen = []
    for looks in (1 << 30, 0, 3):
        monkeypatch.setattr(records, "_LOOKS", looks)
        monkeypatch.setattr(records, "_RECORDS", looks)
        monkeypatch.setattr(records, "_REFERRED", looks)
        dump = pydumpd.open(path)
        every = [id(p) for p in pool]
        objs = [dump.object(at) for at in every]
        # Small and empty ones are the same object for several addresses.
        assert all(dump.address(o) == at for o, at in zip(objs, every) if not plain(o))
        seen.append([render.text(dump.object(at)) for at in extra])
        seen.append(list(map(comparable, objs)))
        for at in dump.file.addresses():
            dump.object(at)
        assert bool(dump.file.busy) == (looks < 1 << 30)
        assert (dump.graph.swift.count > 0) == (looks < 1 << 30)
    assert seen[0] == seen[2] == seen[4]
    assert same(seen[1], seen[3]) is None
    assert same(seen[1], seen[5]) is None


def test_a_big_list_of_records(w, tmp_path):
    """Beyond the budget, as at the prompt: a stand-in whose items come one by
    one."""
    want = [{"id": i, "name": "u%d" % i, "score": i / 2} for i in range(9000)]
    root = w.add(want)
    dump = pydumpd.open(w.write(tmp_path / "d"), budget=300)
    got = dump.object(root)
    assert isinstance(got, list) and type(got) is not list
    assert list(got) == want
    assert dump.graph.swift.count > 0
    assert sum(len(d) for d in got) == 27000
    assert [d for d in got if d["name"] == "u8123"] == [want[8123]]
    assert got[8123] is got[8123]
    assert dump.address(got[5]) == ref_of(got).rec.refs[5]
