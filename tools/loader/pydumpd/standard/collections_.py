# SPDX-License-Identifier: Apache-2.0
"""collections and functools: deque, OrderedDict, defaultdict, partial, caches."""

import collections
from itertools import chain
from typing import Any, Iterator, List, Tuple

from ..marks import NotDumpedError
from ..meta import refuse
from ..refs import Ref, ref_of
from . import (
    REAL_SHOWN,
    Items,
    Shown,
    Standard,
    class_name,
    container,
    contents,
    fields,
    full_name,
    surrogate,
)

# -- deque


@container(collections.deque, "collections.deque")
def _fill_deque(obj: Any, ref: Ref, items: List[Any]) -> None:
    collections.deque.__init__(obj, items, _maxlen(ref))


def _maxlen(ref: Ref) -> Any:
    n = ref.fields.get("maxlen", -1)
    return n if isinstance(n, int) and n >= 0 else None


@_fill_deque.fits
def _fits(ref: Ref) -> bool:
    """A deque with more items than it can have is no deque here."""
    limit = _maxlen(ref)
    return "maxlen" in ref.fields and (limit is None or len(ref.rec.rest()) <= limit)


@_fill_deque.otherwise
class Deque(Items):
    """A deque that is not decoded at once, or not whole."""

    __slots__ = ()

    @property
    def maxlen(self) -> Any:
        return _maxlen(ref_of(self))

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, collections.deque):
            return NotImplemented
        return len(self) == len(other) and all(a is b or a == b for a, b in zip(self, other))

    __hash__ = None  # type: ignore

    def _shown(self) -> Any:
        ref = ref_of(self)
        inner = contents(ref)
        return inner._replace(
            before="%s([" % class_name(self),
            after=inner.after + _maxlen_shown(self.maxlen),
            note=Items._note(self),
            again="[...]",
        )


def _maxlen_shown(maxlen: Any) -> str:
    return ")" if maxlen is None else ", maxlen=%d)" % maxlen


def _show_deque(value: Any) -> Shown:
    from ..meta import SurrogateMeta

    cls = type(value)
    name = class_name(value) if isinstance(cls, SurrogateMeta) else "deque"
    items = collections.deque.__iter__(value)
    after = "]" + _maxlen_shown(value.maxlen)
    count = collections.deque.__len__(value)
    return Shown("%s([" % name, (("", v) for v in items), after, count, again="[...]")


REAL_SHOWN[collections.deque] = _show_deque


# -- dicts


@surrogate("collections.OrderedDict")
class OrderedDict(Standard):
    __slots__ = ()
    base = collections.OrderedDict

    def _shown(self) -> Any:
        name, count = class_name(self), dict.__len__(self)  # type: ignore
        if not count:
            return "%s()" % name
        pairs = collections.OrderedDict.items(self)  # type: ignore
        if ref_of(self).graph.python >= (3, 12):
            return Shown("%s({" % name, iter(pairs), "})", count, pairs=True)
        return Shown("%s([" % name, (("", pair) for pair in pairs), "])", count)


@surrogate("collections.defaultdict")
class DefaultDict(Standard):
    """Looking for a key that is not there adds none: it is a dump."""

    __slots__ = ()
    base = collections.defaultdict

    @property
    def default_factory(self) -> Any:
        return fields(self).get("default_factory")

    def __missing__(self, key: Any) -> Any:
        raise KeyError(key)

    def _shown(self) -> Any:
        from ..render import text

        before = "%s(%s, {" % (class_name(self), text(self.default_factory, 2000))
        items = iter(dict.items(self))  # type: ignore
        return Shown(before, items, "})", dict.__len__(self), pairs=True)  # type: ignore


# -- functools


@surrogate("functools.partial")
class Partial(Standard):
    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % full_name(self))

    def _shown(self) -> Any:
        f = fields(self)
        args, keywords = f.get("args"), f.get("keywords")
        parts: Iterator[Tuple[str, Any]] = iter([("", f.get("func"))])
        if isinstance(args, tuple):
            parts = chain(parts, (("", a) for a in args))
        elif args is not None:
            parts = chain(parts, [("*", args)])
        count = 1
        if isinstance(keywords, dict):
            parts = chain(parts, ((_name(k) + "=", v) for k, v in keywords.items()))
        elif keywords is not None:
            parts = chain(parts, [("**", keywords)])
        ref = ref_of(self)
        name = full_name(self)
        if ref.graph.python < (3, 13) and name != "functools.partial":
            name = class_name(self)
        return Shown("%s(" % name, parts, ")", count)


def _name(key: Any) -> str:
    from ..render import text

    return key if isinstance(key, str) and key.isidentifier() else text(key, 200)


@surrogate("functools._PlaceholderType")
class PartialPlaceholder(Standard):
    __slots__ = ()

    def _shown(self) -> str:
        return "Placeholder"


CacheInfo = collections.namedtuple("CacheInfo", "hits misses maxsize currsize")


@surrogate("functools._lru_cache_wrapper")
class LruCache(Standard):
    """What lru_cache makes of a function: its numbers, and what it holds."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % full_name(self))

    def _maxsize(self) -> Any:
        n = fields(self)["maxsize"]
        return None if n < 0 else n

    def _size(self) -> int:
        if not fields(self)["maxsize"]:
            return 0
        cache = fields(self).get("cache")
        if not isinstance(cache, dict):
            raise NotDumpedError("its cache: %r" % (cache,))
        return len(cache)

    def cache_info(self) -> Any:
        """Hits, misses, maxsize, currsize."""
        f = fields(self)
        return CacheInfo(f["hits"], f["misses"], LruCache._maxsize(self), LruCache._size(self))

    def cache_parameters(self) -> Any:
        """maxsize and typed."""
        return {"maxsize": LruCache._maxsize(self), "typed": fields(self)["typed"]}

    def cache_contents(self) -> Any:
        """key -> result, as far as the dump has them (no method of the original)."""
        out = {}
        cache = fields(self).get("cache")
        for key, value in cache.items() if isinstance(cache, dict) else ():
            link = getattr(value, "result", None) if full(value) == _LINK else value
            out[key] = link
        return out

    def _shown(self) -> Any:
        return "<%s object at %#x>" % (full_name(self), ref_of(self).rec.addr)


_LINK = "functools._lru_list_elem"


def full(value: Any) -> str:
    """The dumped type's full name, "" when value is no surrogate."""
    from ..refs import find_ref

    ref = find_ref(value)
    return "" if ref is None else ref.graph.classes.name(ref.rec.type)
