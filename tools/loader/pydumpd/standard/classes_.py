# SPDX-License-Identifier: Apache-2.0
"""Classes known by what is in them, not by name: named tuples, struct
sequences, dataclasses, attrs classes."""

from collections import OrderedDict
from typing import Any, Dict, List, Optional, Tuple

from ..marks import Placeholder
from ..refs import ref_of
from ..render import Shown
from . import Entry
from .written import (
    Verbatim,
    Written,
    call_shown,
    defined,
    function_home,
    name_of,
    python_of,
    qualname_of,
    unwrapped,
)

_FIELDS_MAX = 10000


def detect(graph: Any, addr: int) -> Optional[Entry]:
    """The entry of a class of one of these sorts, or None."""
    rec = graph.record(addr)
    if rec is None or rec.kind.name != "type":
        return None
    names = graph.namespace(rec.field("dict"))
    mixin: Optional[type] = None
    if "__dataclass_fields__" in names:
        mixin = Dataclass
        if "__repr__" in names and _file(graph, names["__repr__"]) == "<string>":
            mixin = ShownDataclass
    elif "__attrs_attrs__" in names:
        mixin = Attrs
        if "__repr__" in names and _file(graph, names["__repr__"]).startswith("<attrs generated"):
            mixin = ShownAttrs
    elif "n_sequence_fields" in names:
        mixin = StructSequence
    elif "_fields" in names and "_field_defaults" in names:
        mixin = NamedTuple
        if function_home(graph, names.get("__repr__", 0))[0] == "collections":
            mixin = ShownNamedTuple
    return Entry(mixin=mixin) if mixin is not None else None


def _file(graph: Any, at: int) -> str:
    return function_home(graph, unwrapped(graph, at))[1]


# -- named tuples


def _fields(obj: Any) -> List[str]:
    ref = ref_of(obj)
    at = ref.graph.classes.find(ref.rec.type, "_fields")[0]
    return ref.graph.strings(at)[:_FIELDS_MAX] if at else []


class NamedTuple(Written):
    """A class that collections.namedtuple made."""

    __slots__ = ()
    _public = ("_asdict",)

    def _asdict(self) -> Dict[str, Any]:
        """name -> item"""
        made = dict if python_of(self) >= (3, 8) else OrderedDict
        return made(zip(_fields(self), tuple.__iter__(self)))  # type: ignore


class ShownNamedTuple(NamedTuple):
    __slots__ = ()

    def _shown(self) -> Any:
        names: List[str] = _fields(self)
        items = list(tuple.__iter__(self))  # type: ignore
        if len(names) != len(items):
            return None
        return call_shown(name_of(self), list(zip(names, items)))


# -- struct sequences


class StructSequence(Written):
    """os.stat_result, time.struct_time, sys.version_info and their like: the
    names of their items are the members of the type, in order."""

    __slots__ = ()

    def _shown(self) -> Any:
        names = member_names(ref_of(self))
        items = list(tuple.__iter__(self))  # type: ignore
        if len(names) < len(items):
            return None
        module, name, _ = ref_of(self).graph.classes.info(ref_of(self).rec.type)
        if module not in ("", "builtins"):
            name = "%s.%s" % (module, name)
        return call_shown(name, list(zip(names, items)))


def member_names(ref: Any) -> List[str]:
    """The names of a struct sequence's fields, without those that have none."""
    graph = ref.graph
    for owner in graph.classes.mro(ref.rec.type):
        rec = graph.record(owner)
        names = graph.namespace(rec.field("dict")) if rec is not None else {}
        if "n_sequence_fields" not in names:
            continue
        out = []
        for name, at in names.items():
            inner = graph.record(at)
            if inner is not None and inner.kind.name == "descriptor":
                if inner.data.startswith(b"member\0"):
                    out.append(name)
        return out
    return []


def member_value(obj: Any, ref: Any, name: str) -> Tuple[bool, Any]:
    """(whether a struct sequence has a field of that name among its items, it)."""
    names = member_names(ref)
    if name not in names:
        return False, None
    cls = ref.graph.classes
    n = len(obj)
    unnamed = cls.find(ref.rec.type, "n_unnamed_fields")[0]
    gap = ref.graph.get(unnamed) if unnamed else 0
    gap = gap if type(gap) is int and 0 <= gap <= n else 0
    # Fields without a name are the last of the visible ones (os.stat_result).
    i = names.index(name)
    return (True, obj[i]) if i < n - gap else (False, None)


# -- dataclasses


def _instance_fields(obj: Any) -> List[Tuple[str, Any]]:
    """(name, Field) of a dataclass, in order."""
    ref = ref_of(obj)
    graph = ref.graph
    at = graph.classes.find(ref.rec.type, "__dataclass_fields__")[0]
    out = []
    for name, field in list(graph.namespace(at).items())[:_FIELDS_MAX]:
        rec = graph.record(field)
        if rec is None:
            continue
        own = graph.attributes(rec)
        kind = graph.record(own.get("_field_type", 0))
        word = graph.string(graph.attributes(kind).get("name", 0)) if kind is not None else None
        if word in (None, "_FIELD"):
            out.append((name, own))
    return out


def _value(obj: Any, name: str) -> Any:
    try:
        return getattr(obj, name)
    except AttributeError:
        return Placeholder("%s is not set" % name)


class Dataclass(Written):
    __slots__ = ()

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        from ..meta import refuse

        ref = ref_of(self)
        _, at = defined(ref.graph, ref.rec.type, "__eq__")
        if at and function_home(ref.graph, at)[1] != "<string>":
            raise refuse("%s.__eq__()" % qualname_of(self))
        if type(other) is not type(self) or not at:
            return NotImplemented
        graph = ref.graph
        for name, field in _instance_fields(self):
            if graph.get(field.get("compare", 0)) is not False:
                a, b = _value(self, name), _value(other, name)
                if a is not b and a != b:
                    return False
        return True

    __hash__ = object.__hash__


class ShownDataclass(Dataclass):
    __slots__ = ()

    def _shown(self) -> Shown:
        graph = ref_of(self).graph
        pairs = [
            (name, _value(self, name))
            for name, field in _instance_fields(self)
            if graph.get(field.get("repr", 0)) is not False
        ]
        return call_shown(qualname_of(self), pairs)


# -- attrs


class Attrs(Written):
    __slots__ = ()


class ShownAttrs(Attrs):
    __slots__ = ()

    def _shown(self) -> Shown:
        ref = ref_of(self)
        graph = ref.graph
        at = graph.classes.find(ref.rec.type, "__attrs_attrs__")[0]
        rec = graph.record(at)
        pairs: List[Tuple[str, Any]] = []
        for each in list(rec.rest())[:_FIELDS_MAX] if rec is not None else []:
            attr = graph.record(each)
            own = graph.attributes(attr) if attr is not None else {}
            name = graph.string(own.get("name", 0))
            if name is None:
                continue
            wanted = graph.get(own.get("repr", 0))
            if wanted is False:
                continue
            value = _value(self, name)
            if wanted is not True:
                value = Verbatim("<repr of %s, not run>" % name)
            pairs.append((name, value))
        return call_shown(qualname_of(self).rpartition(">.")[2], pairs)
