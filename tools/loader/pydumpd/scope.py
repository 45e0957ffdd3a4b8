# SPDX-License-Identifier: Apache-2.0
"""The names that expressions at the prompt see.

Global names are those of the program's module and no others. The builtins are
this Python's, but for the few that tell of the frame or of an object itself:
`globals()` gives the dict of the dump, `id(x)` where x was, and `type(x)` the
class that x had.
"""

import builtins
import sys
from typing import Any, List

from .callables import BoundMethod
from .marks import Marked, NotDumpedError, Placeholder
from .namespace import BUILTINS, Namespace
from .native import Native
from .refs import find_ref
from .render import served
from .standins import StandIn


def class_of(obj: Any) -> Any:
    """What type(obj) gave in the program."""
    cls = builtins.type(obj)
    if obj is _Type:
        return builtins.type
    if issubclass(cls, Marked):
        return cls.__mro__[2]
    if issubclass(cls, (StandIn, Native, BoundMethod)):
        return obj.__class__
    ref = find_ref(obj)
    if ref is None:
        return cls
    if ref.cls is not None:
        return ref.cls
    return obj.__class__ if isinstance(obj, builtins.type) else cls


class _TypeMeta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is _Type and len(args) == 1 and not kwargs:
            found = class_of(args[0])
            return _Type if found is builtins.type else found
        made = builtins.type if cls is _Type else super().__call__
        return made(*args, **kwargs)

    def __instancecheck__(cls, obj: Any) -> bool:
        return isinstance(obj, builtins.type) if cls is _Type else super().__instancecheck__(obj)

    def __subclasscheck__(cls, sub: type) -> bool:
        return issubclass(sub, builtins.type) if cls is _Type else super().__subclasscheck__(sub)

    def __eq__(cls, other: Any) -> bool:
        return other is cls or (cls is _Type and other is builtins.type)

    def __hash__(cls) -> int:
        return hash(builtins.type) if cls is _Type else builtins.type.__hash__(cls)

    def __repr__(cls) -> str:
        return "<class 'type'>" if cls is _Type else super().__repr__()


class _Type(type, metaclass=_TypeMeta):
    """type(object) -> the class that the object had in the program."""


_Type.__name__ = _Type.__qualname__ = "type"
_Type.__module__ = "builtins"


def _id(obj: Any) -> int:
    """Where the object was in the program; of others, where it is here."""
    ref = find_ref(obj)
    if ref is not None:
        return ref.rec.addr
    found = _addresses(obj)
    return found if found else builtins.id(obj)


def _addresses(obj: Any) -> int:
    for graph in served:
        found = graph.address(obj)
        if found:
            return found
    return 0


def _globals() -> Any:
    """The dict of the module, as the dump has it."""
    space = sys._getframe(1).f_globals
    return space.origin if isinstance(space, Namespace) else space


def _locals() -> Any:
    """The variables of the frame."""
    return dict(sys._getframe(1).f_locals)


def _vars(*args: Any) -> Any:
    """The __dict__ of an object, or the variables of the frame."""
    return builtins.vars(*args) if args else dict(sys._getframe(1).f_locals)


def _dir(*args: Any) -> List[str]:
    """The names of an object's attributes, or the variables of the frame."""
    return builtins.dir(*args) if args else sorted(sys._getframe(1).f_locals)


def _callable(obj: Any) -> bool:
    """Whether the object's class in the program has a __call__."""
    if builtins.type(obj) is Placeholder:
        raise NotDumpedError("not known: %r" % (obj,))
    ref = find_ref(obj)
    if ref is None or isinstance(obj, (builtins.type, Marked)):
        return builtins.callable(obj)
    graph, rec = ref.graph, ref.rec
    if graph.record(rec.type) is None:
        raise NotDumpedError("the type of the object is not in the dump")
    if rec.kind.name == "staticmethod" and graph.python < (3, 10):
        return False
    found, real = graph.classes.find(rec.type, "__call__")
    return bool(found) or real is not None


_OWN = {
    "callable": _callable,
    "type": _Type,
    "id": _id,
    "globals": _globals,
    "locals": _locals,
    "vars": _vars,
    "dir": _dir,
}
for _name, _made in _OWN.items():
    _made.__name__ = _made.__qualname__ = _name
BUILTINS.update({**vars(builtins), **_OWN})
BUILTINS.pop("_", None)


def serve(graph: Any) -> None:
    """Makes id() answer for the objects of a graph."""
    if graph not in served:
        served.append(graph)


def teach_json() -> None:
    """Makes json take the stand-ins for big containers, which its C code does
    not know. For a process that is nothing but the prompt."""
    import json

    plain = json.JSONEncoder.default

    def default(self: Any, obj: Any) -> Any:
        if isinstance(obj, StandIn):
            return dict(obj.items()) if isinstance(obj, dict) else _listed(obj)
        return plain(self, obj)

    json.JSONEncoder.default = default  # type: ignore


def _listed(obj: Any) -> List[Any]:
    if isinstance(obj, (list, tuple)):
        return list(obj)
    raise TypeError("Object of type set is not JSON serializable")
