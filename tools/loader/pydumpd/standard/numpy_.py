# SPDX-License-Identifier: Apache-2.0
"""numpy: arrays, dtypes, scalars. Nothing of numpy is needed, or imported but
where the person asks for a real array (numpy.asarray(x), x.real_array())."""

import operator
import struct
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from ..marks import NotDumpedError, describe
from ..refs import Ref, ref_of
from . import Shown, Standard, class_name, fields, own, surrogate
from .numpy_array import Array, real_array
from .numpy_dtype import TYPES, Dtype, Field
from .numpy_text import array_repr, array_str
from .numpy_times import UNITS

if TYPE_CHECKING:
    from ..objects import Graph

_CACHE = "_pydumpd_numpy"


class _Known:
    """What is known of the numpy of a dump."""

    def __init__(self, graph: "Graph") -> None:
        self.dtypes: Dict[int, Dtype] = {}
        self.release = module_release(graph, "numpy")


def known(graph: "Graph") -> _Known:
    """The same one each time."""
    found = graph.__dict__.get(_CACHE)
    if found is None:
        found = graph.__dict__[_CACHE] = _Known(graph)
    return found


def module_release(graph: "Graph", name: str) -> Tuple[int, int]:
    """(2, 1) for numpy 2.1.3: as the module says, or (0, 0)."""
    dump = graph.dump
    for interp in dump.interpreters if dump is not None else ():
        at = interp.get("modules")
        module = graph.record(graph.namespace(at).get(name, 0) if isinstance(at, int) else 0)
        names = graph.namespace(module.field("dict")) if module is not None else {}
        text = graph.string(names.get("__version__", 0)) or ""
        parts = text.split(".")
        if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit():
            return int(parts[0]), int(parts[1])
    return 0, 0


def release(graph: "Graph", dtype: int = 0) -> Tuple[int, int]:
    """The release whose text is imitated; by the dtype's layout when the
    module is not in the dump."""
    found = known(graph).release
    if found != (0, 0):
        return found
    rec = graph.record(dtype)
    for at in graph.classes.mro(rec.type) if rec is not None else ():
        if graph.classes.name(at) == "numpy.dtype":
            cls = graph.record(at)
            nums = cls.data.rpartition(b"\0")[0][-16:] if cls is not None else b""
            head, _, tail = cls.data.partition(b"\0") if cls is not None else (b"", b"", b"")
            nums = tail.partition(b"\0")[2]
            if len(nums) >= 8 and int.from_bytes(nums[:8], "little") == 96:
                return 1, 26
    return 2, 5


# -- dtypes


def dtype_of(graph: "Graph", addr: int, depth: int = 0) -> Optional[Dtype]:
    """The dtype at an address; None when the dump does not say it."""
    cache = known(graph).dtypes
    if addr in cache:
        return cache[addr]
    rec = graph.record(addr)
    if rec is None or depth > 32:
        return None
    f = Ref(graph, rec).fields
    if "num" not in f or "itemsize" not in f:
        return None
    num, order = f["num"], f["byteorder"] if "byteorder" in f else "="
    out = Dtype(num, f["itemsize"], order == ">")
    out.numpy = release(graph, addr)
    if num not in TYPES:
        out.kind = out.char = "T" if num == 2056 else "V"
    out.alignment = f["alignment"] if "alignment" in f else 1
    if num in (21, 22) and "unit" in f and 0 <= f["unit"] < len(UNITS):
        out.unit = (UNITS[f["unit"]], f["unit_count"])
    if not _subdtype(graph, f, out, depth) or not _fields(graph, f, out, depth):
        return None
    # A dtype that derives from another type than void (record).
    if out.fields is not None and "type" in f:
        name = graph.classes.name(f.ref("type"))
        out.module = "" if name == "numpy.void" else name
    out.aligned = bool("flags" in f and f["flags"] & 0x80)
    cache[addr] = out
    return out


def _subdtype(graph: "Graph", f: Any, out: Dtype, depth: int) -> bool:
    if f.null("subdtype"):
        return True
    base = dtype_of(graph, f.ref("subdtype"), depth + 1)
    shape = graph.get(f.ref("subshape")) if "subshape" in f else None
    if base is None or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
        return False
    size = base.itemsize
    for n in shape:
        size *= n
    if any(n < 0 for n in shape) or size != out.itemsize:
        return False
    out.subdtype = (base, shape)
    return True


def _fields(graph: "Graph", f: Any, out: Dtype, depth: int) -> bool:
    names = graph.record(f.ref("names")) if not f.null("names") else None
    if names is None or names.kind.name != "tuple":
        return True
    table = graph.namespace(f.ref("fields")) if not f.null("fields") else {}
    found: List[Field] = []
    for at in names.rest():
        name = graph.string(at)
        rec = graph.record(table.get(name or "", 0))
        if name is None or rec is None or len(rec.rest()) < 2:
            return False
        parts = rec.rest()
        dtype, offset = dtype_of(graph, parts[0], depth + 1), graph.get(parts[1])
        title = graph.string(parts[2]) if len(parts) > 2 else None
        if dtype is None or type(offset) is not int or offset < 0:
            return False
        if offset + dtype.itemsize > out.itemsize:
            return False
        found.append(Field(name, dtype, offset, title))
    out.fields = found
    return True


# -- arrays


def array_of(ref: Ref) -> Array:
    """The items of an ndarray's record. NotDumpedError when it cannot be told."""
    if ref.extra is None:
        ref.extra = _make_array(ref)
    return ref.extra


def _make_array(ref: Ref) -> Array:
    graph, rec, f = ref.graph, ref.rec, ref.fields
    note = describe(rec.mark) if rec.mark else ""
    dtype = dtype_of(graph, f.ref("dtype")) if "dtype" in f and not f.null("dtype") else None
    if dtype is None:
        raise NotDumpedError("the dtype is not in the dump%s" % (note and " (%s)" % note))
    if any(leaf.num not in TYPES for leaf in dtype.leaves()):
        found = graph.record(f.ref("dtype"))
        name = graph.classes.name(found.type) if found is not None else "?"
        raise NotDumpedError("items of %s are not told" % name)
    shape = f["shape"] if "shape" in f else ()
    strides = f["strides"] if "strides" in f else ()
    if not isinstance(shape, tuple) or len(strides) != len(shape) or min(shape, default=0) < 0:
        raise NotDumpedError("the shape is not in the dump")
    # Axes of stride 0 repeat their items: those were dumped once.
    stored = [1 if s == 0 else n for n, s in zip(shape, strides)]
    steps, size = [], dtype.itemsize
    for n, s in zip(reversed(stored), reversed(strides)):
        steps.append(size if s else 0)
        size *= n
    data = b""
    if dtype.kind == "O" and dtype.subdtype is None:
        data = struct.pack("<%dQ" % len(rec.rest()), *rec.rest())
        if rec.mark is not None and rec.mark.total is not None and len(data) < size:
            note = "truncated: %d of %d items" % (len(rec.rest()), size // 8)
    elif "text" in f:
        codec = "utf-32-be" if dtype.swapped else "utf-32-le"
        texts = bytes(f.raw("text")).split(b"\0")[:-1]
        parts = [t.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass") for t in texts]
        data = b"".join(p[: dtype.itemsize].ljust(dtype.itemsize, b"\0") for p in parts)
        if f.note("text"):
            note = "truncated: %d of %d items" % (len(parts), size // max(dtype.itemsize, 1))
    elif "data" in f:
        data = f.raw("data")
        note = f.note("data") or note
        if rec.mark is not None and rec.mark.word == "redacted" and dtype.kind != "S":
            data = b""  # numbers that are not those of the program
    out = Array(
        dtype, tuple(shape), data, graph.get,
        strides=tuple(reversed(steps)), numpy=release(graph, f.ref("dtype")), note=note,
    )  # fmt: skip
    return out


class _Flags:
    """ndarray.flags"""

    _BITS = (("C_CONTIGUOUS", 1), ("F_CONTIGUOUS", 2), ("OWNDATA", 4), ("WRITEABLE", 0x400),
             ("ALIGNED", 0x100), ("WRITEBACKIFCOPY", 0x2000))  # fmt: skip

    def __init__(self, num: int) -> None:
        self.num = num

    def __getitem__(self, key: str) -> bool:
        for name, bit in self._BITS:
            if key in (name, name[0]):
                return bool(self.num & bit)
        raise KeyError("Unknown flag")

    def __getattr__(self, name: str) -> bool:
        try:
            return self[name.upper()]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        return "".join("  %s : %s\n" % (n, bool(self.num & b)) for n, b in self._BITS)


class NotAnArrayError(AttributeError):
    """The items cannot be told."""


@surrogate("numpy.ndarray")
class NdArray(Standard):
    """An array of the program."""

    __slots__ = ()

    @property
    def shape(self) -> Any:
        """As numpy has it."""
        return fields(self)["shape"] if "shape" in fields(self) else ()

    @property
    def strides(self) -> Any:
        """As they were in the program."""
        return fields(self)["strides"] if "strides" in fields(self) else ()

    @property
    def dtype(self) -> Any:
        """The dtype of the dump."""
        return fields(self)["dtype"]

    @property
    def flags(self) -> _Flags:
        """OWNDATA and the others."""
        return _Flags(fields(self)["flags"])

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(NdArray.shape.fget(self))  # type: ignore

    @property
    def size(self) -> int:
        """Number of items."""
        n = 1
        for d in NdArray.shape.fget(self):  # type: ignore
            n *= d
        return n

    @property
    def itemsize(self) -> int:
        """Bytes of an item."""
        return array_of(ref_of(self)).itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all items."""
        return array_of(ref_of(self)).nbytes

    @property
    def T(self) -> Array:
        """Transposed."""
        return array_of(ref_of(self)).T

    @property
    def flat(self) -> Any:
        """All items in C order."""
        return array_of(ref_of(self)).flat()

    def tolist(self) -> Any:
        """Nested lists of plain values."""
        return array_of(ref_of(self)).tolist()

    def item(self, *index: int) -> Any:
        """One item as plain Python has it."""
        return array_of(ref_of(self)).item(*index)

    def tobytes(self) -> bytes:
        """The items' bytes in C order."""
        return array_of(ref_of(self)).tobytes()

    def ravel(self) -> Array:
        """All items in one dimension."""
        return array_of(ref_of(self)).ravel()

    flatten = ravel

    def reshape(self, *shape: Any) -> Array:
        """The items in C order in another shape."""
        return array_of(ref_of(self)).reshape(*shape)

    def all(self) -> bool:
        """Whether every item is true."""
        return array_of(ref_of(self)).all()

    def any(self) -> bool:
        """Whether an item is true."""
        return array_of(ref_of(self)).any()

    def min(self) -> Any:
        """The least item."""
        return array_of(ref_of(self)).min()

    def max(self) -> Any:
        """The greatest item."""
        return array_of(ref_of(self)).max()

    def real_array(self) -> Any:
        """A real numpy array, where numpy is installed."""
        return real_array(array_of(ref_of(self)))

    @property
    def __array_interface__(self) -> Any:
        # It tells of memory, which is not here: numpy takes __array__ then.
        raise AttributeError("__array_interface__")

    __array_struct__ = __array_interface__

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return array_of(ref_of(self)).__array__(dtype, copy)

    def __len__(self) -> int:
        shape = NdArray.shape.fget(self)  # type: ignore
        if not shape:
            raise TypeError("len() of unsized object")
        return shape[0]

    def __getitem__(self, key: Any) -> Any:
        return array_of(ref_of(self))[key]

    def __iter__(self) -> Any:
        return iter(array_of(ref_of(self)))

    def __contains__(self, value: Any) -> bool:
        return value in array_of(ref_of(self))

    def __bool__(self) -> bool:
        return bool(array_of(ref_of(self)))

    def __int__(self) -> int:
        return int(array_of(ref_of(self)))

    def __float__(self) -> float:
        return float(array_of(ref_of(self)))

    def __index__(self) -> int:
        return operator.index(array_of(ref_of(self)))

    def __str__(self) -> str:
        try:
            return array_str(array_of(ref_of(self)))
        except NotDumpedError:
            return repr(self)

    __hash__ = None  # type: ignore

    def _shown(self) -> str:
        ref = ref_of(self)
        name = class_name(self)
        try:
            array = array_of(ref)
        except NotDumpedError as e:
            shape = ref.fields.get("shape", ())
            known = " of shape %r" % (shape,) if len(shape) <= 64 else ""
            return "<%s%s: %s>" % (name, known, e)
        array.name = "array" if name == "ndarray" else name
        out = array_repr(array)
        if ref.rec.mark is not None and ref.rec.mark.word == "redacted" and array.whole():
            out += " <%s>" % describe(ref.rec.mark)
        return out


def _compared(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        return test(array_of(ref_of(self)), other)

    return compare


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(NdArray, "__%s__" % _name, _compared(getattr(operator, _name)))


@surrogate("numpy.matrix")
class Matrix(NdArray):
    """Two-dimensional, with a name of its own."""

    __slots__ = ()


@surrogate("numpy.ma.core.MaskedArray", "numpy.ma.MaskedArray")
class MaskedArray(NdArray):
    """Its items, masked or not, are those of `data`; nothing is said here of
    what it makes of them."""

    __slots__ = ()

    @property
    def data(self) -> Any:
        """The array without its mask."""
        return array_of(ref_of(self))

    @property
    def mask(self) -> Any:
        """What is masked."""
        return own(self, "_mask")

    def _shown(self) -> Any:
        parts = [("data=", MaskedArray.data.fget(self)), ("mask=", own(self, "_mask"))]  # type: ignore
        return Shown("masked_array(", iter(parts), ")", len(parts))


def _of_masked(name: str) -> Callable[..., Any]:
    def refused(self: Any, *args: Any, **keys: Any) -> Any:
        raise NotDumpedError("%s of a masked array is not done here: see its data and mask" % name)

    return refused


for _name in dir(NdArray):
    if _name in vars(NdArray) and callable(vars(NdArray)[_name]) and _name not in (
        "_shown", "__len__",
    ):  # fmt: skip
        setattr(MaskedArray, _name, _of_masked(_name))


@surrogate("numpy.rec.recarray", "numpy.recarray")
class RecArray(NdArray):
    """rec.array(...)"""

    __slots__ = ()

    def _shown(self) -> str:
        ref = ref_of(self)
        try:
            array = array_of(ref)
        except NotDumpedError as e:
            return "<recarray: %s>" % e
        array.name = "rec.array" if "record" in array.dtype.module else class_name(self)
        module, array.dtype.module = array.dtype.module, ""
        try:
            out = array_repr(array)
        finally:
            array.dtype.module = module
        head, _, tail = out.rpartition("dtype=")
        return "%s\n%sdtype=%s" % (head.rstrip(), " " * len("rec.array("), tail)


@surrogate("numpy.dtype")
class DtypeSurrogate(Standard):
    """A dtype of the program."""

    __slots__ = ()

    @property
    def names(self) -> Any:
        """Of the fields."""
        d = _dtype(self)
        return d.names if d else None

    @property
    def name(self) -> str:
        """Such as float64."""
        d = _dtype(self)
        return d.name if d else "?"

    @property
    def str(self) -> Any:
        """Such as <f8."""
        d = _dtype(self)
        return d.str if d else "?"

    @property
    def char(self) -> Any:
        """Such as d."""
        d = _dtype(self)
        return d.char if d else "?"

    @property
    def shape(self) -> Any:
        """Of a subarray."""
        d = _dtype(self)
        return d.shape if d else ()

    @property
    def subdtype(self) -> Any:
        """(dtype, shape) of a subarray, or None."""
        d = _dtype(self)
        return d.subdtype if d else None

    @property
    def fields(self) -> Any:
        """name -> (dtype, offset), or None."""
        d = _dtype(self)
        if d is None or d.fields is None:
            return None
        return {f.name: (f.dtype, f.offset) for f in d.fields}

    def __eq__(self, other: Any) -> Any:
        return _dtype(self) == _plain_dtype(other)

    def __hash__(self) -> int:
        return hash(_dtype(self))

    def __getitem__(self, name: Any) -> Any:
        d = _dtype(self)
        if d is None:
            raise NotDumpedError("the dtype is not whole")
        return d[name]

    def __str__(self) -> Any:
        d = _dtype(self)
        return repr(self) if d is None else d.__str__()

    def _shown(self) -> Any:
        d = _dtype(self)
        if d is None:
            from . import generic

            return generic(self)
        if d.kind == "T":
            return "StringDType()"
        if d.fields is None and d.num not in TYPES:
            from . import generic

            return generic(self)
        return repr(d)


def _dtype(obj: Any) -> Optional[Dtype]:
    ref = ref_of(obj)
    return dtype_of(ref.graph, ref.rec.addr)


def _plain_dtype(obj: Any) -> Any:
    return _dtype(obj) if isinstance(obj, DtypeSurrogate) else obj
