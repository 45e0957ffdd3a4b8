# SPDX-License-Identifier: Apache-2.0
"""What surrogates of the interpreter's own objects have in common.

Each answers for the attributes that people look at, claims the builtin type
by `__class__`, prints as the original did, and refuses to be called.
"""

import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, List

from .marks import describe
from .records import Record, utf8
from .refs import KEY, Ref, ref_of
from .surrogates import header, lookup, storage_base

if TYPE_CHECKING:
    from .objects import Graph

Getter = Callable[[Ref], Any]


class Native:
    """Common to all. Attributes come from `table`, then from the dump."""

    __slots__ = (KEY, "__weakref__")
    table: Dict[str, Getter] = {}
    real: type = object

    def __init__(self, graph: "Graph", rec: Record) -> None:
        object.__setattr__(self, KEY, Ref(graph, rec))

    def __getattribute__(self, name: str) -> Any:
        ref = object.__getattribute__(self, KEY)
        cls = type(self)
        if name == "__class__":
            return _claim(ref, cls.real)
        getter = cls.table.get(name)
        if getter is not None:
            return getter(ref)
        attrs = ref.attributes()
        if name in attrs:
            return ref.graph.get(attrs[name])
        at = ref.rec.field("dict")
        if at:
            names = ref.graph.namespace(at)
            if name in names:
                return ref.graph.get(names[name])
            if name == "__dict__":
                return ref.graph.get(at)
        if name == "__dict__" or ref.graph.classes.overrides(ref.rec.type, name):
            return lookup(self, ref, name)
        if name in vars(object) or name == "__call__":
            return object.__getattribute__(self, name)
        raise AttributeError("%r object has no attribute %r" % (cls.real.__name__, name))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an object of a dump cannot be changed")

    def __dir__(self) -> List[str]:
        ref = ref_of(self)
        names = set(type(self).table) | set(ref.attributes()) | {"__class__"}
        if ref.rec.field("dict"):
            names |= set(ref.graph.namespace(ref.rec.field("dict")))
        return sorted(names)

    def __repr__(self) -> str:
        ref = ref_of(self)
        note = describe(ref.rec.mark) if ref.rec.mark else ""
        try:
            out = type(self).show(ref)
        except (struct.error, RecursionError):
            out = header(self)
        return "%s <%s>" % (out, note) if note else out

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")

    @staticmethod
    def show(ref: Ref) -> str:
        """The repr."""
        name = ref.graph.classes.name(ref.rec.type) or ref.rec.kind.name
        return "<%s object at %#x>" % (name, ref.rec.addr)


def _claim(ref: Ref, real: type) -> Any:
    """The dumped class, unless that promises a storage that is not here."""
    classes = ref.graph.classes
    if not classes.info(ref.rec.type)[1]:
        return real
    made = classes.get(ref.rec.type)
    mro = type.__getattribute__(made, "__mro__")
    return real if storage_base(made) or type in mro or BaseException in mro else made


def field(name: str) -> Getter:
    """A getter of a field of the kind; None when it is NULL."""

    def get(ref: Ref) -> Any:
        at = ref.rec.field(name)
        return ref.graph.get(at) if at else None

    return get


def text_field(ref: Ref, name: str, default: str = "?") -> str:
    """The str in a field of the kind."""
    s = ref.graph.string(ref.rec.field(name))
    return default if s is None else s


def value_text(ref: Ref) -> str:
    """The value bytes as text."""
    return utf8(ref.rec.data)


def type_name(graph: "Graph", addr: int) -> str:
    """The name of the type of the object at addr."""
    rec = graph.record(addr)
    return graph.classes.name(rec.type) if rec else "?"
