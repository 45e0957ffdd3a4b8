# SPDX-License-Identifier: Apache-2.0
"""What the entries for types written in Python stand on: what a class of the
dump defines, and whether that is the standard library's own or generated code."""

from typing import Any, Dict, List, Optional, Tuple

from ..marks import NotDumpedError, Placeholder, printable
from ..records import Record
from ..refs import Ref, find_ref, ref_of
from ..render import Shown

Part = Tuple[Any, Any]


class Written:
    """The base of mixins for types written in Python: `_shown` only where a
    mixin has one, so that others print as object does."""

    __slots__ = ()
    base: Optional[type] = None
    #: Names with an underscore that are public all the same.
    _public: Tuple[str, ...] = ()


def own(obj: Any, name: str, default: Any = None) -> Any:
    """An attribute of the instance itself (its dict or slots)."""
    ref = ref_of(obj)
    at = ref.attributes().get(name)
    return default if at is None else ref.graph.get(at)


def known(obj: Any, name: str, *types: type) -> Any:
    """The same, when it is there and of one of these types."""
    value = own(obj, name, _MISSING)
    if value is _MISSING:
        raise NotDumpedError("attribute %s is not in the dump" % name)
    if not isinstance(value, types):
        raise NotDumpedError("attribute %s is a %s" % (name, type(value).__name__))
    return value


_MISSING = Placeholder("not set")


def static(obj: Any, name: str) -> Any:
    """A function of a mixin of an object, by name; None when it has none."""
    for cls in type.__getattribute__(type(obj), "__mro__"):
        found = type.__getattribute__(cls, "__dict__").get(name)
        if found is not None:
            return found
    return None


def name_of(obj: Any) -> str:
    """The bare name of an object's class."""
    ref = ref_of(obj)
    return ref.graph.classes.info(ref.rec.type)[1].rpartition(".")[2]


def qualname_of(obj: Any) -> str:
    """The qualified name of an object's class."""
    ref = ref_of(obj)
    return ref.graph.classes.info(ref.rec.type)[1]


def full_name_of(obj: Any) -> str:
    """module.Class, as default reprs have it."""
    ref = ref_of(obj)
    module, name, _ = ref.graph.classes.info(ref.rec.type)
    return "%s.%s" % (module, name)


def address(obj: Any) -> int:
    """Where an object was."""
    return ref_of(obj).rec.addr


def default_repr(obj: Any) -> str:
    """What object.__repr__ gave."""
    return "<%s object at %#x>" % (full_name_of(obj), address(obj))


def python_of(obj: Any) -> Tuple[int, int]:
    """The version of the program's Python."""
    return ref_of(obj).graph.python


# -- what classes define


def defined(graph: Any, cls: int, name: str) -> Tuple[int, int]:
    """(the class that defines name in its namespace, what it is), (0, 0) if
    none but a builtin does."""
    for owner in graph.classes.mro(cls):
        rec = graph.record(owner)
        if rec is not None and rec.kind.name == "type":
            at = graph.namespace(rec.field("dict")).get(name, 0)
            if at:
                return owner, at
    return 0, 0


def function_home(graph: Any, at: int) -> Tuple[str, str]:
    """(module, file) of the code behind a function."""
    rec: Optional[Record] = graph.record(at)
    if rec is None or rec.kind.name != "function":
        return "", ""
    space = graph.namespace(rec.field("globals"))
    code = graph.record(rec.field("code"))
    file = graph.string(code.field("filename")) if code is not None else None
    return graph.string(space.get("__name__", 0)) or "", file or ""


def unwrapped(graph: Any, at: int) -> int:
    """What functools.wraps wrapped last, or at itself."""
    for _ in range(8):
        rec = graph.record(at)
        if rec is None or rec.kind.name != "function":
            break
        inner = graph.namespace(rec.field("dict")).get("__wrapped__", 0)
        if not inner:
            break
        at = inner
    return at


def parts_of(pairs: List[Part]) -> Any:
    """name=value parts of a Shown."""
    return (("%s=" % printable(str(k)), v) for k, v in pairs)


def call_shown(name: str, pairs: List[Part]) -> Shown:
    """Name(a=1, b=2)"""
    return Shown(printable(name) + "(", parts_of(pairs), ")", len(pairs))


def value_shown(name: str, values: List[Any]) -> Shown:
    """Name(1, 2)"""
    return Shown(printable(name) + "(", (("", v) for v in values), ")", len(values))


class Verbatim:
    """Text that stands for a value in a repr."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def text_of(value: Any, limit: int = 2000) -> str:
    """A bounded repr."""
    from ..render import text

    return text(value, limit, 100)


def plain_dict(value: Any) -> Dict[Any, Any]:
    """A dict, or a stand-in for a big one; else an error."""
    if not isinstance(value, dict):
        raise NotDumpedError("its dict is not in the dump, but a %s" % type(value).__name__)
    return value


def is_surrogate_of(obj: Any, mixin: type) -> bool:
    """Whether an object of the dump has a mixin."""
    return find_ref(obj) is not None and mixin in type.__getattribute__(type(obj), "__mro__")


def attributes(ref: Ref, *names: str) -> List[Any]:
    """The own attributes of an object of a ref; Absent when one is not there."""
    from . import Absent

    out = []
    have = ref.attributes()
    for name in names:
        if name not in have:
            raise Absent(name)
        out.append(ref.graph.get(have[name]))
    return out


def exactly(value: Any, cls: type) -> Any:
    """The value, of exactly that class."""
    if type(value) is not cls:
        raise ValueError("not a %s: %s" % (cls.__name__, text_of(value, 100)))
    return value


def whole(cls: type, wanted: type) -> None:
    """Leaves objects of the program's own classes to the generic surrogate."""
    from . import Absent

    if cls is not wanted:
        raise Absent("a class of the program")
