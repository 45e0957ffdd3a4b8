# SPDX-License-Identifier: Apache-2.0
"""Members of enumerations, of every sort."""

from typing import Any, Dict, Tuple

from ..marks import Placeholder, printable
from ..meta import refuse
from ..refs import ref_of
from . import surrogate
from .written import Written, defined, function_home, name_of, own, python_of, text_of

_MISSING = Placeholder("not in the dump")


def _repr_function(obj: Any) -> Tuple[str, str]:
    """(module, name) of the function that gave the repr."""
    ref = ref_of(obj)
    _, at = defined(ref.graph, ref.rec.type, "__repr__")
    rec = ref.graph.record(at)
    if rec is None or rec.kind.name != "function":
        return "", ""
    return function_home(ref.graph, at)[0], ref.graph.string(rec.field("name")) or ""


def _storage_value(obj: Any) -> Any:
    from ..surrogates import storage_base

    base = storage_base(type(obj))
    return _MISSING if base is None or base is tuple else base(obj)


def value_of(obj: Any) -> Any:
    """The value of a member."""
    value = own(obj, "_value_", _MISSING)
    return _storage_value(obj) if value is _MISSING else value


@surrogate("enum.Enum")
class Member(Written):
    __slots__ = ()
    #: Of members that are str or int as well: before the methods of these.
    _first = ("__str__", "__format__")

    @property
    def name(self) -> Any:
        return own(self, "_name_")

    @property
    def value(self) -> Any:
        return value_of(self)

    def _shown(self) -> str:
        where, function = _repr_function(self)
        cls, name = printable(name_of(self)), own(self, "_name_")
        if where == "enum" and function == "global_enum_repr":
            module = ref_of(self).graph.classes.info(ref_of(self).rec.type)[0]
            return "%s.%s" % (printable(module.rpartition(".")[2]), printable(str(name)))
        return "<%s.%s: %s>" % (cls, printable(str(name)), text_of(value_of(self)))

    def __str__(self) -> str:
        from ..surrogates import storage_base

        where, function = _method(self, "__str__")
        if where == "enum" and function == "global_str":
            return _global_str(self)
        if where == "enum":
            return "%s.%s" % (printable(name_of(self)), own(self, "_name_"))
        base = storage_base(type(self))
        if where == "" and function != "object" and base in (int, str, float):
            return base.__repr__(self) if base is not str else str.__str__(self)  # type: ignore
        if where in ("", "enum"):
            return text_of(self)
        raise refuse("%s.__str__()" % name_of(self))

    def __format__(self, spec: str) -> str:
        from ..surrogates import storage_base

        where, _ = _method(self, "__format__")
        base = storage_base(type(self))
        if where == "enum" and python_of(self) < (3, 11) and base in (int, str, float):
            if _method(self, "__str__")[0] == "enum":
                return base(value_of(self)).__format__(spec)  # type: ignore
        if where == "" and base is not None:
            return base.__format__(self, spec)
        if where in ("", "enum"):
            return str(self).__format__(spec)
        raise refuse("%s.__format__()" % name_of(self))


def _method(obj: Any, name: str) -> Tuple[str, str]:
    """The module of a function that a class of the dump has, and its name; of
    what C code has, no module, and the type whose it is."""
    ref = ref_of(obj)
    _, at = defined(ref.graph, ref.rec.type, name)
    rec = ref.graph.record(at)
    if rec is None or rec.kind.name != "function":
        return "", ref.graph.classes.name(rec.field("owner")) if rec is not None else ""
    return function_home(ref.graph, at)[0], ref.graph.string(rec.field("name")) or ""


def _global_str(obj: Any) -> str:
    """What enum.global_str gives: the name alone."""
    name = own(obj, "_name_")
    if name is None:
        return "%s(%s)" % (printable(name_of(obj)), text_of(value_of(obj)))
    return printable(str(name))


@surrogate("enum.Flag")
class FlagMember(Member):
    __slots__ = ()

    @property
    def name(self) -> Any:
        return own(self, "_name_")

    def _shown(self) -> str:
        value, name, cls = value_of(self), own(self, "_name_"), printable(name_of(self))
        if type(value) is not int:
            return Member._shown(self)
        where, function = _repr_function(self)
        if where == "enum" and function == "global_flag_repr":
            return _global_flag(self, value, name)
        if name is not None:
            return "<%s.%s: %r>" % (cls, printable(str(name)), value)
        if python_of(self) >= (3, 11):
            return "<%s: %r>" % (cls, value)
        return "<%s.%s: %r>" % (cls, "|".join(_decomposed(self, value)), value)

    def __str__(self) -> str:
        where, function = _method(self, "__str__")
        if where != "enum" or function == "global_str":
            return Member.__str__(self)
        value, name, cls = value_of(self), own(self, "_name_"), printable(name_of(self))
        if name is not None:
            return "%s.%s" % (cls, name)
        if python_of(self) >= (3, 11) or type(value) is not int:
            return "%s(%r)" % (cls, value)
        return "%s.%s" % (cls, "|".join(_decomposed(self, value)))

    def __bool__(self) -> bool:
        return bool(value_of(self))

    def __contains__(self, other: Any) -> bool:
        if type(other) is not type(self):
            raise TypeError("not a member of %s" % name_of(self))
        return value_of(other) & value_of(self) == value_of(other)


def members(graph: Any, addr: int) -> Dict[str, int]:
    """name -> reference of the members of an enumeration, aliases too; empty
    for other classes."""
    at = graph.classes.find(addr, "_member_map_")[0]
    return graph.namespace(at) if at else {}


def unique(graph: Any, addr: int) -> Tuple[str, ...]:
    """The names of the members, without aliases and composed flags."""
    at = graph.classes.find(addr, "_member_names_")[0]
    rec = graph.record(at)
    if rec is None or rec.kind.name != "list":
        return ()
    return tuple(filter(None, map(graph.string, rec.rest())))


def is_enum(graph: Any, addr: int) -> bool:
    """Whether the class at addr is an enumeration."""
    rec = graph.record(addr)
    if rec is None:
        return False
    return any(
        graph.classes.name(m) in ("enum.EnumMeta", "enum.EnumType")
        for m in graph.classes.mro(rec.type)
    )


def _decomposed(obj: Any, value: int) -> Tuple[str, ...]:
    """The names of the flags in a value, as 3.7 to 3.10 print them."""
    ref = ref_of(obj)
    graph = ref.graph
    flags = []
    for name, at in list(members(graph, ref.rec.type).items())[:1000]:
        rec = graph.record(at)
        v = graph.get(graph.attributes(rec).get("_value_", 0)) if rec is not None else None
        if type(v) is int:
            flags.append((v, name))
    if value < 0:  # all that are in it
        within = [printable(name) for v, name in sorted(set(flags), reverse=True) if v & value == v]
        return tuple(name for name in within if name) or (str(value),)
    found, rest = [], value
    for v, name in sorted(set(flags), reverse=True):
        if v and v & rest == v:
            found.append(printable(name))
            rest &= ~v
    if rest or not found:
        found.append(str(rest if found else value))
    return tuple(found)


def _global_flag(obj: Any, value: int, name: Any) -> str:
    graph = ref_of(obj).graph
    module = printable(graph.classes.info(ref_of(obj).rec.type)[0].rpartition(".")[2])
    cls = printable(name_of(obj))
    if name is None:
        return "%s.%s(%r)" % (module, cls, value)
    return "|".join("%s.%s" % (module, printable(n)) for n in str(name).split("|"))
