# SPDX-License-Identifier: Apache-2.0
"""Iterators, patterns, files, locks, contexts and tasks tell what they were."""

import collections
import itertools

import pydumpd
import pytest
from dumpwriter import DICT, At, Remote, Unsigned
from pydumpd.render import text

DATA = [10, "b", [30], None]


def test_sequence_iterators(w, load):
    seq = w.add(DATA)
    at = w.record("list_iterator", {"index": 2, "seq": At(seq)})
    done = w.record("list_iterator", {"index": 4, "seq": At(0)})
    back = w.record("list_reverseiterator", {"index": 1, "seq": At(seq)})
    numbers = w.record("range_iterator", {"index": 2, "start": 10, "step": -2, "len": 5})
    later = w.record("range_iterator", {"start": 6, "step": -2, "len": 3})
    bad = w.record("range_iterator", {"start": 6, "step": 0, "len": 3})
    gone = w.record("list_iterator", {"index": 0, "seq": At(0xDEAD0)})
    dump = load(w)
    got = dump.object(at)
    assert list(got) == [[30], None] == list(got)  # it does not move on
    assert repr(got) == "list_iterator(index=2, seq=[10, 'b', [30], None])"
    with pytest.raises(TypeError):
        next(got)
    assert list(dump.object(done)) == [] and list(dump.object(back)) == ["b", 10]
    assert list(dump.object(numbers)) == [6, 4, 2] == list(dump.object(later))
    for one in (bad, gone):
        with pytest.raises((pydumpd.NotDumpedError, ValueError)):
            list(dump.object(one))
        assert "iterator(index=" in repr(dump.object(one)) or one == bad


def test_iterators_of_dicts_sets_and_deques(w, load):
    d, s = w.add({"a": 1, "b": 2, "c": 3}), w.add({1, 2, 3})
    items = w.record("dict_itemiterator", {"dict": At(d), "used": 3, "pos": 1, "len": 2})
    back = w.record("dict_reversekeyiterator", {"dict": At(d), "used": 3, "pos": 1, "len": 2})
    changed = w.record("dict_keyiterator", {"dict": At(d), "used": 2, "pos": 1, "len": 1})
    of_set = w.record("set_iterator", {"set": At(s), "used": 3, "pos": 1, "len": 2})
    row = w.record("collections.deque", {"maxlen": -1}, [w.add(i) for i in range(5)])
    of_row = w.record("_collections._deque_iterator", {"deque": At(row), "counter": 2})
    keys = w.record("dict_keys", {"mapping": At(d)})
    pairs = w.record("dict_items", {"mapping": At(d)})
    dump = load(w)
    assert list(dump.object(items)) == [("b", 2), ("c", 3)]
    assert list(dump.object(back)) == ["b", "a"] and len(list(dump.object(of_set))) == 2
    assert list(dump.object(of_row)) == [3, 4]
    with pytest.raises(pydumpd.NotDumpedError, match="changed"):
        list(dump.object(changed))
    got = dump.object(keys)
    assert list(got) == ["a", "b", "c"] and len(got) == 3 and "b" in got and got == {"a", "b", "c"}
    assert repr(got) == "dict_keys(['a', 'b', 'c'])"
    assert repr(dump.object(pairs)) == "dict_items([('a', 1), ('b', 2), ('c', 3)])"


def test_what_a_view_leads_to_is_one_object(w, load):
    """A view needs its dict at once, which may hold what was met before."""
    row = [1]
    view = w.record("dict_values", {"mapping": At(w.add({"k": row}))})
    at = w.node("list", [w.add(row), view], type=w.add(list))
    got = load(w).object(at)
    assert list(got[1])[0] is got[0] and got[0] == [1]


def test_builtin_wrappers(w, load):
    inner = w.record("list_iterator", {"index": 1, "seq": At(w.add([1, 2, 0, 4]))})
    chars = w.record("str_iterator", {"index": 1, "seq": At(w.add("abc"))})
    counted = w.record(w.add(enumerate), {"index": 7, "sit": At(inner), "longindex": At(0)})
    zipped = w.record(w.add(zip), {"ittuple": At(w.node("tuple", [inner, chars]))})
    mapped = w.record(w.add(map), {"func": At(w.add(len)), "iters": At(w.node("tuple", [inner]))})
    kept = w.record(w.add(filter), {"func": At(w.add(None)), "it": At(inner)})
    dump = load(w)
    got = dump.object(counted)
    assert list(got) == [(7, 2), (8, 0), (9, 4)] and isinstance(got, enumerate)
    assert list(dump.object(zipped)) == [(2, "b"), (0, "c")]
    assert list(dump.object(kept)) == [2, 4]
    with pytest.raises(pydumpd.NotDumpedError):
        list(dump.object(mapped))
    assert repr(dump.object(mapped)).startswith("map(func=<built-in function len>, iters=(list_it")


@pytest.mark.parametrize("n", range(7))
def test_combinations_go_on(w, load, n):
    """The states are those that C code has after n results."""
    pool = ("a", "b", "c")
    pools = (("a", "b"), (1, 2, 3))
    want = {
        "itertools.product": list(itertools.product(*pools)),
        "itertools.permutations": list(itertools.permutations(pool, 2)),
        "itertools.combinations": list(itertools.combinations(pool, 2)),
        "itertools.combinations_with_replacement":
            list(itertools.combinations_with_replacement(pool, 2)),
    }  # fmt: skip
    # The indices after n results, as Modules/itertoolsmodule.c has them.
    product = [(i, j) for i in range(2) for j in range(3)]
    states = {
        "itertools.product": (product, {"pools": At(w.add(pools))}),
        "itertools.combinations": ([(0, 1), (0, 2), (1, 2)], {"pool": At(w.add(pool)), "r": 2}),
        "itertools.combinations_with_replacement": (
            [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)],
            {"pool": At(w.add(pool)), "r": 2},
        ),
    }
    made = {}
    for name, (indices, fields) in states.items():
        if n > len(indices):
            continue
        at = indices[max(n - 1, 0)]
        result = At(w.add(want[name][n - 1])) if n else At(0)
        made[name] = w.record(name, {**fields, "indices": at, "result": result, "stopped": False})
    cycles = [((0, 1, 2), (3, 2)), ((0, 2, 1), (3, 1)), ((1, 0, 2), (2, 2)), ((1, 2, 0), (2, 1)),
              ((2, 0, 1), (1, 2)), ((2, 1, 0), (1, 1))]  # fmt: skip
    if n <= 6:
        at, cycle = cycles[max(n - 1, 0)]
        name = "itertools.permutations"
        result = At(w.add(want[name][n - 1])) if n else At(0)
        made[name] = w.record(name, {"pool": At(w.add(pool)), "r": 2, "indices": at,
                                     "cycles": cycle, "result": result,
                                     "stopped": False})  # fmt: skip
    dump = load(w)
    for name, at in made.items():
        assert list(dump.object(at)) == want[name][n:]


def test_itertools(w, load):
    it = w.record("list_iterator", {"index": 0, "seq": At(w.add([1, 2, 3, 4, 5]))})
    none = At(w.add(None))
    count = w.record("itertools.count", {"cnt": 5, "long_cnt": At(0), "step": At(w.add(1))})
    repeat = w.record("itertools.repeat", {"element": At(w.add("x")), "cnt": 2})
    cycle = w.record("itertools.cycle", {"it": At(it), "saved": At(w.add([9])), "index": 0,
                                         "firstpass": False})  # fmt: skip
    cut = w.record("itertools.islice", {"it": At(it), "next": 3, "stop": 9, "step": 2, "cnt": 2})
    pairs = w.record("itertools.pairwise", {"it": At(it), "old": At(w.add(0))})
    groups = w.record("itertools.batched", {"it": At(it), "batch_size": 2})
    longest = w.record("itertools.zip_longest", {
        "numactive": 1, "ittuple": At(w.node("tuple", [it, 0])), "fillvalue": none})  # fmt: skip
    own = w.fresh()
    w.record("itertools.chain", {"active": At(own), "source": At(0)}, addr=own)
    dump = load(w)
    assert repr(dump.object(count)) == "count(5)"
    with pytest.raises(pydumpd.NotDumpedError):  # it never ends
        list(dump.object(count))
    assert list(dump.object(repeat)) == ["x", "x"] and repr(dump.object(repeat)) == "repeat('x', 2)"
    with pytest.raises(pydumpd.NotDumpedError):
        list(dump.object(cycle))
    assert list(dump.object(cut)) == [2, 4]
    assert list(dump.object(pairs))[:2] == [(0, 1), (1, 2)]
    assert list(dump.object(groups)) == [(1, 2), (3, 4), (5,)]
    assert list(dump.object(longest))[-1] == (5, None)
    with pytest.raises(RecursionError):
        list(dump.object(own))  # a chain of itself
    assert repr(dump.object(own)).startswith("itertools.chain(")


def pattern(w, string, flags=32, names=None, groups=1):
    at = w.add(names) if names else 0
    return w.record("re.Pattern", {"pattern": At(w.add(string)), "flags": flags, "groups": groups,
                                   "groupindex": At(at), "isbytes": False})  # fmt: skip


def test_patterns_and_matches(w, load):
    plain = pattern(w, "a+(?P<n>b)?(c)", 32 | 2, {"n": 1}, 2)
    string = w.add("xxaacyy")
    at = w.record("re.Match", {"string": At(string), "re": At(plain), "pos": 0, "endpos": 7,
                               "lastindex": 2, "spans": (2, 5, -1, -1, 4, 5)})  # fmt: skip
    bad = w.record("re.Match", {"string": At(string), "re": At(plain), "lastindex": -1,
                                "spans": (2, 50)})  # fmt: skip
    raw = pattern(w, b"\xff", 0)
    dump = load(w)
    got = dump.object(plain)
    assert repr(got) == "re.compile('a+(?P<n>b)?(c)', re.IGNORECASE)" and got.groups == 2
    assert got.groupindex == {"n": 1} and got.pattern == "a+(?P<n>b)?(c)" and got == got
    assert repr(dump.object(raw)) == "re.compile(b'\\xff')" and dump.object(raw).groupindex == {}
    got = dump.object(at)
    assert repr(got) == "<re.Match object; span=(2, 5), match='aac'>"
    assert got.group() == got[0] == "aac" and got.groups() == (None, "c") and got.span(2) == (4, 5)
    assert got.groupdict() == {"n": None} and got.group(0, "n") == ("aac", None)
    assert got.lastindex == 2 and got.lastgroup is None and got.start() == 2 and got.end() == 5
    assert got.re is dump.object(plain) and got.string == "xxaacyy"
    with pytest.raises(IndexError):
        got.group(5)
    with pytest.raises(pydumpd.NotDumpedError):
        dump.object(bad).group()
    assert "text has changed" in repr(dump.object(bad))


def test_files(w, load):
    raw = w.record("_io.FileIO", {"fd": 5, "created": False, "readable": True, "writable": False,
                                  "appending": False, "closefd": True, "finalizing": False},
                   attrs=[(DICT, "__dict__", w.add({"name": "/tmp/x"}))])  # fmt: skip
    buffered = w.record("_io.BufferedReader", {
        "raw": At(raw), "ok": True, "detached": False, "abs_pos": 17, "pos": 5, "raw_pos": 17,
        "readable": True, "writable": False,
        "read_end": 17, "write_pos": 0, "write_end": -1, "buffer_size": 8192})  # fmt: skip
    file = w.record("_io.TextIOWrapper", {"buffer": At(buffered), "encoding": At(w.add("utf-8"))},
                    attrs=[(DICT, "__dict__", w.add({"mode": "r"}))])  # fmt: skip
    memory = w.record("_io.BytesIO", {"pos": 2, "value": b"abc", "exports": 0})
    closed = w.record("_io.BytesIO", {"pos": 2, "exports": 0})
    words = w.record("_io.StringIO", {"pos": 1, "closed": False, "value": "t\u20acxt"})
    dump = load(w)
    assert repr(dump.object(raw)) == "<_io.FileIO name='/tmp/x' mode='rb' closefd=True>"
    got = dump.object(buffered)
    assert repr(got) == "<_io.BufferedReader name='/tmp/x'>" and got.tell() == 5
    got = dump.object(file)
    assert repr(got) == "<_io.TextIOWrapper name='/tmp/x' mode='r' encoding='utf-8'>"
    assert got.fileno() == 5 and got.closed is False and got.name == "/tmp/x"
    got = dump.object(memory)
    assert got.getvalue() == b"abc" and got.tell() == 2 and got.closed is False
    with pytest.raises(pydumpd.DumpCallError):
        got.read()
    assert dump.object(closed).closed is True and dump.object(words).getvalue() == "t\u20acxt"
    with pytest.raises(ValueError, match="closed"):
        dump.object(closed).getvalue()


def test_locks_and_contexts(w, load):
    lock = w.record("_thread.lock", {"locked": True})
    unknown = w.record("_thread.lock", {"system_lock": Remote(0x1000)})
    held = w.record("_thread.RLock", {"owner": Unsigned(77), "count": Unsigned(3)})
    queue = w.record("_queue.SimpleQueue", {"locked": False}, [w.add("b"), w.add([3])])
    var = w.record("_contextvars.ContextVar", {"name": At(w.add("v")), "default": At(w.add(1))})
    other = w.record("_contextvars.ContextVar", {"name": At(w.add("o")), "default": At(0)})
    leaf = w.record("hamt_bitmap_node", {"bitmap": 3}, [other, w.add("two")])
    root = w.record("hamt_bitmap_node", {"bitmap": 3}, [var, w.add([1]), 0, leaf])
    trie = w.record("hamt", {"root": At(root), "count": 2})
    context = w.record("_contextvars.Context", {"vars": At(trie), "entered": False})
    short = w.record("_contextvars.Context", {
        "vars": At(w.record("hamt", {"root": At(leaf), "count": 9}))})  # fmt: skip
    flat = w.record("_contextvars.Context", {"entered": False}, [var, w.add(5)], "mapping")
    token = w.record("_contextvars.Token", {"var": At(var), "old_value": At(0), "used": True})
    dump = load(w)
    assert repr(dump.object(lock)) == "<locked _thread.lock object at %#x>" % lock
    assert dump.object(lock).locked() is True
    with pytest.raises(pydumpd.DumpCallError):
        dump.object(lock).acquire()
    with pytest.raises(pydumpd.NotDumpedError):
        dump.object(unknown).locked()
    assert "unlocked" not in repr(dump.object(unknown))
    shown = "<locked _thread.RLock object owner=77 count=3 at %#x>" % held
    assert repr(dump.object(held)) == shown and dump.object(held).count == 3
    assert dump.object(queue).qsize() == 2 and dump.object(queue).items == ["b", [3]]
    got = dump.object(context)
    v = dump.object(var)
    assert got[v] == [1] and {k.name: x for k, x in got.items()} == {"v": [1], "o": "two"}
    assert len(got) == 2 and v in got and got.get(dump.object(other)) == "two"
    assert repr(v) == "<ContextVar name='v' default=1 at %#x>" % var
    with pytest.raises(pydumpd.NotDumpedError, match="1 of 9"):
        len(dump.object(short))
    assert list(dump.object(flat).values()) == [5]
    assert repr(dump.object(token)).startswith("<Token used var=<ContextVar name='v'")
    assert "MISSING" in repr(dump.object(token).old_value)


def test_futures_and_tasks(w, load):
    none = At(0)
    common = {"loop": none, "callback0": none, "callbacks": none}
    done = w.record("_asyncio.Future", {**common, "state": 2, "result": At(w.add({"a": 1})),
                                        "exception": none})  # fmt: skip
    error = w.add(ValueError("bad"))
    failed = w.record("_asyncio.Future", {**common, "state": 2, "result": none,
                                          "exception": At(error)})  # fmt: skip
    odd = w.record("_asyncio.Future", {**common, "state": 9, "result": none, "exception": none})
    back = w.add([(len, None), (repr, None)])
    waits = w.record("_asyncio.Future", {**common, "state": 0, "result": none, "exception": none,
                                         "callback0": At(w.add(len)), "context0": none,
                                         "callbacks": At(back)})  # fmt: skip
    base = w.c_types["_asyncio.Future"]
    task = w.record(w.c_type("_asyncio.Task", [base]), {
        **common, "state": 0, "result": none, "exception": none, "name": At(w.add("Task-1")),
        "coro": none, "fut_waiter": At(waits), "must_cancel": False,
        "num_cancels_requested": 1})  # fmt: skip
    dump = load(w)
    got = dump.object(done)
    assert repr(got) == "<Future finished result={'a': 1}>" and got.result() == {"a": 1}
    assert got.done() and not got.cancelled() and got._state == "FINISHED"
    assert got.exception() is None and got._callbacks is None
    got = dump.object(failed)
    assert repr(got) == "<Future finished exception=ValueError('bad')>"
    with pytest.raises(ValueError, match="bad"):
        got.result()
    with pytest.raises(pydumpd.NotDumpedError):
        dump.object(odd).done()
    assert "state=9" in repr(dump.object(odd))
    shown = "<Future pending cb=[len(), <1 more>, repr()]>"
    assert repr(dump.object(waits)) == shown
    got = dump.object(task)
    assert repr(got) == "<Task cancelling name='Task-1' wait_for=%s>" % shown
    assert got.get_name() == "Task-1" and got._fut_waiter is dump.object(waits)
    assert isinstance(got, type(dump.object(done)))


def test_deep_chains_of_tasks_print(w, load):
    at = 0
    for i in range(500):
        at = w.record("_asyncio.Task", {
            "state": 0, "name": At(w.add("T%d" % i)), "fut_waiter": At(at), "callback0": At(0),
            "callbacks": At(0), "coro": At(0)})  # fmt: skip
    shown = text(load(w).object(at))
    assert shown.startswith("<Task pending name='T499' wait_for=<Task") and "too deep" in shown


def test_iterators_over_real_deques_of_a_subclass(w, load):
    sub = w.type_node("Row", bases=[w.c_type("collections.deque")])
    row = w.record(sub, {"maxlen": -1}, [w.add(1), w.add(2)])
    at = w.record("_collections._deque_reverse_iterator", {"deque": At(row), "counter": 1})
    dump = load(w)
    assert list(dump.object(at)) == [1]
    assert isinstance(dump.object(row), collections.deque)


def test_marks_of_standard_types(w, load):
    lock = w.record("_thread.lock", {"locked": True}, mark=("torn", None, "changed"))
    memory = w.record("_io.StringIO", {"pos": 1, "closed": False, "value": "key=*****"},
                      mark=("redacted", 9, "bearer tag=12ab"))  # fmt: skip
    lone = w.record("_io.BytesIO", {"pos": 1, "value": b"abc"},
                    mark=("truncated", 99, "field value"))  # fmt: skip
    dump = load(w)
    assert repr(dump.object(lock)).endswith(" <torn: changed>")
    got = dump.object(memory)
    assert "redacted: bearer tag=12ab" in repr(got) and "redacted" in repr(got.getvalue())
    assert "truncated: 3 of 99 bytes" in repr(dump.object(lone))


def test_files_that_are_their_own_buffer(w, load):
    own = w.fresh()
    w.record("_io.TextIOWrapper", {"buffer": At(own), "encoding": At(0)}, addr=own)
    raw = w.fresh()
    w.record("_io.BufferedReader", {"raw": At(raw), "detached": False}, addr=raw)
    dump = load(w)
    assert text(dump.object(own)).startswith(("_io.TextIOWrapper(", "<_io.TextIOWrapper"))
    assert repr(dump.object(raw)).startswith(("_io.BufferedReader(", "<_io.BufferedReader"))
