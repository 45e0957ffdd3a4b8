# SPDX-License-Identifier: Apache-2.0
"""The frozendict of Python 3.15, also where this Python has none."""

import builtins
from collections.abc import Mapping
from typing import Any, Dict, Iterator

from ..refs import ref_of
from . import Pairs, Shown, check_whole, class_name, surrogate

#: This Python's own.
REAL: Any = getattr(builtins, "frozendict", None)


def _dict_of(obj: Any) -> Dict[Any, Any]:
    """What is in one, as a dict of its own."""
    return type.__getattribute__(type(obj), "_pairs")(obj)


def _merged(left: Any, right: Any) -> Any:
    return (REAL or Frozen)({**left, **right})


class Reading:
    """What can be done with a frozendict, by way of `_pairs`: a dict."""

    __slots__ = ()

    def keys(self) -> Any:
        """The keys."""
        return _dict_of(self).keys()

    def values(self) -> Any:
        """The values."""
        return _dict_of(self).values()

    def items(self) -> Any:
        """The pairs."""
        return _dict_of(self).items()

    def copy(self) -> Any:
        """Itself."""
        return self

    def __reversed__(self) -> Iterator[Any]:
        return reversed(list(_dict_of(self)))

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not _is_dict(other):
            return NotImplemented
        mine = _dict_of(self)
        return len(mine) == len(other) and all(
            key in other and (other[key] is value or other[key] == value)
            for key, value in mine.items()
        )

    def __ne__(self, other: Any) -> Any:
        equal = Reading.__eq__(self, other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        if REAL is not None:
            return hash(REAL(_dict_of(self)))
        return hash(frozenset(_dict_of(self).items()))

    def __lt__(self, other: Any) -> Any:
        return NotImplemented

    __le__ = __gt__ = __ge__ = __lt__

    def __or__(self, other: Any) -> Any:
        return _merged(_dict_of(self), other) if _is_dict(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        if isinstance(other, dict):
            return {**other, **_dict_of(self)}
        return _merged(other, _dict_of(self)) if _is_dict(other) else NotImplemented


def _is_dict(value: Any) -> bool:
    return isinstance(value, (dict, Reading)) or (REAL is not None and isinstance(value, REAL))


@surrogate("frozendict")
class FrozenDict(Reading, Pairs):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        ref = ref_of(self)
        check_whole(ref)
        return {key: ref.graph.get(at) for key, at in Pairs._index(self).items()}

    def _shown(self) -> Any:
        ref = ref_of(self)
        refs, get = ref.rec.rest(), ref.graph.get
        name = class_name(self)
        if not refs and ref.rec.mark is None:
            return "%s()" % name
        pairs = zip(map(get, refs[::2]), map(get, refs[1::2]))
        again = "%s({...})" % name
        return Shown("%s({" % name, pairs, "})", len(refs) // 2, pairs=True, again=again)


class Frozen(Reading):
    """One that is made here, where there is no real one."""

    __slots__ = ("_own",)

    def __init__(self, pairs: Dict[Any, Any]) -> None:
        self._own = pairs

    def _pairs(self) -> Dict[Any, Any]:
        return self._own

    def __len__(self) -> int:
        return len(self._own)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._own)

    def __getitem__(self, key: Any) -> Any:
        return self._own[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._own

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of key."""
        return self._own.get(key, default)

    def __repr__(self) -> str:
        from ..render import text

        return "frozendict(%s)" % (text(self._own) if self._own else "")


Frozen.__name__ = Frozen.__qualname__ = "frozendict"
Frozen.__module__ = "builtins"
Mapping.register(FrozenDict)
Mapping.register(Frozen)
