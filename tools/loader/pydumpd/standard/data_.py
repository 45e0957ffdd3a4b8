# SPDX-License-Identifier: Apache-2.0
"""array, memoryview, mmap, struct, random: bytes with a meaning."""

import _random as _random_module
import array
import random
import struct
from typing import Any, Iterator, List, Optional

from ..marks import NotDumpedError
from ..refs import Ref, find_ref, ref_of
from . import REAL_SHOWN, Absent, Shown, Standard, class_name, fields, otherwise, real, surrogate

_CODES = {code: array.array(code).itemsize for code in "bBhHiIlLqQfdu"}


def _is_array(f: Any) -> bool:
    return f.get("typecode") in _CODES and f.get("itemsize") == _CODES[f["typecode"]]


@real(array.array, "array.array")
def _array(ref: Ref, cls: Any) -> Any:
    """Items are as this machine has them: 'w' and others of other sizes are not."""
    f = ref.fields
    data = f.whole_bytes("data")
    if not _is_array(f) or (f["typecode"] == "u" and _characters(data) is None):
        raise Absent("typecode")
    return array.array.__new__(cls, f["typecode"], data)


def _characters(data: bytes) -> Optional[List[str]]:
    """The characters of an array of them; None when some cannot be."""
    try:
        return list(data.decode("utf-32-le", "surrogatepass"))
    except UnicodeDecodeError:
        return None


@otherwise("array.array")
class Array(Standard):
    """An array of a typecode that this Python has not, or of items that have
    another size here."""

    __slots__ = ()

    def tobytes(self) -> bytes:
        """Its memory."""
        return _whole(fields(self))

    def tolist(self) -> Any:
        """Its items."""
        f = fields(self)
        data, code, size = _whole(f), f["typecode"], f["itemsize"]
        if code in ("u", "w"):
            found = _characters(data) if size == 4 else None
            if found is None:
                raise NotDumpedError("its characters are none")
            return found
        if code in ("f", "d"):
            number = {4: "f", 8: "d"}.get(size)
        else:
            number = {1: "b", 2: "h", 4: "i", 8: "q"}.get(size)
            number = number.upper() if number and code.isupper() else number
        if number is None or len(data) % size:
            raise NotDumpedError("its items cannot be told apart")
        return [v for (v,) in struct.iter_unpack("<" + number, data)]

    def __len__(self) -> int:
        return len(Array.tolist(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(Array.tolist(self))

    def __getitem__(self, key: Any) -> Any:
        return Array.tolist(self)[key]

    def _shown(self) -> Any:
        code, items = fields(self)["typecode"], Array.tolist(self)
        if code in ("u", "w"):
            return "%s(%r, %r)" % (class_name(self), code, "".join(items))
        inner = Shown("[", (("", v) for v in items), "]", len(items))
        return Shown("%s(%r, " % (class_name(self), code), iter([("", inner)]), ")", 1)


# -- memoryview


def _whole(f: Any) -> bytes:
    data = f["data"] if "data" in f else None
    if type(data) is not bytes:
        raise NotDumpedError("its memory is not whole in the dump")
    return data


def _held(view: Any) -> Any:
    """The fields of a memoryview that was not released."""
    f = fields(view)
    if f.get("released"):
        raise ValueError("operation forbidden on released memoryview object")
    return f


@surrogate("memoryview")
class MemoryView(Standard):
    """data has the items in the order of tobytes()."""

    __slots__ = ()

    def _view(self) -> memoryview:
        f = _held(self)
        shape = list(f.get("shape") or ())
        data = _whole(f)
        form = f.get("format") or "B"
        if f.get("ndim") == 0:
            return memoryview(data).cast(form, ())  # type: ignore
        if 0 in shape:
            return memoryview(b"").cast(form) if len(shape) == 1 else memoryview(b"")
        view = memoryview(data)
        return view.cast("B").cast(form, shape)

    def tobytes(self, order: Any = "C") -> bytes:
        """The memory that it shows, in C order."""
        return _whole(fields(self))

    def tolist(self) -> Any:
        """The items."""
        return MemoryView._view(self).tolist()

    def hex(self) -> str:
        """The memory as hexadecimal digits."""
        return _whole(fields(self)).hex()

    @property
    def shape(self) -> Any:
        return tuple(_held(self)["shape"])

    @property
    def strides(self) -> Any:
        return tuple(_held(self)["strides"])

    @property
    def suboffsets(self) -> Any:
        return tuple(_held(self).get("suboffsets") or ())

    def __len__(self) -> int:
        f = _held(self)
        return f["shape"][0] if f.get("ndim") else 1

    def __getitem__(self, key: Any) -> Any:
        return MemoryView._view(self)[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(MemoryView._view(self))

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if isinstance(other, MemoryView):
            other = MemoryView._view(other)
        try:
            return MemoryView._view(self) == other
        except (NotDumpedError, ValueError):
            return NotImplemented

    __hash__ = None  # type: ignore

    def _shown(self) -> Any:
        f = fields(self)
        if f.get("released"):
            return "<released memory at %#x>" % ref_of(self).rec.addr
        names = [n for n in ("format", "shape", "strides", "readonly", "data") if n in f]
        return Shown("memoryview(", ((n + "=", f[n]) for n in names), ")", len(names))


# -- mmap


def _closed(f: Any) -> bool:
    if "address" not in f:
        raise NotDumpedError("whether it is closed is not in the dump")
    return f.null("address")


_ACCESS = ("ACCESS_DEFAULT", "ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY")


@surrogate("mmap.mmap")
class Mmap(Standard):
    """What is mapped is not in the dump."""

    __slots__ = ()

    @property
    def closed(self) -> bool:
        """Whether nothing is mapped any more."""
        return _closed(fields(self))

    def _check(self) -> Any:
        f = fields(self)
        if _closed(f):
            raise ValueError("mmap closed or invalid")
        return f

    def __len__(self) -> int:
        return Mmap._check(self)["size"]

    def tell(self) -> int:
        """The position."""
        return Mmap._check(self)["pos"]

    def __bool__(self) -> bool:
        return True

    def _shown(self) -> Any:
        f, ref = fields(self), ref_of(self)
        name = ref.graph.classes.name(ref.rec.type)
        if ref.graph.python < (3, 9):
            return "<%s object at %#x>" % (name, ref.rec.addr)
        if _closed(f):
            return "<%s closed=True>" % name
        access = _ACCESS[f["access"]] if 0 <= f["access"] < 4 else "UNKNOWN!"
        return "<%s closed=False, access=%s, length=%d, pos=%d, offset=%d>" % (
            name, access, f["size"], f["pos"], f["offset"]
        )  # fmt: skip


# -- struct


@real(struct.Struct, "_struct.Struct", "Struct")
def _struct(ref: Ref, cls: Any) -> Any:
    form = ref.fields["format"]
    if not isinstance(form, (str, bytes)):
        raise Absent("format")
    try:
        made = struct.Struct.__new__(cls, form)
        struct.Struct.__init__(made, form)
    except struct.error as e:
        raise ValueError(str(e)) from None
    if made.size != ref.fields.get("size", made.size):
        raise Absent("size")  # of other sizes than here
    return made


# -- random

_WORDS = 624


@real(random.Random, "random.Random", python=True)
def _random(ref: Ref, cls: Any) -> Any:
    data, index = ref.fields.whole_bytes("state"), ref.fields.number("index", 0, _WORDS)
    if len(data) < 4 * _WORDS:
        raise ValueError("a state of %d bytes" % len(data))
    words: List[int] = list(struct.unpack("<%dI" % _WORDS, data[: 4 * _WORDS]))
    own = {name: ref.graph.get(at) for name, at in ref.attributes().items()}
    made = random.Random.__new__(cls)
    following = own.get("gauss_next")
    if not (following is None or isinstance(following, float)):
        raise Absent("gauss_next")
    # The rest of a subclass's state stays in the dump.
    _random_module.Random.setstate(made, (*words, index))
    if cls is random.Random:
        made.gauss_next = following
    return made


@surrogate("_random.Random")
class Random(Standard):
    """The state, as getstate() of random.Random gives it."""

    __slots__ = ()

    def getstate(self) -> Any:
        """The 624 words, and the position in them."""
        f = fields(self)
        words = struct.unpack("<%dI" % _WORDS, f.whole_bytes("state")[: 4 * _WORDS])
        ref = ref_of(self)
        own = ref.attributes().get("gauss_next")
        state = (*words, f["index"])
        return (3, state, ref.graph.get(own)) if own else state

    def _shown(self) -> Any:
        ref = ref_of(self)
        name = ref.graph.classes.name(ref.rec.type)
        return "<%s object at %#x>" % (name or class_name(self), ref.rec.addr)


def _placed(value: Any) -> str:
    """The repr that is not told by the value: where it was."""
    from ..render import graph_of
    from ..surrogates import header

    if find_ref(value) is not None:
        return header(value)
    graph = graph_of(value)
    rec = graph.record(graph.address(value)) if graph is not None else None
    if rec is None:
        return repr(value)
    if isinstance(value, struct.Struct) and graph.python >= (3, 13):
        return "Struct(%r)" % value.format
    return "<%s object at %#x>" % (graph.classes.name(rec.type), rec.addr)


for _type in (struct.Struct, random.Random):
    REAL_SHOWN[_type] = _placed
