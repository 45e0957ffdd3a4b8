# SPDX-License-Identifier: Apache-2.0
"""Containers that are written in Python: collections, weakref, os.environ."""

import collections
import itertools
import operator
import os
from typing import Any, Dict, Iterator, List, Tuple

from ..meta import refuse
from ..refs import ref_of
from ..render import Shown
from . import surrogate
from .written import (
    Written,
    address,
    call_shown,
    defined,
    full_name_of,
    function_home,
    known,
    name_of,
    own,
    plain_dict,
    python_of,
    static,
    value_shown,
)


def pairs_of(obj: Any) -> Dict[Any, Any]:
    """What a mapping holds."""
    return static(obj, "_pairs")(obj)


class MappingMixin(Written):
    """Reading a mapping, by way of `_pairs`: key -> value."""

    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(pairs_of(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(pairs_of(self))

    def __contains__(self, key: Any) -> bool:
        return key in pairs_of(self)

    def __getitem__(self, key: Any) -> Any:
        return pairs_of(self)[key]

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        return pairs_of(self) == (pairs_of(other) if static(other, "_pairs") else other)

    __hash__ = object.__hash__

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under key, or default."""
        pairs = pairs_of(self)
        return pairs[key] if key in pairs else default

    def keys(self) -> Any:
        """The keys."""
        return pairs_of(self).keys()

    def values(self) -> Any:
        """The values."""
        return pairs_of(self).values()

    def items(self) -> Any:
        """The pairs."""
        return pairs_of(self).items()


def _maps(obj: Any) -> List[Any]:
    # By its iterator: a list that is cut may claim any length.
    return list(iter(known(obj, "maps", list)))


@surrogate("collections.ChainMap")
class ChainMap(MappingMixin):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        out: Dict[Any, Any] = {}
        for each in reversed(_maps(self)):
            out.update(_as_dict(each))
        return out

    def _shown(self) -> Shown:
        return value_shown(name_of(self), _maps(self))


def _as_dict(value: Any) -> Dict[Any, Any]:
    return pairs_of(value) if static(value, "_pairs") else plain_dict(value)


@surrogate("collections.UserDict")
class UserDict(MappingMixin):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        return _as_dict(own(self, "data"))

    def _shown(self) -> Any:
        return bare(own(self, "data"))


def bare(value: Any) -> Shown:
    """The repr of a value, as the whole."""
    return Shown("", iter([("", value)]), "", 1)


class SequenceMixin(Written):
    """Reading a sequence, by way of its attribute `data`."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(own(self, "data"))

    def __iter__(self) -> Iterator[Any]:
        return iter(own(self, "data"))

    def __contains__(self, value: Any) -> bool:
        return _data(value) in own(self, "data")

    def __getitem__(self, key: Any) -> Any:
        return own(self, "data")[key]

    def __eq__(self, other: Any) -> Any:
        return self is other or own(self, "data") == _data(other)

    def __lt__(self, other: Any) -> Any:
        return own(self, "data") < _data(other)

    def __le__(self, other: Any) -> Any:
        return own(self, "data") <= _data(other)

    def __gt__(self, other: Any) -> Any:
        return own(self, "data") > _data(other)

    def __ge__(self, other: Any) -> Any:
        return own(self, "data") >= _data(other)

    __hash__ = object.__hash__

    def index(self, *args: Any) -> int:
        """The first position of a value."""
        return own(self, "data").index(*args)

    def count(self, *args: Any) -> int:
        """How often a value is in it."""
        return own(self, "data").count(*args)

    def _shown(self) -> Any:
        return bare(own(self, "data"))


def _data(value: Any) -> Any:
    return own(value, "data") if isinstance(value, SequenceMixin) else value


@surrogate("collections.UserList")
class UserList(SequenceMixin):
    __slots__ = ()


@surrogate("collections.UserString")
class UserString(SequenceMixin):
    __slots__ = ()

    def __str__(self) -> str:
        return str(own(self, "data"))


@surrogate("collections.Counter")
class Counter(Written):
    __slots__ = ()

    def __missing__(self, key: Any) -> int:
        return 0

    def most_common(self, n: Any = None) -> List[Tuple[Any, int]]:
        """The elements and their counts, from the most common on."""
        pairs = sorted(dict.items(self), key=_count, reverse=True)  # type: ignore
        return pairs if n is None else pairs[: max(n, 0)]

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, dict) or not _is_own(self, "__eq__"):
            return dict.__eq__(self, other)  # type: ignore
        if not isinstance(other, (Counter, collections.Counter)):
            return NotImplemented
        # From 3.10 on what is not in one counts as none.
        mine, others = _real(self), _real(other)
        return all(mine[key] == others[key] for key in [*mine, *others])

    def __ne__(self, other: Any) -> Any:
        equal = Counter.__eq__(self, other)
        return equal if equal is NotImplemented else not equal

    __hash__ = None  # type: ignore

    def elements(self) -> Iterator[Any]:
        """Each element as often as it was counted."""
        return itertools.chain.from_iterable(
            itertools.starmap(itertools.repeat, dict.items(self))  # type: ignore
        )

    def total(self) -> Any:
        """The sum of the counts."""
        return sum(dict.values(self))  # type: ignore

    def _shown(self) -> Any:
        pairs = list(dict.items(self))  # type: ignore
        if not pairs:
            return "%s()" % name_of(self)
        try:
            pairs.sort(key=_count, reverse=True)
        except (TypeError, LookupError):  # counts that cannot be ordered
            pass
        return Shown(name_of(self) + "({", iter(pairs), "})", len(pairs), pairs=True)


def _real(value: Any) -> Any:
    return collections.Counter(dict(dict.items(value)))


def _is_own(obj: Any, name: str) -> bool:
    """Whether a method is that of collections, not of a class of the program."""
    ref = ref_of(obj)
    return function_home(ref.graph, defined(ref.graph, ref.rec.type, name)[1])[0] == "collections"


def _operator(name: str) -> Any:
    def operate(self: Any, *others: Any) -> Any:
        ref = ref_of(self)
        if not defined(ref.graph, ref.rec.type, name)[1]:
            return NotImplemented
        if not _is_own(self, name):
            raise refuse("%s.%s()" % (name_of(self), name))
        if not all(isinstance(o, (Counter, collections.Counter)) for o in others):
            return NotImplemented
        return getattr(operator, name)(*map(_real, (self, *others)))

    return operate


for _name in "add sub or and xor le lt ge gt pos neg".split():
    setattr(Counter, "__%s__" % _name, _operator("__%s__" % _name))


def _count(pair: Tuple[Any, Any]) -> Any:
    return pair[1]


# -- weak references


def _referent(ref: Any) -> Any:
    """What a weak reference of the dump leads to; None when it is dead."""
    from ..natives import Weakref

    return ref() if isinstance(ref, Weakref) else None


class WeakMixin(MappingMixin):
    __slots__ = ()

    def _shown(self) -> str:
        return "<%s at %#x>" % (name_of(self), address(self))


@surrogate("weakref.WeakValueDictionary")
class WeakValueDictionary(WeakMixin):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        data = plain_dict(own(self, "data"))
        live = ((k, _referent(r)) for k, r in data.items())
        return {k: v for k, v in live if v is not None}


@surrogate("weakref.WeakKeyDictionary")
class WeakKeyDictionary(WeakMixin):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        from ..objects import fill_dict

        data = plain_dict(own(self, "data"))
        live = ((_referent(getattr(r, "value", r)), v) for r, v in data.items())
        out: Dict[Any, Any] = {}
        fill_dict(out, ((k, v) for k, v in live if k is not None))
        return out


@surrogate("_weakrefset.WeakSet")
class WeakSet(Written):
    __slots__ = ()

    def _items(self) -> List[Any]:
        found = (_referent(getattr(r, "value", r)) for r in own(self, "data") or ())
        return [v for v in found if v is not None]

    def __len__(self) -> int:
        return len(WeakSet._items(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(WeakSet._items(self))

    def __contains__(self, value: Any) -> bool:
        return any(v is value or v == value for v in WeakSet._items(self))

    def _shown(self) -> Any:
        if python_of(self) >= (3, 8):  # from there on the repr is that of its set
            return bare(own(self, "data"))
        return "<%s object at %#x>" % (full_name_of(self), address(self))


# -- the environment


@surrogate("os._Environ")
class Environ(MappingMixin):
    __slots__ = ()

    def _pairs(self) -> Dict[Any, Any]:
        data = plain_dict(own(self, "_data"))
        return {_decoded(k): _decoded(v) for k, v in data.items()}

    def _shown(self) -> Any:
        pairs = Environ._pairs(self)
        if python_of(self) >= (3, 9):
            return Shown("environ({", iter(pairs.items()), "})", len(pairs), pairs=True)
        parts = (("", pair) for pair in pairs.items())
        if python_of(self) >= (3, 7):
            return Shown("environ({", iter(pairs.items()), "})", len(pairs), pairs=True)
        return Shown("environ([", parts, "])", len(pairs))


def _decoded(value: Any) -> Any:
    if type(value) is not bytes:  # cut or redacted ones say so themselves
        return value
    return value.decode("utf-8", "surrogateescape") if os.name == "posix" else value.decode()


# -- others that are little more than a dict


@surrogate("types.SimpleNamespace")
class SimpleNamespace(Written):
    __slots__ = ()

    def _shown(self) -> Any:
        pairs = list((ref_of(self).instance_dict() or {}).items())
        if python_of(self) < (3, 9):
            pairs.sort(key=lambda p: str(p[0]))
        name = name_of(self)
        name = "namespace" if name == "SimpleNamespace" else name
        return call_shown(name, pairs)._replace(again="%s(...)" % name)

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, SimpleNamespace):
            return NotImplemented
        return ref_of(self).instance_dict() == ref_of(other).instance_dict()

    __hash__ = object.__hash__


@surrogate("argparse.Namespace")
class Namespace(Written):
    __slots__ = ()

    def _shown(self) -> Any:
        pairs = list((ref_of(self).instance_dict() or {}).items())
        if python_of(self) < (3, 9):
            pairs.sort(key=lambda p: str(p[0]))
        return call_shown(name_of(self), pairs)

    def __contains__(self, key: Any) -> bool:
        return key in (ref_of(self).instance_dict() or {})


@surrogate("email.message.Message")
class Message(Written):
    __slots__ = ()

    def items(self) -> List[Tuple[Any, Any]]:
        """The headers and their values."""
        found = own(self, "_headers")
        return [h for h in found if isinstance(h, tuple)] if isinstance(found, list) else []

    def keys(self) -> List[Any]:
        """The names of the headers."""
        return [h[0] for h in Message.items(self)]

    def values(self) -> List[Any]:
        """The values of the headers."""
        return [h[1] for h in Message.items(self)]

    def get(self, name: str, failobj: Any = None) -> Any:
        """The value of a header."""
        for key, value in Message.items(self):
            if isinstance(key, str) and key.lower() == name.lower():
                return value
        return failobj

    def __getitem__(self, name: str) -> Any:
        return Message.get(self, name)

    def __contains__(self, name: str) -> bool:
        return Message.get(self, name) is not None

    def __len__(self) -> int:
        return len(Message.items(self))


@surrogate("selectors._BaseSelectorImpl")
class Selector(Written):
    __slots__ = ()

    def get_map(self) -> Any:
        """File descriptor -> key."""
        return own(self, "_fd_to_key")
