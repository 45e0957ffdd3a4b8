# SPDX-License-Identifier: Apache-2.0
"""datetime, decimal, collections and functools come back as what they were."""

import array
import collections
import datetime
import decimal

import pydumpd
import pytest
from dumpwriter import DICT, At

DATE = {"year": 2024, "month": 2, "day": 29}
CLOCK = {"hour": 23, "minute": 59, "second": 1, "microsecond": 5, "fold": 1}


def delta(w, days=0, seconds=0, microseconds=0):
    return w.record("datetime.timedelta",
                    {"days": days, "seconds": seconds, "microseconds": microseconds})  # fmt: skip


def test_dates(w, load):
    zone = w.record("datetime.timezone",
                    {"offset": At(delta(w, -1, 79200)), "name": At(w.add("Z"))})  # fmt: skip
    day = w.record("datetime.date", DATE)
    aware = w.record("datetime.datetime", {**DATE, **CLOCK, "tzinfo": At(zone)})
    other = w.record("datetime.datetime", {**DATE, **CLOCK, "tzinfo": At(zone)})
    naive = w.record("datetime.datetime", {**DATE, **CLOCK})
    clock = w.record("datetime.time", {**CLOCK, "tzinfo": At(w.add(None))})
    dump = load(w)
    want = datetime.timezone(datetime.timedelta(hours=-2), "Z")
    got = dump.object(aware)
    assert type(got) is datetime.datetime and got.fold == 1
    assert got == datetime.datetime(2024, 2, 29, 23, 59, 1, 5, want, fold=1)
    assert got.tzinfo is dump.object(zone) is dump.object(other).tzinfo
    assert repr(got.tzinfo) == repr(want) and str(got) == "2024-02-29 23:59:01.000005-02:00"
    assert dump.object(day) == datetime.date(2024, 2, 29) and dump.object(naive).tzinfo is None
    assert dump.object(clock) == datetime.time(23, 59, 1, 5) and dump.address(got) == aware
    assert dump.graph.classes.get(w.c_types["datetime.date"]) is datetime.date


def test_subclass_of_a_date(w, load):
    sub = w.type_node("Day", bases=[w.c_type("datetime.date")])
    at = w.record(sub, DATE, attrs=[(DICT, "__dict__", w.add({"label": "x"}))])
    got = load(w).object(at)
    assert isinstance(got, datetime.date) and got.label == "x" and type(got).__name__ == "Day"
    assert got == datetime.date(2024, 2, 29) and repr(got) == "Day(2024, 2, 29)"
    assert got.isoformat() == "2024-02-29" and got.year == 2024


@pytest.mark.parametrize("fields, why", [
    ({"month": 13}, "month is 13"), ({"month": 0}, "month is 0"), ({"year": 0}, "year is 0"),
    ({"day": 30}, "day"), ({"hour": 24}, "hour is 24"), ({"microsecond": 1 << 23}, "microsecond"),
    ({"fold": 2}, "fold is 2"),
])  # fmt: skip
def test_impossible_dates(w, load, fields, why):
    at = w.record("datetime.datetime", {**DATE, **CLOCK, **fields})
    got = load(w).object(at)
    assert isinstance(got, pydumpd.Placeholder)
    assert repr(got).startswith("<corrupt datetime.datetime at %#x: " % at) and why in repr(got)


def test_impossible_zones(w, load):
    own = w.fresh()
    w.record("datetime.datetime", {**DATE, **CLOCK, "tzinfo": At(own)}, addr=own)
    zone = w.fresh()
    w.record("datetime.timezone", {"offset": At(zone), "name": At(0)}, addr=zone)
    large = w.record("datetime.timezone", {"offset": At(delta(w, 400)), "name": At(0)})
    number = w.record("datetime.time", {**CLOCK, "tzinfo": At(w.add(5))})
    days = delta(w, 10**10)
    dump = load(w)
    for at in (own, zone, large, number, days):
        assert "corrupt" in repr(dump.object(at))


def test_zones_that_do_not_run(w, load):
    w.c_type("datetime.tzinfo")
    key = w.record(w.c_type("zoneinfo.ZoneInfo", [w.c_types["datetime.tzinfo"]]),
                   {"key": At(w.add("Europe/Berlin"))})  # fmt: skip
    first = w.record("datetime.datetime", {**DATE, **CLOCK, "tzinfo": At(key)})
    later = w.record("datetime.datetime", {**DATE, **CLOCK, "minute": 0, "tzinfo": At(key)})
    gone = w.record("datetime.datetime", {**DATE, **CLOCK, "tzinfo": At(0xDEAD0)})
    clock = w.record("datetime.time", {**CLOCK, "tzinfo": At(key)})
    dump = load(w)
    got, other = dump.object(first), dump.object(later)
    assert repr(got) == (
        "datetime.datetime(2024, 2, 29, 23, 59, 1, 5, fold=1, "
        "tzinfo=zoneinfo.ZoneInfo(key='Europe/Berlin'))"
    )
    assert isinstance(got, datetime.datetime) and got.__class__ is datetime.datetime
    assert str(got) == "2024-02-29 23:59:01.000005[Europe/Berlin]" and "%s" % got == str(got)
    assert got.year == 2024 and got.tzinfo.key == "Europe/Berlin" and str(got.tzinfo)[0] == "E"
    assert other < got and got == got and got != other and len({got, other}) == 2
    assert got - other == datetime.timedelta(minutes=59) and got.date().day == 29
    assert (got + datetime.timedelta(1)).tzinfo is got.tzinfo
    utc = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)
    for compute in (lambda: got.utcoffset(), lambda: got < utc, lambda: got == utc,
                    lambda: got.timestamp(), lambda: got.astimezone()):  # fmt: skip
        with pytest.raises(pydumpd.NotDumpedError, match="offset of .*Berlin"):
            compute()
    assert "not dumped" in repr(dump.object(gone)) and dump.object(gone).hour == 23
    assert "Berlin" in repr(dump.object(clock)) and dump.object(clock).hour == 23


def test_decimal(w, load):
    texts = ["0", "-0.00", "1E+999999", "NaN123", "-sNaN", "-Infinity", "1." + "3" * 5000]
    ats = [w.record("decimal.Decimal", {"text": t}) for t in texts]
    sub = w.record(w.type_node("Money", bases=[w.c_types["decimal.Decimal"]]), {"text": "2.50"})
    bad = w.record("decimal.Decimal", {"text": "12x"})
    cut = w.record("decimal.Decimal", {"text": "12"}, mark=("truncated", 99, "field text"))
    named = w.type_node("Decimal", "decimal")  # a class of the program
    dump = load(w)
    for text, at in zip(texts, ats):
        got = dump.object(at)
        assert type(got) is decimal.Decimal and str(got) == text
    got = dump.object(sub)
    assert got == decimal.Decimal("2.50") and type(got).__name__ == "Money"
    assert got + 1 == decimal.Decimal("3.50") and repr(got) == "Decimal('2.50')"
    assert repr(dump.object(bad)).startswith("<corrupt decimal.Decimal at ")
    assert repr(dump.object(cut)) == "decimal.Decimal(text='12' <truncated: 2 of 99 bytes>)"
    assert dump.graph.classes.get(named) is not decimal.Decimal


def test_deque(w, load):
    at = w.fresh()
    w.record("collections.deque", {"maxlen": 3}, [w.add("a"), w.add([1]), at], addr=at)
    free = w.record("collections.deque", {"maxlen": -1}, [])
    sub = w.type_node("Row", bases=[w.c_types["collections.deque"]])
    own = w.record(sub, {"maxlen": -1}, [w.add(1)],
                   attrs=[(DICT, "__dict__", w.add({"tag": "t"}))])  # fmt: skip
    over = w.record("collections.deque", {"maxlen": 1}, [w.add(1), w.add(2)])
    cut = w.record("collections.deque", {"maxlen": -1}, [w.add(1)], mark=("truncated", 9, ""))
    dump = load(w)
    got = dump.object(at)
    assert type(got) is collections.deque and got[2] is got and got.maxlen == 3
    assert pydumpd.render.text(got) == "deque(['a', [1], [...]], maxlen=3)"
    assert dump.object(free) == collections.deque() and dump.object(free).maxlen is None
    got = dump.object(own)
    assert isinstance(got, collections.deque) and got.tag == "t" and list(got) == [1]
    assert repr(got) == "Row([1])" and type(got).__name__ == "Row"
    got = dump.object(over)  # two items where one has room: shown, not made
    assert list(got) == [1, 2] and repr(got) == "deque([1, 2], maxlen=1)"
    assert isinstance(got, collections.deque) and got == collections.deque([1, 2])
    got = dump.object(cut)
    assert "truncated: 1 of 9 items" in repr(got) and got[0] == 1
    assert len(got) == 9
    with pytest.raises(pydumpd.NotDumpedError):
        list(got)


def test_a_large_deque_is_decoded_on_demand(w, load):
    n = pydumpd.objects.BUDGET + 5
    at = w.record("collections.deque", {"maxlen": -1}, [w.add(i) for i in range(n)])
    got = load(w).object(at)
    assert len(got) == n and got[-1] == n - 1 and isinstance(got, collections.deque)
    assert got.maxlen is None and list(got) == list(range(n))


def dict_record(w, name, pairs, fields=None, **keys):
    refs = [w.add(x) for pair in pairs for x in pair]
    return w.record(w.c_type(name, [dict]), fields, refs, "dict", **keys)


def test_ordered_dict(w, load):
    at = dict_record(w, "collections.OrderedDict", [("b", 1), ("a", [2])])
    sub = w.type_node("Sub", bases=[w.c_types["collections.OrderedDict"]])
    own = w.node("dict", [w.add("k"), w.add(1)], type=sub,
                 attrs=[(DICT, "__dict__", w.add({"x": 5}))])  # fmt: skip
    w.header["python"] = {"version": "3.13.0", "hex": 0x030D00F0}
    dump = load(w)
    got = dump.object(at)
    assert isinstance(got, collections.OrderedDict) and list(got) == ["b", "a"]
    assert got == collections.OrderedDict(b=1, a=[2]) != collections.OrderedDict(a=[2], b=1)
    assert repr(got) == "OrderedDict({'b': 1, 'a': [2]})" and list(got.items())[0] == ("b", 1)
    assert type(got)(z=1) == collections.OrderedDict(z=1)
    assert repr(dump.object(own)) == "Sub({'k': 1})" and dump.object(own).x == 5


def test_ordered_dict_before_3_12(w, load):
    at = dict_record(w, "collections.OrderedDict", [("b", 1)])
    assert repr(load(w).object(at)) == "OrderedDict([('b', 1)])"


def test_defaultdict(w, load):
    at = dict_record(w, "collections.defaultdict", [("k", [1])],
                     {"default_factory": At(w.add(list))})  # fmt: skip
    got = load(w).object(at)
    assert isinstance(got, collections.defaultdict) and got.default_factory is list
    assert repr(got) == "defaultdict(<class 'list'>, {'k': [1]})" and got == {"k": [1]}
    with pytest.raises(KeyError):
        got["other"]
    assert len(got) == 1 and "other" not in got


def test_partial_and_namespace(w, load):
    func = w.add(len)
    at = w.record("functools.partial", {"func": At(func), "args": At(w.add((1, "b"))),
                                        "keywords": At(w.add({"key": None}))})  # fmt: skip
    space = w.add({})
    ns = w.record("types.SimpleNamespace", attrs=[(DICT, "__dict__", space)])
    w.node("dict", [w.add("a"), w.add(1), w.add("me"), ns], addr=space)
    dump = load(w)
    got = dump.object(at)
    assert repr(got) == "functools.partial(<built-in function len>, 1, 'b', key=None)"
    assert got.args == (1, "b") and got.keywords == {"key": None}
    with pytest.raises(pydumpd.DumpCallError):
        got()
    got = dump.object(ns)
    assert got.a == 1 and got.me is got and repr(got) == "namespace(a=1, me=namespace(...))"


def test_lru_cache(w, load):
    link = w.record("functools._lru_list_elem", {"key": At(w.add(1)), "result": At(w.add("r"))})
    cache = w.node("dict", [w.add(1), link], type=w.add(dict))
    at = w.record("functools._lru_cache_wrapper",
                  {"maxsize": 128, "hits": 3, "misses": 1, "typed": False,
                   "cache": At(cache)})  # fmt: skip
    got = load(w).object(at)
    assert tuple(got.cache_info()) == (3, 1, 128, 1) and got.cache_info().hits == 3
    assert got.cache_parameters() == {"maxsize": 128, "typed": False}
    assert got.cache_contents() == {1: "r"}


def test_array(w, load):
    def made(code, size, data, **keys):
        return w.record("array.array", {"typecode": code, "itemsize": size, "data": data}, **keys)

    at = made("h", 2, b"\xff\xff\x05\0")
    bad = made("h", 2, b"abc")
    other = [made("z", 1, b""), made("h", 4, b"abcd")]
    cut = made("B", 1, b"ab", mark=("truncated", 100, "field data"))
    dump = load(w)
    got = dump.object(at)
    assert type(got) is array.array and got == array.array("h", [-1, 5])
    assert "corrupt array.array" in repr(dump.object(bad))
    assert [repr(dump.object(at)) for at in other] == ["array('z', [])", "array('h', [1684234849])"]
    assert "truncated: 2 of 100 bytes" in repr(dump.object(cut))


def test_decimal_context(w, load):
    at = w.record("decimal.Context", {"prec": 7, "Emin": -99, "Emax": 99, "round": 1,
                                      "capitals": 1, "clamp": 0, "trap_bits": 0x3BA | 4,
                                      "status_bits": 0x40})  # fmt: skip
    bad = w.record("decimal.Context", {"prec": 0, "Emin": 0, "Emax": 0, "round": 1, "capitals": 1,
                                       "clamp": 0, "trap_bits": 0, "status_bits": 0})  # fmt: skip
    dump = load(w)
    assert repr(dump.object(at)) == (
        "Context(prec=7, rounding=ROUND_DOWN, Emin=-99, Emax=99, capitals=1, clamp=0, "
        "flags=[Inexact], traps=[InvalidOperation, DivisionByZero])"
    )
    assert "prec is 0" in repr(dump.object(bad))


def test_frozendict(w, load):
    inner = w.add([2])
    at = w.record("frozendict", {}, [w.add("a"), w.add(1), w.add("b"), inner], "mapping")
    flat = w.record("frozendict", {}, [w.add("a"), w.add(1)], "mapping")
    none = w.record("frozendict", {}, [], "mapping")
    cut = w.record("frozendict", {}, [w.add("a"), w.add(1)], "mapping", mark=("truncated", 9, ""))
    table = w.add({})
    dump = load(w)
    assert dump.object(table) == {}
    got, flat, none, cut = map(dump.object, (at, flat, none, cut))
    assert repr(got) == "frozendict({'a': 1, 'b': [2]})" and repr(none) == "frozendict()"
    assert dict(got) == {**got} == {"a": 1, "b": [2]} and not none and got["b"] is got.get("b")
    assert got == {"a": 1, "b": [2]} and got != flat and flat == {"a": 1} and {"a": 1} == flat
    assert got != 1 and not got == [("a", 1)] and list(reversed(got)) == ["b", "a"]
    assert repr(got.items()) == "dict_items([('a', 1), ('b', [2])])"
    assert repr(got.keys() | {"c"}) and list(got.values()) == [1, [2]]
    assert isinstance(got, collections.abc.Mapping) and not isinstance(got, dict)
    assert type(got).__name__ == "frozendict" and got.copy() is got
    both = flat | {"b": [2]}
    assert both == got and got == both and repr(both) == repr(got) and not isinstance(both, dict)
    assert {"c": 3} | flat == {"c": 3, "a": 1} and type({} | flat) is dict
    assert repr(flat | got) == repr(got) and hash(flat | {}) == hash(flat)
    assert {flat: 5}[flat | {}] == 5
    for wrong in (lambda: hash(got), lambda: flat | [("b", 2)], lambda: flat < got):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        got["c"] = 1
    assert cut["a"] == 1 and len(cut) == 9 and "truncated" in repr(cut)
    for wrong in (lambda: dict(cut), lambda: cut == flat, lambda: "z" in cut, cut.items):
        with pytest.raises(pydumpd.NotDumpedError):
            wrong()
