# SPDX-License-Identifier: Apache-2.0
"""Exceptions of the program, as exceptions of surrogate classes."""

import builtins
from typing import TYPE_CHECKING, Any, List, Tuple

from .fields import FIELD, Fields
from .marks import NotDumpedError, Placeholder
from .meta import SurrogateMeta
from .records import Record
from .refs import KEY
from .surrogates import ORIGIN_GUESS, ORIGIN_MEMBER, adopt

if TYPE_CHECKING:
    from .objects import Graph


def exception_children(graph: "Graph", rec: Record) -> List[int]:
    """What an exception needs at once: what C code prints of it."""
    out = [rec.field("args")] if rec.field("args") else []
    out += [v for (o, n), v in zip(rec.shape, rec.values) if o == ORIGIN_MEMBER and v]
    return out


def make_exception(graph: "Graph", rec: Record) -> Any:
    """The surrogate of an exception, without its arguments."""
    cls = graph.classes.get(rec.type)
    claim = None
    if not isinstance(cls, SurrogateMeta) or not issubclass(cls, BaseException):
        if isinstance(cls, type) and issubclass(cls, BaseException):
            claim, cls = cls, graph.classes.wrapped(cls)
        else:
            module, qualname, _ = graph.classes.info(rec.type)
            cls = graph.classes._new(qualname or "unknown exception", module, (Exception,), None)
    obj = _new_exception(cls)
    if obj is None:
        module, qualname, _ = graph.classes.info(rec.type)
        cls = graph.classes._new(qualname, module, (Exception,), None)
        obj = _new_exception(cls)
    return adopt(obj, graph, rec, claim)


def _new_exception(cls: type) -> Any:
    group = getattr(builtins, "BaseExceptionGroup", None)
    args: Tuple[Any, ...] = ()
    if group is not None and issubclass(cls, group):
        args = ("", [Exception()])
    for base in type.__getattribute__(cls, "__mro__"):
        if not isinstance(base, SurrogateMeta):
            try:
                return base.__new__(cls, *args)
            except Exception:
                return None
    return None


def fill_exception(graph: "Graph", obj: Any, rec: Record) -> None:
    """Gives an exception its arguments and C attributes."""
    at = rec.field("args")
    args = graph.get(at) if at else ()
    if isinstance(args, tuple):
        try:
            _SET(obj, "args", tuple(args))
        except NotDumpedError as e:
            _SET(obj, "args", (Placeholder(str(e)),))
    numbers = Fields(graph, rec)
    for (origin, name), value in zip(rec.shape, rec.values):
        if name in _SPECIAL or origin < ORIGIN_MEMBER or origin in (ORIGIN_GUESS, FIELD):
            continue
        if origin == ORIGIN_MEMBER and not value:
            continue
        try:
            _SET(obj, name, graph.get(value) if origin == ORIGIN_MEMBER else numbers[name])
        except (AttributeError, TypeError):
            pass  # read from the dump by name in any case


_SET = BaseException.__setattr__
_SPECIAL = {"args", KEY, "__class__", "__dict__", "__traceback__", "__cause__", "__context__"}
