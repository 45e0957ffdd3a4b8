# SPDX-License-Identifier: Apache-2.0
"""The iterators of builtins and collections, with what is left in them, and
the views of dicts.

Nothing is taken out of an iterator of a dump: iterating over one gives what is
left in it, and may be done again. Where only a function of the program could
say what comes next, NotDumpedError tells so.
"""

import collections
from itertools import count, islice
from typing import Any, Callable, Dict, Iterator

from ..marks import NotDumpedError
from ..refs import Ref, find_ref, ref_of
from . import Standard, fields, full_name, inner, null, real, surrogate

#: An iterator may be endless by way of those that it takes its items from.
LIMIT = 1000000

# Containers of the program whose own iterators are not run.
_PLAIN = (
    list, tuple, str, bytes, bytearray, dict, set, frozenset, range, collections.deque, memoryview
)  # fmt: skip


def unknown(obj: Any) -> NotDumpedError:
    """The error for what the dump cannot say."""
    return NotDumpedError("what %s gives next only the program could say" % full_name(obj))


def left(value: Any) -> Iterator[Any]:
    """What is left in an iterator, or the items of a builtin container."""
    cls = type(value)
    if issubclass(cls, Left):
        return inner(value, "_left")
    ref = find_ref(value)
    if ref is not None:
        if ref.graph.classes.overrides(ref.rec.type, "__iter__"):
            raise NotDumpedError("the __iter__ of %s is not run" % full_name(value))
        for base in _PLAIN:
            if issubclass(cls, base):
                return base.__iter__(value)  # type: ignore
        if isinstance(value, Standard):
            return iter(value)  # type: ignore
    elif cls in _PLAIN or cls.__module__ in ("builtins", "pydumpd.standins"):
        return iter(value)
    raise NotDumpedError("what is left in %s is not known" % cls.__name__)


class Left(Standard):
    """An iterator: _left() gives what is left in it."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        raise unknown(self)

    def __iter__(self) -> Iterator[Any]:
        for number, item in enumerate(inner(self, "_left")):
            if number >= LIMIT:
                raise NotDumpedError("more than %d items are left" % LIMIT)
            yield item

    def __length_hint__(self) -> Any:
        return NotImplemented


class Endless(Left):
    """One that never ends: its first items are to be had by islice()."""

    __slots__ = ()


def _sliced(obj: Any, name: str = "seq") -> Iterator[Any]:
    """From the index on, of a builtin sequence."""
    f = fields(obj)
    if null(f, name) or f["index"] < 0:
        return iter(())
    return islice(left(f[name]), f["index"], None)


@surrogate(
    "list_iterator",
    "tuple_iterator",
    "str_iterator",
    "str_ascii_iterator",
    "bytes_iterator",
    "bytearray_iterator",
    "iterator",
)
class SequenceIterator(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        return _sliced(self)


@surrogate("memory_iterator")
class MemoryIterator(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "seq"):
            return iter(())
        return iter(f["seq"].tolist()[f["index"] :])


@surrogate("arrayiterator", "array.arrayiterator")
class ArrayIterator(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        return iter(()) if null(f, "array") else islice(iter(f["array"]), f["index"], None)


@surrogate("list_reverseiterator", "reversed")
class ReverseIterator(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "seq") or f["index"] < 0:
            return iter(())
        items = list(islice(left(f["seq"]), f["index"] + 1))
        return iter(items[::-1])


@surrogate("range_iterator", "longrange_iterator")
class RangeIterator(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        start, step, n = f["start"], f["step"], f["len"]
        # Up to 3.11 they stay, and index counts.
        done = f["index"] if "index" in f else 0
        if not all(isinstance(v, int) for v in (start, step, n, done)):
            raise unknown(self)
        if step == 0 or done > n:
            raise ValueError("impossible %s" % full_name(self))
        return iter(range(start + done * step, start + n * step, step))


# -- dicts and sets


def _refs(ref: Ref, name: str, kind: str) -> Any:
    """The references of the container that an iterator walks, or None."""
    f = ref.fields
    if null(f, name):
        return None
    rec = ref.graph.record(f.ref(name))
    if rec is None or rec.kind.name != kind or rec.mark is not None:
        raise NotDumpedError("the %s that it walks over is not whole in the dump" % kind)
    return rec.rest()


class DictIterator(Left):
    """What is left are the last or, backwards, the first `len` pairs."""

    __slots__ = ()
    part = 0

    def _left(self) -> Iterator[Any]:
        ref = ref_of(self)
        refs = _refs(ref, "dict", "dict")
        if refs is None:
            return
        n, f = len(refs) // 2, ref.fields
        if f["used"] != n or not 0 <= f["len"] <= n:
            raise NotDumpedError("the dict has changed since: nothing would come")
        if "reverse" in full_name(self):
            order = range(f["len"] - 1, -1, -1)
        else:
            order = range(n - f["len"], n)
        for i in order:
            yield inner(self, "_item", ref, refs, 2 * i)

    def _item(self, ref: Ref, refs: Any, at: int) -> Any:
        return ref.graph.get(refs[at])


@surrogate("dict_keyiterator", "dict_reversekeyiterator")
class KeyIterator(DictIterator):
    __slots__ = ()


@surrogate("dict_valueiterator", "dict_reversevalueiterator")
class ValueIterator(DictIterator):
    __slots__ = ()

    def _item(self, ref: Ref, refs: Any, at: int) -> Any:
        return ref.graph.get(refs[at + 1])


@surrogate("dict_itemiterator", "dict_reverseitemiterator")
class ItemIterator(DictIterator):
    __slots__ = ()

    def _item(self, ref: Ref, refs: Any, at: int) -> Any:
        return ref.graph.get(refs[at]), ref.graph.get(refs[at + 1])


@surrogate("set_iterator")
class SetIterator(Left):
    """The dump has the items of a set in the order of its table."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        ref = ref_of(self)
        f = ref.fields
        rec = None if null(f, "set") else ref.graph.record(f.ref("set"))
        if rec is None:
            return
        refs = _refs(ref, "set", "frozenset" if rec.kind.name == "frozenset" else "set")
        if f["used"] != len(refs) or not 0 <= f["len"] <= len(refs):
            raise NotDumpedError("the set has changed since: nothing would come")
        for at in refs[len(refs) - f["len"] :]:
            yield ref.graph.get(at)


@surrogate(
    "_collections._deque_iterator",
    "collections._deque_iterator",
    "_collections._deque_reverse_iterator",
    "collections._deque_reverse_iterator",
)
class DequeIterator(Left):
    """counter tells how many are left."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "deque"):
            return iter(())
        items = list(left(f["deque"]))
        n = f["counter"]
        if not 0 <= n <= len(items):
            raise NotDumpedError("the deque has changed since")
        if "reverse" in full_name(self):
            return iter(items[:n][::-1])
        return iter(items[len(items) - n :])


_REVERSED, _KEYS, _VALUES = 1, 2, 4


@surrogate("odict_iterator")
class OrderedIterator(Left):
    """current is the key that comes next; kind has bits for what is given."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        ref = ref_of(self)
        f = ref.fields
        if null(f, "odict") or null(f, "current"):
            return
        refs = _refs(ref, "odict", "dict")
        keys = list(refs[::2])
        if f["size"] != len(keys) or f.ref("current") not in keys:
            raise NotDumpedError("the OrderedDict has changed since: nothing would come")
        at, kind = keys.index(f.ref("current")), f["kind"]
        order = range(at, -1, -1) if kind & _REVERSED else range(at, len(keys))
        for i in order:
            key, value = ref.graph.get(keys[i]), ref.graph.get(refs[2 * i + 1])
            if kind & _KEYS and kind & _VALUES:
                yield key, value
            else:
                yield key if kind & _KEYS else value


# -- of several, or with functions


@surrogate("enumerate")
class Enumerate(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        start = f["index"] if null(f, "longindex") else f["longindex"]
        return zip(count(start), left(f["sit"]))


@surrogate("zip")
class Zip(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        parts = fields(self).get("ittuple")
        if not isinstance(parts, tuple):
            raise unknown(self)
        return zip(*map(left, parts))


@surrogate("filter")
class Filter(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if f["func"] is not None and f["func"] is not bool:
            raise unknown(self)
        return filter(truth, left(f["it"]))


def truth(value: Any) -> bool:
    """Whether a value is true; NotDumpedError when the program would say."""
    ref = find_ref(value)
    if ref is not None and not isinstance(value, type):
        for name in ("__bool__", "__len__"):
            if ref.graph.classes.overrides(ref.rec.type, name):
                raise NotDumpedError("the %s of %s is not run" % (name, full_name(value)))
    return bool(value)


@surrogate("map", "callable_iterator")
class Called(Left):
    """What comes is what a function of the program gives."""

    __slots__ = ()


# -- views

_VIEWS: Dict[str, Callable[[Any], Any]] = {
    "keys": lambda d: d.keys(), "values": lambda d: d.values(), "items": lambda d: d.items()
}  # fmt: skip


def _view(what: str) -> None:
    def make(ref: Ref, cls: type) -> Any:
        mapping = ref.graph.get(ref.fields.ref("mapping"))
        for base in (collections.OrderedDict, dict):
            if isinstance(mapping, base):
                return getattr(base, what)(mapping)
        raise ValueError("the mapping is %s" % type(mapping).__name__)

    real(type(_VIEWS[what]({})), "dict_" + what)(make)
    real(type(_VIEWS[what](collections.OrderedDict())), "odict_" + what)(make)


for _what in _VIEWS:
    _view(_what)
