# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for containers that are too big to decode at once, or not whole.

Each has the `__class__` of the builtin, so that isinstance works, and decodes
its items on demand. It is no real builtin on purpose: code in C, such as
json, would take a subclass that is not filled as empty. Where items are
missing, going past the last one raises NotDumpedError.
"""

import operator
from itertools import islice
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple

from .marks import NotDumpedError, describe
from .records import Record
from .refs import KEY, Ref, ref_of

if TYPE_CHECKING:
    from .objects import Graph

_UNITS = {"dict": "pairs"}


class StandIn:
    """Common to all: length, class, truth and what is missing."""

    __slots__ = (KEY, "__weakref__")

    def __init__(self, graph: "Graph", rec: Record, cls: type) -> None:
        object.__setattr__(self, KEY, Ref(graph, rec, cls))

    @property
    def __class__(self) -> type:  # type: ignore
        return ref_of(self).cls

    def __getattr__(self, name: str) -> Any:
        from . import surrogates

        ref = ref_of(self)
        base = _TYPES[ref.rec.kind.name][1]
        known = name != "__dict__" and hasattr(base, name) and name not in ref.attributes()
        if known and ref.rec.mark is None:
            if not ref.graph.classes.overrides(ref.rec.type, name):
                raise AttributeError(
                    "%s of a big %s: 'real NAME' makes it a real one" % (name, base.__name__)
                )
        return surrogates.lookup(self, ref, name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("this object of the dump cannot be changed; materialise it")

    def _stored(self) -> int:
        rec = ref_of(self).rec
        n = len(rec.rest())
        return n // 2 if rec.kind.name == "dict" else n

    def _note(self) -> str:
        """What is wrong with it, or ""."""
        rec = ref_of(self).rec
        if rec.mark is None:
            return ""
        return describe(rec.mark, self._stored(), _UNITS.get(rec.kind.name, "items"))

    def _check_end(self) -> None:
        rec = ref_of(self).rec
        if rec.mark is not None and rec.mark.word != "torn":
            raise NotDumpedError("the rest is not in the dump (%s)" % self._note())
        if self._changing():
            raise NotDumpedError("what is in it is not certain (%s)" % self._note())

    def _changing(self) -> bool:
        """It was taken in the middle of a change, and shows other than it has."""
        mark = ref_of(self).rec.mark
        torn = mark is not None and mark.word == "torn"
        return torn and mark.total not in (None, self._stored())

    def __len__(self) -> int:
        rec = ref_of(self).rec
        mark = rec.mark
        if mark is None or (mark.word == "torn" and not self._changing()):
            return self._stored()
        if mark.word == "torn":
            raise NotDumpedError("its length is not certain (%s)" % self._note())
        if mark.total is None:
            raise NotDumpedError("its length is not in the dump (%s)" % self._note())
        return max(mark.total, self._stored())

    def __bool__(self) -> bool:
        if self._stored() > 0 and not self._changing():
            return True
        return len(self) > 0

    def _check_vague(self, keys: Any, value: Any) -> None:
        """value is none of keys; raises when one that is not whole may be it."""
        from . import cuts
        from .marks import Placeholder

        for key in keys:
            if type(key) is Placeholder or cuts.isinstance_cut(key):
                if cuts.may_equal(key, value):
                    raise NotDumpedError("%r may be equal: it is not whole" % (key,))

    def dumped(self) -> List[Any]:
        """What is there, as a list (of pairs for a dict), without complaint."""
        return list(self._parts())

    def _parts(self) -> Iterator[Any]:
        ref = ref_of(self)
        for r in ref.rec.rest():
            yield ref.graph.get(r)

    def __repr__(self) -> str:
        from .render import text

        return text(self)

    def _alike(self, other: Any) -> bool:
        """Whether other is of the same builtin, or of a class derived from it."""
        return isinstance(other, _TYPES[ref_of(self).rec.kind.name][1])

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not self._alike(other):
            return NotImplemented
        return self._equals(other)

    def __ne__(self, other: Any) -> Any:
        result = self.__eq__(other)
        return result if result is NotImplemented else not result

    __hash__ = None  # type: ignore

    def _equals(self, other: Any) -> bool:
        raise NotImplementedError

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")

    def __dir__(self) -> List[str]:
        ref = ref_of(self)
        return sorted(set(dir(ref.cls)) | set(ref.attributes()) | {"dumped"})


class Sequence(StandIn):
    """A list or a tuple."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        yield from self._parts()
        self._check_end()

    def __reversed__(self) -> Iterator[Any]:
        for i in range(len(self) - 1, -1, -1):
            yield self[i]

    def __getitem__(self, key: Any) -> Any:
        ref = ref_of(self)
        refs, n = ref.rec.rest(), len(self)
        if isinstance(key, slice):
            picked = [self[i] for i in range(*key.indices(n))]
            return tuple(picked) if ref.rec.kind.name == "tuple" else picked
        if not hasattr(type(key), "__index__"):
            raise TypeError("indices must be integers or slices")
        i = key.__index__()
        i = i + n if i < 0 else i
        if not 0 <= i < n:
            raise IndexError("%s index out of range" % ref.rec.kind.name)
        if i >= len(refs):
            raise NotDumpedError("item %d is not in the dump (%s)" % (i, self._note()))
        return ref.graph.get(refs[i])

    def __contains__(self, value: Any) -> bool:
        return any(v is value or v == value for v in self)

    def index(self, value: Any, start: int = 0, stop: Optional[int] = None) -> int:
        """The first position of value."""
        for i, v in enumerate(islice(self, start, stop), start):
            if v is value or v == value:
                return i
        raise ValueError("%r is not in %s" % (value, ref_of(self).rec.kind.name))

    def count(self, value: Any) -> int:
        """How often value is in it."""
        return sum(1 for v in self if v is value or v == value)

    def _equals(self, other: Any) -> bool:
        return len(self) == len(other) and all(a is b or a == b for a, b in zip(self, other))

    def _order(self, other: Any, compare: Callable[[Any, Any], Any]) -> Any:
        if not self._alike(other):
            return NotImplemented
        for a, b in zip(self, other):
            if a is not b and a != b:
                return compare(a, b)
        return compare(len(self), len(other))

    def __lt__(self, other: Any) -> Any:
        return self._order(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._order(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._order(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._order(other, operator.ge)

    def _real(self) -> Any:
        return self[:]

    def __add__(self, other: Any) -> Any:
        return self._real() + other[:] if self._alike(other) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return other + self._real() if self._alike(other) else NotImplemented

    def __mul__(self, n: Any) -> Any:
        return self._real() * n

    __rmul__ = __mul__

    def copy(self) -> Any:
        """A real list of its items."""
        if not isinstance(self, list):
            raise AttributeError("'tuple' object has no attribute 'copy'")
        return self._real()


class FrozenSequence(Sequence):
    """A tuple."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(tuple(self))


class Mapping(StandIn):
    """A dict."""

    __slots__ = ()

    def _parts(self) -> Iterator[Tuple[Any, Any]]:
        ref = ref_of(self)
        refs = ref.rec.rest()
        for i in range(0, len(refs) - 1, 2):
            yield ref.graph.get(refs[i]), ref.graph.get(refs[i + 1])

    def _index(self) -> Dict[Any, int]:
        """key -> reference of its value; all keys are decoded, once."""
        ref = ref_of(self)
        if ref.extra is None:
            from .objects import hashable

            refs, index = ref.rec.rest(), {}
            for i in range(0, len(refs) - 1, 2):
                index[hashable(ref.graph.get(refs[i]), index)] = refs[i + 1]
            ref.extra = index
        return ref.extra

    def __iter__(self) -> Iterator[Any]:
        yield from self._index()
        self._check_end()

    def __reversed__(self) -> Iterator[Any]:
        self._check_end()
        return iter(list(self._index())[::-1])

    def __getitem__(self, key: Any) -> Any:
        index = self._index()
        if key in index:
            return ref_of(self).graph.get(index[key])
        self._check_end()
        self._check_vague(index, key)
        raise KeyError(key)

    def __contains__(self, key: Any) -> bool:
        if key in self._index():
            return True
        self._check_end()
        self._check_vague(self._index(), key)
        return False

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under key, or default."""
        try:
            return self[key]
        except KeyError:
            return default

    def keys(self) -> Any:
        """The keys."""
        from collections.abc import KeysView

        return KeysView(self)  # type: ignore

    def values(self) -> Any:
        """The values."""
        from collections.abc import ValuesView

        return ValuesView(self)  # type: ignore

    def items(self) -> Any:
        """The pairs."""
        from collections.abc import ItemsView

        return ItemsView(self)  # type: ignore

    def copy(self) -> Any:
        """A real dict of its pairs."""
        return dict(self.items())

    def __or__(self, other: Any) -> Any:
        return {**self, **other} if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return {**other, **self} if isinstance(other, dict) else NotImplemented

    def _equals(self, other: Any) -> bool:
        if len(self) != len(other):
            return False
        for k in self:
            if k not in other:
                return False
            a, b = self[k], other[k]
            if a is not b and a != b:
                return False
        return True


class Set(StandIn):
    """A set or a frozenset."""

    __slots__ = ()

    def _index(self) -> Any:
        ref = ref_of(self)
        if ref.extra is None:
            from .objects import fill_set

            index: Any = set()
            fill_set(index, self._parts())
            ref.extra = index
        return ref.extra

    def __iter__(self) -> Iterator[Any]:
        yield from self._index()
        self._check_end()

    def __contains__(self, value: Any) -> bool:
        if value in self._index():
            return True
        self._check_end()
        self._check_vague(self._index(), value)
        return False

    def _alike(self, other: Any) -> bool:
        return isinstance(other, (set, frozenset))

    def _equals(self, other: Any) -> bool:
        return len(self) == len(other) and all(v in other for v in self)

    def _real(self) -> Any:
        """A real set or frozenset of the items."""
        return _TYPES[ref_of(self).rec.kind.name][1](self)

    def __and__(self, other: Any) -> Any:
        return self._real() & _set(other) if self._alike(other) else NotImplemented

    def __rand__(self, other: Any) -> Any:
        return other & self._real() if self._alike(other) else NotImplemented

    def __or__(self, other: Any) -> Any:
        return self._real() | _set(other) if self._alike(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return other | self._real() if self._alike(other) else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return self._real() - _set(other) if self._alike(other) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return other - self._real() if self._alike(other) else NotImplemented

    def __xor__(self, other: Any) -> Any:
        return self._real() ^ _set(other) if self._alike(other) else NotImplemented

    def __rxor__(self, other: Any) -> Any:
        return other ^ self._real() if self._alike(other) else NotImplemented

    def __lt__(self, other: Any) -> Any:
        return self._real() < _set(other) if self._alike(other) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return self._real() <= _set(other) if self._alike(other) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return self._real() > _set(other) if self._alike(other) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return self._real() >= _set(other) if self._alike(other) else NotImplemented

    def isdisjoint(self, other: Any) -> bool:
        """Whether no item of other is in it."""
        return self._real().isdisjoint(other)

    def issubset(self, other: Any) -> bool:
        """Whether other has all items of it."""
        return self._real().issubset(other)

    def issuperset(self, other: Any) -> bool:
        """Whether it has all items of other."""
        return self._real().issuperset(other)

    def union(self, *others: Any) -> Any:
        """A real set of its items and those of others."""
        return self._real().union(*others)

    def intersection(self, *others: Any) -> Any:
        """A real set of the items that others have too."""
        return self._real().intersection(*others)

    def difference(self, *others: Any) -> Any:
        """A real set of the items that others do not have."""
        return self._real().difference(*others)

    def symmetric_difference(self, other: Any) -> Any:
        """A real set of the items that only one of the two has."""
        return self._real().symmetric_difference(other)

    def copy(self) -> Any:
        """A real set of its items."""
        return self._real()


def _set(other: Any) -> Any:
    return frozenset(other) if isinstance(other, StandIn) else other


class FrozenSet(Set):
    """A frozenset."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(frozenset(self))


_TYPES = {
    "list": (Sequence, list),
    "tuple": (FrozenSequence, tuple),
    "dict": (Mapping, dict),
    "set": (Set, set),
    "frozenset": (FrozenSet, frozenset),
}


def make(graph: "Graph", rec: Record) -> StandIn:
    """The stand-in for a container's record."""
    kind, base = _TYPES[rec.kind.name]
    return kind(graph, rec, graph.classes.storage_class(rec, base))
