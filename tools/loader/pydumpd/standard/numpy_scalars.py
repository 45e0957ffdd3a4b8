# SPDX-License-Identifier: Apache-2.0
"""numpy's scalars: numbers, times, structured items."""

import operator
import struct
from typing import Any, Callable, Optional

from ..marks import NotDumpedError
from ..refs import Ref, ref_of
from . import Entry, Standard, _registry, class_name, fields, surrogate
from .numpy_ import dtype_of, known, release
from .numpy_array import Array
from .numpy_dtype import TYPES, LongComplex, LongDouble
from .numpy_text import array_str, complex_text, float_text, void_text
from .numpy_times import UNITS, Time64

_SLOT = type(float.__add__)


def _new_style(ref: Ref) -> bool:
    """Whether scalars print with their type: numpy 2."""
    found = known(ref.graph).release
    if found != (0, 0):
        return found >= (2, 0)
    # bool_ was renamed with 2.0; else what is usual now.
    return "numpy.bool_" not in (ref.graph.classes.name(a) for a in (ref.rec.type,))


class _Scalar(Standard):
    """A number of numpy: computes and compares as its plain value."""

    __slots__ = ()
    _public = ("_text",)

    def item(self) -> Any:
        """The plain value."""
        return fields(self)["value"]

    def tolist(self) -> Any:
        """The plain value."""
        return self.item()

    shape = ()
    ndim = 0
    size = 1

    def _text(self) -> str:
        return str(self.item())

    def _shown(self) -> str:
        ref = ref_of(self)
        try:
            text = self._text()
        except (KeyError, ValueError, struct.error):
            from . import generic

            return generic(self)  # type: ignore
        if not _new_style(ref):
            return text
        name = class_name(self).replace("longlong", "int64")
        if name in ("int64", "uint64", "long", "ulong"):
            name = name.replace("long", "int64")
        if name == "bool":
            return "np.%s_" % text
        if name in ("longdouble", "clongdouble"):
            return "np.%s('%s')" % (name, text.strip("()"))
        return "np.%s(%s)" % (name, text[1:-1] if text[:1] == "(" else text)

    def __str__(self) -> str:
        return self._text()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __hash__(self) -> int:
        return hash(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, _Scalar) else value


def _binary(op: Callable[[Any, Any], Any], swap: bool) -> Callable[[Any, Any], Any]:
    def compute(self: Any, other: Any) -> Any:
        a, b = self.item(), _plain(other)
        try:
            result = op(b, a) if swap else op(a, b)
        except TypeError:
            return NotImplemented
        if not (_holds(self, result) or (isinstance(other, _Scalar) and _holds(other, result))):
            raise NotDumpedError("what numpy makes of that is not known here: take x.item()")
        return result

    return compute


def _holds(scalar: Any, result: Any) -> bool:
    """Whether numpy's result, of the type of that scalar, is that of its value."""
    if isinstance(scalar, Integer):
        if not isinstance(result, int):
            return True  # a division gives a float of 64 bits
        bits = 8 * fields(scalar)["itemsize"] if "itemsize" in fields(scalar) else _bits(scalar)
        low = 0 if class_name(scalar)[:1] == "u" else -(1 << (bits - 1))
        return low <= result < low + (1 << bits)
    if isinstance(scalar, Bool):
        return isinstance(result, bool)
    if isinstance(scalar, (Float16, Float32)) and isinstance(result, float):
        return result != result or _short(scalar, result) == result  # needs no rounding
    return not isinstance(scalar, (Float16, Float32, Complex64))


def _short(scalar: Any, value: float) -> Optional[float]:
    """The float as one of a scalar's type; None when it is too large for that."""
    code = "<e" if isinstance(scalar, Float16) else "<f"
    try:
        return struct.unpack(code, struct.pack(code, value))[0]
    except OverflowError:
        return None


def _bits(scalar: Any) -> int:
    name = class_name(scalar)
    digits = name.lstrip("uint")
    if digits.isdigit():
        return int(digits)
    return {"byte": 8, "short": 16, "intc": 32}.get(name.lstrip("u"), 64)


def _compared(op: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        a, b = self.item(), _plain(other)
        try:
            result = op(a, b)
        except TypeError:
            return NotImplemented
        if isinstance(self, (Float16, Float32)) and type(other) is float:
            # From 2.0 on a float is one of as few bits.
            short = _short(self, other)
            if short is not None and op(a, short) != result:
                raise NotDumpedError("what numpy makes of that depends on its version")
        return result

    return compare


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(_Scalar, "__%s__" % _name, _compared(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"):
    _op = getattr(operator, _name)
    setattr(_Scalar, "__%s__" % _name.strip("_"), _binary(_op, False))
    setattr(_Scalar, "__r%s__" % _name.strip("_"), _binary(_op, True))


@surrogate(*("numpy." + n for n in ("bool_", "bool")))
class Bool(_Scalar):
    """numpy.bool_"""

    __slots__ = ()


@surrogate(*("numpy." + n for n in (
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "byte", "short",
    "intc", "longlong", "uintc", "ulonglong", "int_", "long", "ulong",
)))  # fmt: skip
class Integer(_Scalar):
    """numpy.int64 and its like"""

    __slots__ = ()

    def __index__(self) -> int:
        return int(self.item())


@surrogate("numpy.float32")
class Float32(_Scalar):
    """numpy.float32"""

    __slots__ = ()

    def _text(self) -> str:
        return float_text(self.item(), 4, release(ref_of(self).graph))


@surrogate("numpy.float16")
class Float16(_Scalar):
    """numpy.float16"""

    __slots__ = ()

    def item(self) -> Any:
        """The plain value."""
        return struct.unpack("<e", struct.pack("<H", fields(self)["half"]))[0]

    def _text(self) -> str:
        return float_text(self.item(), 2, release(ref_of(self).graph))


@surrogate("numpy.longdouble", "numpy.float128")
class LongDoubleScalar(_Scalar):
    """numpy.longdouble"""

    __slots__ = ()

    def item(self) -> Any:
        """An exact number."""
        return LongDouble(fields(self).whole_bytes("data"))


@surrogate("numpy.complex64")
class Complex64(_Scalar):
    """numpy.complex64"""

    __slots__ = ()

    def item(self) -> Any:
        """The plain value."""
        return complex(fields(self)["real"], fields(self)["imag"])

    def _text(self) -> str:
        return complex_text(self.item(), 4, release(ref_of(self).graph))


@surrogate("numpy.clongdouble", "numpy.complex256")
class LongComplexScalar(_Scalar):
    """numpy.clongdouble"""

    __slots__ = ()

    def item(self) -> Any:
        """An exact number."""
        data = fields(self).whole_bytes("data")
        return LongComplex(LongDouble(data[:16]), LongDouble(data[16:]))


@surrogate("numpy.datetime64", "numpy.timedelta64")
class Time(_Scalar):
    """numpy.datetime64, numpy.timedelta64"""

    __slots__ = ()

    def scalar(self) -> Time64:
        """The value with its unit."""
        return time_of(ref_of(self))

    def item(self) -> Any:
        """As the standard library has it, or an int where it cannot."""
        return time_of(ref_of(self)).item()

    def __int__(self) -> int:
        return time_of(ref_of(self)).value

    def __hash__(self) -> int:
        return hash(time_of(ref_of(self)))

    def _text(self) -> str:
        return str(time_of(ref_of(self)))

    def _shown(self) -> str:
        return repr(time_of(ref_of(self)))


def time_of(ref: Ref) -> Time64:
    """The value of a datetime64 or timedelta64 scalar."""
    f = ref.fields
    kind = "m" if ref.graph.classes.name(ref.rec.type).endswith("timedelta64") else "M"
    unit = f["unit"]
    out = Time64(kind, f["value"], UNITS[unit] if 0 <= unit < len(UNITS) else "?", f["unit_count"])
    out.prefix = "np." if _new_style(ref) else "numpy."
    out.nat_unit = kind == "m" or release(ref.graph) >= (2, 4)
    return out


def _time_compared(test: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if isinstance(other, Time):
            other = other.scalar()
        return test(time_of(ref_of(self)), other)

    return compare


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Time, "__%s__" % _name, _time_compared(getattr(operator, _name)))


@surrogate("numpy.void")
class Void(Standard):
    """numpy.void: bytes, or the fields of a structured item."""

    __slots__ = ()

    @property
    def dtype(self) -> Any:
        """The dtype of the dump."""
        return fields(self)["dtype"]

    def item(self) -> Any:
        """A tuple or bytes."""
        return _void_array(ref_of(self)).item()

    tolist = item

    def __getitem__(self, key: Any) -> Any:
        array = _void_array(ref_of(self))
        if isinstance(key, str):
            return array[key][()]
        return array.item()[key]

    def __len__(self) -> int:
        return len(_void_array(ref_of(self)).item())

    def __iter__(self) -> Any:
        return iter(_void_array(ref_of(self)).item())

    def __eq__(self, other: Any) -> Any:
        mine = _void_array(ref_of(self)).item()
        return mine == (other.item() if isinstance(other, Void) else other)

    def __hash__(self) -> int:
        return hash(_void_array(ref_of(self)).item())

    def _shown(self) -> str:
        ref = ref_of(self)
        try:
            array = _void_array(ref)
            text = array_str(array)
        except NotDumpedError as e:
            return "<numpy.void: %s>" % e
        if array.dtype.fields is None:
            return ("np.void(%s)" if _new_style(ref) else "void(%s)") % void_text(array.item())
        if not _new_style(ref):
            return text
        name = "np.rec.record" if class_name(self) == "record" else "np.void"
        module, array.dtype.module = array.dtype.module, ""
        shown = str(array.dtype)
        array.dtype.module = module
        return "%s(%s, dtype=%s)" % (name, text, shown)


def _void_array(ref: Ref) -> Array:
    if ref.extra is None:
        f = ref.fields
        dtype = dtype_of(ref.graph, f.ref("dtype")) if not f.null("dtype") else None
        if dtype is None or any(leaf.num not in TYPES for leaf in dtype.leaves()):
            raise NotDumpedError("the dtype is not told")
        data = f["data"] if "data" in f else b""
        ref.extra = Array(
            dtype, (), bytes(data), ref.graph.get,
            numpy=release(ref.graph, f.ref("dtype")), note=f.note("data"),
        )  # fmt: skip
    return ref.extra


class _OfBuiltin(Standard):
    """A scalar that has a builtin's storage: only its repr differs."""

    __slots__ = ()

    def item(self) -> Any:
        """The plain value."""
        return next(b for b in (float, complex, str, bytes) if isinstance(self, b))(self)  # type: ignore

    tolist = item


class Float64(_OfBuiltin):
    """numpy.float64"""

    __slots__ = ()

    def _shown(self) -> str:
        text = float.__repr__(self)  # type: ignore
        return "np.float64(%s)" % text if _new_style(ref_of(self)) else text

    def __str__(self) -> str:
        return float.__repr__(self)  # type: ignore


class Complex128(_OfBuiltin):
    """numpy.complex128"""

    __slots__ = ()

    def _shown(self) -> str:
        text = complex_text(complex(self), 8)  # type: ignore
        return "np.complex128(%s)" % text.strip("()") if _new_style(ref_of(self)) else text

    def __str__(self) -> str:
        return complex_text(complex(self), 8)  # type: ignore


def _make_float(ref: Ref, cls: type) -> Any:
    return float.__new__(cls, ref.fields["value"])  # type: ignore


def _make_complex(ref: Ref, cls: type) -> Any:
    return complex.__new__(cls, ref.fields["real"], ref.fields["imag"])  # type: ignore


# The abstract numpy.floating and its like, which refuse, stand before the builtin.
for _mixin, _base in ((Float64, float), (Complex128, complex)):
    for _name, _slot in vars(_base).items():
        if _name[:2] == "__" and _name not in vars(_mixin) and isinstance(_slot, _SLOT):
            if _name not in ("__getattribute__", "__repr__", "__new__", "__init__", "__str__"):
                setattr(_mixin, _name, _slot)

# They derive from a builtin, but not as their first base: its storage is told by fields.
_registry["numpy.float64"] = Entry(mixin=Float64, make=_make_float)
_registry["numpy.complex128"] = Entry(mixin=Complex128, make=_make_complex)


@surrogate("numpy.str_")
class Str(_OfBuiltin):
    """numpy.str_"""

    __slots__ = ()

    def _shown(self) -> str:
        text = str.__repr__(self)  # type: ignore
        return "np.str_(%s)" % text if _new_style(ref_of(self)) else text


@surrogate("numpy.bytes_")
class Bytes(_OfBuiltin):
    """numpy.bytes_"""

    __slots__ = ()

    def _shown(self) -> str:
        text = bytes.__repr__(self)  # type: ignore
        return "np.bytes_(%s)" % text if _new_style(ref_of(self)) else text


@surrogate("numpy.ufunc")
class Ufunc(Standard):
    """A universal function."""

    __slots__ = ()

    def _shown(self) -> str:
        f = fields(self)
        return "<ufunc '%s'>" % (f["name"] if "name" in f else "?")
