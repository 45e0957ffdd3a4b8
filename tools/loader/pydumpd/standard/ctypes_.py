# SPDX-License-Identifier: Apache-2.0
"""ctypes: C values by the layout that their classes tell.

Only the bytes that the dump has are looked at. What a pointer leads to is shown
when the object keeps it alive, so that it is an object of the dump too.
"""

import struct
from typing import TYPE_CHECKING, Any, Iterator, List, NamedTuple, Optional, Tuple

from ..marks import NotDumpedError, Placeholder, printable
from ..refs import Ref, ref_of
from . import Shown, Standard, class_name, fields, full_name, null, own, surrogate

if TYPE_CHECKING:
    from ..objects import Graph

_FORMATS = {
    "b": "b", "B": "B", "h": "h", "H": "H", "i": "i", "I": "I", "l": "q", "L": "Q",
    "q": "q", "Q": "Q", "f": "f", "d": "d", "?": "?", "c": "c", "P": "Q",
}  # fmt: skip
_MEMBERS_MAX = 10000
# From the bytes object to what is in it: its head without the final NUL.
_BYTES_HEAD = 32


class Place(NamedTuple):
    """A C value: its type's address, its bytes, where they were."""

    graph: "Graph"
    type: int
    data: bytes
    address: int


def _mro_names(graph: "Graph", addr: int) -> List[str]:
    return [graph.classes.name(base) for base in graph.classes.mro(addr)]


def _attribute(graph: "Graph", addr: int, name: str) -> int:
    return graph.classes.find(addr, name)[0]


def _code(graph: "Graph", addr: int) -> str:
    """The letter of a simple type, "" for others."""
    if "_ctypes._SimpleCData" not in _mro_names(graph, addr):
        return ""
    return graph.string(_attribute(graph, addr, "_type_")) or ""


def _order(graph: "Graph", addr: int) -> str:
    """Types of the other byte order are their own __ctype_be__; those of one
    byte are both."""
    for owner in graph.classes.mro(addr):
        rec = graph.record(owner)
        names = graph.namespace(rec.field("dict")) if rec is not None else {}
        if "_type_" in names:
            big = names.get("__ctype_be__") == owner != names.get("__ctype_le__")
            return ">" if big else "<"
    return "<"


def _missing(what: str) -> Placeholder:
    return Placeholder("not dumped: %s" % what)


def simple(place: Place) -> Any:
    """The value of a simple type."""
    graph, data = place.graph, place.data
    code = _code(graph, place.type)
    if code == "u":
        (number,) = struct.unpack(_order(graph, place.type) + "I", data[:4])
        return chr(number) if number < 0x110000 else _missing("no character: %#x" % number)
    if code in _FORMATS:
        form = _order(graph, place.type) + _FORMATS[code]
        (value,) = struct.unpack(form, data[: struct.calcsize(form)])
        return None if code == "P" and value == 0 else value
    if code in ("z", "Z", "O"):
        (pointer,) = struct.unpack("<Q", data[:8])
        if code == "O" and pointer:
            return graph.get(pointer)
        if pointer == 0:
            return None if code != "O" else _missing("the object is NULL")
        return _missing("what is at %#x" % pointer)
    return _missing("values of the type %r" % printable(code))


def value_at(place: Place) -> Any:
    """What ctypes gives for a field or an item: simple types as Python values."""
    graph = place.graph
    names = _mro_names(graph, place.type)
    if "_ctypes._SimpleCData" in names:
        # A class that derives from c_int and its like stays an object.
        bases = graph.classes.mro(place.type)
        if len(bases) > 1 and graph.classes.name(bases[1]) == "_ctypes._SimpleCData":
            return simple(place)
    if "_ctypes.Array" in names:
        code = _code(graph, _item_type(graph, place.type))
        if code == "c":
            return place.data.partition(b"\0")[0]
        if code == "u":
            return place.data.decode("utf-32-le", "replace").partition("\0")[0]
    return Value(place)


def _item_type(graph: "Graph", addr: int) -> int:
    return _attribute(graph, addr, "_type_")


def member(place: Place, found: int) -> Any:
    """The value of a field, by its descriptor."""
    graph = place.graph
    rec = graph.record(found)
    if rec is None:
        return _missing("the field")
    f = Ref(graph, rec).fields
    offset, size, kind = f.number("offset", 0), f.number("size", 0), f.ref("type")
    bits, low = size >> 16, size & 0xFFFF
    if graph.python >= (3, 14):
        if "bitfield_size" not in f:
            return _missing("how many bits the field has")
        bits, low = f.number("bitfield_size", 0), f.number("bit_offset", 0)
    code = _code(graph, kind)
    if bits:
        size = struct.calcsize(_FORMATS.get(code, "B"))
    data = place.data[offset : offset + size]
    if len(data) != size or not kind:
        return _missing("the field's bytes")
    if bits:
        return _bits(graph, kind, code, data, low, bits)
    return value_at(Place(graph, kind, data, place.address + offset))


def _bits(graph: "Graph", kind: int, code: str, data: bytes, low: int, bits: int) -> Any:
    if code not in _FORMATS or _order(graph, kind) != "<":
        return _missing("bit fields of another byte order")
    value = int.from_bytes(data, "little") >> low & (1 << bits) - 1
    if code in "bhilq" and value >> bits - 1:
        value -= 1 << bits
    return bool(value) if code == "?" else value


def is_field(graph: "Graph", found: int) -> bool:
    """Whether a class attribute describes a field."""
    rec = graph.record(found)
    name = graph.classes.name(rec.type) if rec is not None else ""
    return name in ("_ctypes.CField", "ctypes.CField")


def members(place: Place) -> Iterator[Tuple[str, Any]]:
    """The fields of a structure or union in their order."""
    graph, count = place.graph, 0
    for owner in reversed(graph.classes.mro(place.type)):
        rec = graph.record(owner)
        names = graph.namespace(rec.field("dict")) if rec is not None else {}
        for name, found in names.items():
            if is_field(graph, found) and count < _MEMBERS_MAX:
                count += 1
                yield name, member(place, found)


def _or_none(obj: Any, name: str) -> Any:
    f = fields(obj)
    if name not in f:
        raise NotDumpedError("%s is not in the dump" % name)
    return None if f.null(name) else f[name]


class CData(Standard):
    """An object of ctypes."""

    __slots__ = ()

    def _place(self) -> Place:
        ref = ref_of(self)
        data = ref.fields["data"]
        if type(data) is not bytes:
            raise NotDumpedError("its memory: %r" % (data,))
        return Place(ref.graph, ref.rec.type, data, ref.fields["address"] or 0)

    def _get(self, found: int) -> Any:
        return member(CData._place(self), found)

    _public = ("_b_base_", "_objects")

    @property
    def _b_base_(self) -> Any:
        return _or_none(self, "base")

    @property
    def _objects(self) -> Any:
        return _or_none(self, "objects")


@surrogate("_ctypes._SimpleCData")
class Simple(CData):
    __slots__ = ()

    @property
    def value(self) -> Any:
        """As ctypes gives it."""
        f = fields(self)
        place = CData._place(self)
        code = _code(place.graph, place.type)
        if code == "z" and not f.null("objects"):
            kept = f["objects"]
            (pointer,) = struct.unpack("<Q", place.data[:8])
            if isinstance(kept, bytes) and f.ref("objects") + _BYTES_HEAD == pointer:
                return kept
        # What the dumper found there.
        if code in ("z", "Z") and "pointee" in f:
            return f["pointee"]
        return simple(place)

    def _shown(self) -> Any:
        ref = ref_of(self)
        bases = ref.graph.classes.mro(ref.rec.type)
        if len(bases) > 1 and ref.graph.classes.name(bases[1]) == "_ctypes._SimpleCData":
            place = CData._place(self)
            name = class_name(self) + ("_be" if _order(place.graph, place.type) == ">" else "")
            return Shown("%s(" % name, iter([("", self.value)]), ")", 1)
        return Shown("%s(value=" % full_name(self), iter([("", self.value)]), ")", 1)


@surrogate("ctypes.c_char_p", "ctypes.c_wchar_p")
class Text(Simple):
    """They print the address."""

    __slots__ = ()

    def _shown(self) -> Any:
        (pointer,) = struct.unpack("<Q", CData._place(self).data[:8])
        return "%s(%s)" % (class_name(self), pointer or None)


@surrogate("ctypes.py_object")
class PyObject(Simple):
    __slots__ = ()

    def _shown(self) -> Any:
        place = CData._place(self)
        if not any(place.data[:8]):
            return "%s(<NULL>)" % class_name(self)
        return Shown("%s(" % class_name(self), iter([("", simple(place))]), ")", 1)


@surrogate("_ctypes.Structure", "_ctypes.Union")
class Structure(CData):
    __slots__ = ()

    def _shown(self) -> Any:
        pairs = [(name + "=", value) for name, value in members(CData._place(self))]
        own = ref_of(self).attributes()
        pairs += [(name + "=", ref_of(self).graph.get(at)) for name, at in own.items()]
        return Shown("%s(" % full_name(self), iter(pairs), ")", len(pairs))


def _items(place: Place) -> List[Any]:
    graph = place.graph
    count = graph.get(_attribute(graph, place.type, "_length_"))
    kind = _item_type(graph, place.type)
    if type(count) is not int or not 0 <= count <= len(place.data):
        if count == 0:
            return []
        raise NotDumpedError("the length of the array: %r" % (count,))
    if not count:
        return []
    size = len(place.data) // count
    step = range(0, size * count, size)
    return [value_at(Place(graph, kind, place.data[i : i + size], place.address + i)) for i in step]


@surrogate("_ctypes.Array")
class Array(CData):
    __slots__ = ()

    def __len__(self) -> int:
        return len(_items(CData._place(self)))

    def __iter__(self) -> Iterator[Any]:
        return iter(_items(CData._place(self)))

    def __getitem__(self, key: Any) -> Any:
        found = _items(CData._place(self))[key]
        code = Array._code(self)
        if isinstance(key, slice) and code in ("c", "u"):
            return (b"" if code == "c" else "").join(found)
        return found

    def __contains__(self, value: Any) -> bool:
        return value in _items(CData._place(self))

    def _code(self) -> str:
        place = CData._place(self)
        return _code(place.graph, _item_type(place.graph, place.type))

    @property
    def value(self) -> Any:
        """Of an array of characters: up to the first NUL."""
        if Array._code(self) not in ("c", "u"):
            raise AttributeError("value")
        return value_at(CData._place(self))

    @property
    def raw(self) -> Any:
        """Of an array of bytes: all."""
        if Array._code(self) != "c":
            raise AttributeError("raw")
        return CData._place(self).data

    def _shown(self) -> Any:
        place = CData._place(self)
        if Array._code(self) == "c":
            return Shown("%s(raw=" % full_name(self), iter([("", place.data)]), ")", 1)
        items = _items(place)
        return Shown("%s([" % full_name(self), (("", v) for v in items), "])", len(items))


@surrogate("_ctypes._Pointer")
class Pointer(CData):
    __slots__ = ()

    def __bool__(self) -> bool:
        return bool(fields(self)["target"])

    @property
    def contents(self) -> Any:
        """What it points to, when that is an object that it keeps alive."""
        f = fields(self)
        target = f["target"] or 0
        if not target:
            raise ValueError("NULL pointer access")
        kept = f.get("objects")
        for value in kept.values() if isinstance(kept, dict) else ():
            if isinstance(value, CData) and fields(value)["address"] == target:
                return value
        return _missing("what is at %#x" % target)

    def __getitem__(self, index: Any) -> Any:
        if index != 0:
            raise NotDumpedError("only what it points to itself is in the dump")
        found = self.contents
        return value_at(CData._place(found)) if isinstance(found, CData) else found

    def _shown(self) -> Any:
        f = fields(self)
        if not f["target"]:
            return "%s(contents=NULL)" % full_name(self)
        parts = [("contents=", self.contents)]
        return Shown("%s(" % full_name(self), iter(parts), ")", 1)


@surrogate("ctypes.CDLL")
class Library(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        mask = (1 << 64) - 1
        name, handle, at = own(self, "_name"), own(self, "_handle"), ref_of(self).rec.addr
        if not isinstance(handle, int):
            raise ValueError("handle")
        return "<%s '%s', handle %x at %#x>" % (class_name(self), name, handle & mask, at & mask)


@surrogate("_ctypes.CFuncPtr", "_ctypes.PyCFuncPtr")
class Function(CData):
    """What is not set in the object is that of its class."""

    __slots__ = ()

    def _own_or_class(self, name: str) -> Any:
        ref = ref_of(self)
        if not null(ref.fields, name):
            return ref.fields[name]
        found = _attribute(ref.graph, ref.rec.type, "_%s_" % name)
        return ref.graph.get(found) if found else None

    @property
    def argtypes(self) -> Any:
        """The types of its arguments."""
        return Function._own_or_class(self, "argtypes")

    @property
    def restype(self) -> Any:
        """The type of its result."""
        return Function._own_or_class(self, "restype")

    def __bool__(self) -> bool:
        return bool(fields(self)["function"])


class Value:
    """A part of a structure or array that is no object of its own."""

    __slots__ = ("_where",)

    def __init__(self, place: Place) -> None:
        self._where = place

    @property
    def __class__(self) -> Any:  # type: ignore
        return self._where.graph.get(self._where.type)

    def __getattr__(self, name: str) -> Any:
        place = self._where
        found = _attribute(place.graph, place.type, name)
        if found and is_field(place.graph, found):
            return member(place, found)
        if name == "value" and _code(place.graph, place.type):
            return simple(place)
        raise AttributeError(name)

    def _array(self) -> List[Any]:
        if "_ctypes.Array" not in _mro_names(self._where.graph, self._where.type):
            raise TypeError("no array")
        return _items(self._where)

    def __len__(self) -> int:
        return len(self._array())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._array())

    def __getitem__(self, key: Any) -> Any:
        return self._array()[key]

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        from ..render import text

        place = self._where
        name = place.graph.classes.name(place.type)
        if "_ctypes.Array" in _mro_names(place.graph, place.type):
            return "%s(%s)" % (name, text(_items(place), 2000))
        if _code(place.graph, place.type):
            return "%s(value=%s)" % (name, text(simple(place), 2000))
        shown = ["%s=%s" % (n, text(v, 2000)) for n, v in members(place)]
        if not shown and len(place.data) == 8:
            shown = ["target=%#x" % int.from_bytes(place.data, "little")]
        return "%s(%s)" % (name, ", ".join(shown))


def descriptor(obj: Any, found: Optional[int]) -> Any:
    """What a field gives for an object; None when it is no field."""
    ref = ref_of(obj)
    if found and isinstance(obj, CData) and is_field(ref.graph, found):
        return CData._get(obj, found)
    return None
