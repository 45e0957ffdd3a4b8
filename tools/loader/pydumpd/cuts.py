# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for text and bytes that a limit cut.

Each knows its true length and what it begins with. It has the `__class__` of
the builtin but is none: code in C would take the part for the whole. What
needs more than the dump has raises NotDumpedError.
"""

from itertools import count
from typing import TYPE_CHECKING, Any, Iterator, List, Optional

from .marks import NotDumpedError, describe
from .records import Record
from .refs import KEY, Ref, ref_of

if TYPE_CHECKING:
    from .objects import Graph

#: str, bytes or bytearray by the name of the kind, and what its length counts.
BASES = {"str": str, "bytes": bytes, "bytearray": bytearray}
UNITS = {"str": "characters", "bytes": "bytes", "bytearray": "bytes"}


class Cut:
    """A str, bytes or bytearray of which the dump has the beginning."""

    __slots__ = (KEY, "__weakref__", "_part")

    def __init__(self, graph: "Graph", rec: Record, part: Any) -> None:
        cls = graph.classes.storage_class(rec, BASES[rec.kind.name])
        object.__setattr__(self, KEY, Ref(graph, rec, cls))
        object.__setattr__(self, "_part", part)

    @property
    def __class__(self) -> type:  # type: ignore
        return ref_of(self).cls

    def __getattr__(self, name: str) -> Any:
        if hasattr(BASES[ref_of(self).rec.kind.name], name):
            return lambda *args, **named: self._refuse("%s()" % name)
        from . import surrogates

        return surrogates.lookup(self, ref_of(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("this object of the dump cannot be changed")

    def _refuse(self, what: str) -> Any:
        raise NotDumpedError("%s needs the whole (%s)" % (what, self._note()))

    def _note(self) -> str:
        rec = ref_of(self).rec
        assert rec.mark is not None
        return describe(rec.mark, len(self._part), UNITS[rec.kind.name])

    def dumped(self) -> Any:
        """The part that is there, as a real str or bytes."""
        return self._part

    def __repr__(self) -> str:
        return "%r <%s>" % (self._part, self._note())

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __len__(self) -> int:
        mark = ref_of(self).rec.mark
        if mark is None or mark.total is None:
            raise NotDumpedError("its length is not in the dump (%s)" % self._note())
        return max(mark.total, len(self._part))

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        yield from self._part
        raise NotDumpedError("the rest is not in the dump (%s)" % self._note())

    def __getitem__(self, key: Any) -> Any:
        part, n = self._part, len(self)
        if isinstance(key, slice):
            picked = range(*key.indices(n))
            if picked and max(picked[0], picked[-1]) >= len(part):
                self._refuse("that slice")
            return _pick(part, picked)
        i = key.__index__()
        i = i + n if i < 0 else i
        if not 0 <= i < n:
            raise IndexError("%s index out of range" % ref_of(self).rec.kind.name)
        return part[i] if i < len(part) else self._refuse("item %d" % i)

    def __contains__(self, value: Any) -> bool:
        return True if value in self._part else self._refuse("in")

    def startswith(self, prefix: Any) -> bool:
        """Whether it begins with prefix."""
        part = self._part
        options = prefix if isinstance(prefix, tuple) else (prefix,)
        if any(part.startswith(p) for p in options):
            return True
        if any(type(p[:0]) is type(part[:0]) and p.startswith(part) for p in options):
            self._refuse("startswith()")
        return False

    def _order(self, other: Any) -> Optional[int]:
        """-1, 0, 1: below, not known, above other; None: not comparable."""
        base = BASES[ref_of(self).rec.kind.name]
        mine = self._part
        whole = not isinstance_cut(other)
        if whole:
            if not isinstance(other, (str if base is str else (bytes, bytearray))):
                return None
            theirs = other
        else:
            theirs = other._part
            if isinstance(mine, str) is not isinstance(theirs, str):
                return None
        k = min(len(mine), len(theirs))
        if mine[:k] != theirs[:k]:
            return 1 if mine[:k] > theirs[:k] else -1
        # What is whole and no longer than the part here is a prefix.
        return 1 if whole and len(theirs) <= len(mine) else 0

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        order = self._order(other)
        if order is None:
            return NotImplemented
        if order or len(self) != len(other):
            return False
        return self._refuse("==")

    def __ne__(self, other: Any) -> Any:
        result = self.__eq__(other)
        return result if result is NotImplemented else not result

    def _compare(self, other: Any, wanted: int) -> Any:
        order = self._order(other)
        if order is None:
            return NotImplemented
        if self is other:
            return wanted == 0
        return order == wanted if order else self._refuse("the comparison")

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, -1)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, 1)

    def __le__(self, other: Any) -> Any:
        return True if self is other else self._compare(other, -1)

    def __ge__(self, other: Any) -> Any:
        return True if self is other else self._compare(other, 1)

    def __hash__(self) -> int:
        # By identity: two that begin alike are two keys.
        if ref_of(self).rec.kind.name == "bytearray":
            raise TypeError("unhashable type: 'bytearray'")
        return object.__hash__(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")

    def __dir__(self) -> List[str]:
        ref = ref_of(self)
        return sorted(set(dir(ref.cls)) | set(ref.attributes()) | {"dumped"})


def _pick(part: Any, picked: range) -> Any:
    if isinstance(part, str):
        return "".join(part[i] for i in picked)
    return type(part)(part[i] for i in picked)


def isinstance_cut(value: Any) -> bool:
    """Whether value is a Cut; `__class__` is not asked."""
    return issubclass(type(value), Cut)


def may_equal(key: Any, value: Any) -> bool:
    """Whether a key that is not whole may be equal to value."""
    if not isinstance_cut(key):
        return True
    try:
        return bool(key == value)
    except NotDumpedError:
        return True


def unique(name: str, taken: Any) -> str:
    """name, or with a number when it is taken."""
    if name not in taken:
        return name
    return next(n for n in ("%s~%d" % (name, i) for i in count(2)) if n not in taken)
