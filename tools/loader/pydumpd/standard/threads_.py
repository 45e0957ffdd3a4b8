# SPDX-License-Identifier: Apache-2.0
"""_thread, _queue and contextvars: locks, queues, variables of contexts."""

from typing import Any, Dict, Iterator

from ..marks import NotDumpedError, Placeholder
from ..meta import refuse
from ..refs import ref_of
from . import (
    Items,
    Pairs,
    Shown,
    Standard,
    class_name,
    contents,
    fields,
    full_name,
    surrogate,
)


def _where(obj: Any) -> str:
    return "at %#x" % ref_of(obj).rec.addr


class _Acquired(Standard):
    __slots__ = ()

    def acquire(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("acquire()")

    def release(self) -> Any:
        raise refuse("release()")


@surrogate("_thread.lock")
class Lock(_Acquired):
    __slots__ = ()

    def locked(self) -> Any:
        """Whether it is held."""
        if "locked" not in fields(self):
            raise NotDumpedError("whether it is held is not in the dump")
        return fields(self)["locked"]

    def _shown(self) -> str:
        f = fields(self)
        word = "locked " if f["locked"] else "unlocked "
        return "<%s%s object %s>" % (word, full_name(self), _where(self))


@surrogate("_thread.RLock")
class RLock(_Acquired):
    """owner is a thread's ident, count how often it holds the lock."""

    __slots__ = ()

    @property
    def count(self) -> Any:
        f = fields(self)
        if "count" in f:
            return f["count"]
        owner = f["owner"]
        return f["level"] + 1 if owner else 0

    def locked(self) -> bool:
        """Whether it is held."""
        return RLock.count.fget(self) > 0  # type: ignore

    def _is_owned(self) -> Any:
        raise refuse("_is_owned(); owner is the ident of a thread")

    def _shown(self) -> str:
        f, count = fields(self), RLock.count.fget(self)  # type: ignore
        return "<%s %s object owner=%d count=%d %s>" % (
            "locked" if count else "unlocked",
            full_name(self),
            f["owner"],
            count,
            _where(self),
        )


@surrogate("_queue.SimpleQueue")
class SimpleQueue(Items):
    __slots__ = ()

    @property
    def items(self) -> Any:
        return list(self)

    def qsize(self) -> int:
        """How many items are in it."""
        return Items.__len__(self)

    def empty(self) -> bool:
        """Whether it has none."""
        return Items.__len__(self) == 0

    def _shown(self) -> Any:
        inner = contents(ref_of(self))._replace(note=Items._note(self))
        return Shown("%s(" % full_name(self), iter([("items=", inner)]), ")", 1)


# -- contexts


@surrogate("ContextVar", "_contextvars.ContextVar", "contextvars.ContextVar")
class ContextVar(Standard):
    __slots__ = ()

    def get(self, *default: Any) -> Any:
        raise refuse("get(); the values are those of a Context")

    def _shown(self) -> Any:
        f = fields(self)
        before = "<ContextVar name=%s" % _text(f.get("name"))
        after = " %s>" % _where(self)
        if f.null("default"):
            return before + after
        return Shown(before + " default=", iter([("", f["default"])]), after, 1)


def _text(value: Any) -> str:
    from ..render import text

    return text(value, 2000)


@surrogate("Context", "_contextvars.Context", "contextvars.Context")
class Context(Pairs):
    """A mapping of variables to values."""

    __slots__ = ()

    def run(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("run()")

    def __iter__(self) -> Iterator[Any]:
        return iter(_context(self))

    def __len__(self) -> int:
        return len(_context(self))

    def __getitem__(self, var: Any) -> Any:
        return _context(self)[var]

    def __contains__(self, var: Any) -> bool:
        return var in _context(self)

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, Context):
            return NotImplemented
        return _context(self) == _context(other)

    __hash__ = object.__hash__

    def get(self, var: Any, default: Any = None) -> Any:
        """The value of a variable."""
        return _context(self).get(var, default)

    def keys(self) -> Any:
        """The variables."""
        return _context(self).keys()

    def values(self) -> Any:
        """The values."""
        return _context(self).values()

    def items(self) -> Any:
        """The pairs."""
        return _context(self).items()

    def _shown(self) -> Any:
        try:
            values: Any = _context(self)
        except (NotDumpedError, LookupError, TypeError) as e:
            values = Placeholder(str(e))
        return Shown("%s(" % full_name(self), iter([("values=", values)]), ")", 1)


def _context(obj: Any) -> Dict[Any, Any]:
    """The values of a context: its pairs, or what is in its trie of hashes."""
    ref = ref_of(obj)
    if ref.extra is None:
        from . import check_whole

        out: Dict[Any, Any] = {}
        if ref.rec.kind.name == "mapping":
            check_whole(ref)
            refs = ref.rec.rest()
            for key, value in zip(refs[::2], refs[1::2]):
                out[ref.graph.get(key)] = ref.graph.get(value)
        else:
            _walk(obj, out)
        ref.extra = out
    return ref.extra


def _walk(obj: Any, out: Dict[Any, Any]) -> None:
    """Goes over a trie of Python/hamt.c: by the records, for its nodes are
    none of the program's objects."""
    from ..refs import Ref

    graph = ref_of(obj).graph
    rec = graph.record(fields(obj).ref("vars"))
    if rec is None:
        raise NotDumpedError("its values are not in the dump")
    trie = Ref(graph, rec).fields
    want, todo, seen = trie.number("count", 0), [trie.ref("root")], set()
    while todo:
        at = todo.pop(0)
        rec = graph.record(at)
        if not at or at in seen:
            continue
        seen.add(at)
        if rec is None or rec.mark is not None:
            raise NotDumpedError("a part of its values is not in the dump")
        kind, refs = graph.classes.name(rec.type), rec.rest()
        if kind == "hamt_array_node":
            todo[:0] = [r for r in refs if r]
            continue
        inner = []
        for key, value in zip(refs[::2], refs[1::2]):
            if not key:
                inner.append(value)
            else:
                out[graph.get(key)] = graph.get(value)
        todo[:0] = inner
    if len(out) != want:
        raise NotDumpedError("%d of %d values are in the dump" % (len(out), want))


@surrogate("hamt")
class Hamt(Standard):
    __slots__ = ()

    def __len__(self) -> int:
        return fields(self).number("count", 0)


@surrogate("Token", "_contextvars.Token", "contextvars.Token")
class Token(Standard):
    __slots__ = ()

    @property
    def old_value(self) -> Any:
        f = fields(self)
        return Placeholder("Token.MISSING") if f.null("old_value") else f["old_value"]

    def _shown(self) -> Any:
        f = fields(self)
        before = "<Token%s var=" % (" used" if f.get("used") else "")
        name = class_name(self)
        before = before.replace("Token", name) if name != "Token" else before
        return Shown(before, iter([("", f.get("var"))]), " %s>" % _where(self), 1)


@surrogate("Token.MISSING", "_contextvars.Token.MISSING")
class Missing(Standard):
    __slots__ = ()

    def _shown(self) -> str:
        return "<Token.MISSING>"
