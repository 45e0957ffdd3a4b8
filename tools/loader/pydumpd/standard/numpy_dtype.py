# SPDX-License-Identifier: Apache-2.0
"""numpy's dtypes without numpy: names, text, and items out of raw bytes."""

import struct
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..marks import Placeholder
from . import numpy_times as times

#: By type number: kind, character, name, bytes (0: of each dtype).
TYPES: Dict[int, Tuple[str, str, str, int]] = {
    0: ("b", "?", "bool", 1),
    1: ("i", "b", "int8", 1),
    2: ("u", "B", "uint8", 1),
    3: ("i", "h", "int16", 2),
    4: ("u", "H", "uint16", 2),
    5: ("i", "i", "int32", 4),
    6: ("u", "I", "uint32", 4),
    7: ("i", "l", "int64", 8),
    8: ("u", "L", "uint64", 8),
    9: ("i", "q", "int64", 8),
    10: ("u", "Q", "uint64", 8),
    11: ("f", "f", "float32", 4),
    12: ("f", "d", "float64", 8),
    13: ("f", "g", "float128", 16),
    14: ("c", "F", "complex64", 8),
    15: ("c", "D", "complex128", 16),
    16: ("c", "G", "complex256", 32),
    17: ("O", "O", "object", 8),
    18: ("S", "S", "bytes", 0),
    19: ("U", "U", "str", 0),
    20: ("V", "V", "void", 0),
    21: ("M", "M", "datetime64", 8),
    22: ("m", "m", "timedelta64", 8),
    23: ("f", "e", "float16", 2),
}
_FLOATS = {2: "e", 4: "f", 8: "d"}

Decode = Callable[[bytes, int], Any]
_str = str  # Dtype has a property of that name


class Field:
    """One field of a structured dtype."""

    __slots__ = ("dtype", "name", "offset", "title")

    def __init__(self, name: str, dtype: "Dtype", offset: int, title: Optional[str]) -> None:
        self.name, self.dtype, self.offset, self.title = name, dtype, offset, title


class Dtype:
    """What a dtype says. Prints as numpy's own does."""

    def __init__(self, num: int, itemsize: int = 0, swapped: bool = False) -> None:
        self.num = num
        self.kind, self.char, self._name, size = TYPES.get(num, ("V", "V", "void", 0))
        self.itemsize = itemsize or size
        self.swapped = swapped
        self.alignment = 1
        self.unit: Tuple[str, int] = ("generic", 1)
        self.fields: Optional[List[Field]] = None
        self.subdtype: Optional[Tuple[Dtype, Tuple[int, ...]]] = None
        self.aligned = False
        self.numpy = (2, 0)  # the release that is imitated
        self.module = ""  # of a record dtype: what stands around it

    # -- what people ask for

    @property
    def names(self) -> Optional[Tuple[str, ...]]:
        """The names of the fields."""
        return tuple(f.name for f in self.fields) if self.fields is not None else None

    @property
    def shape(self) -> Tuple[int, ...]:
        """Of a subarray."""
        return self.subdtype[1] if self.subdtype else ()

    @property
    def base(self) -> "Dtype":
        """Without a subarray's shape."""
        return self.subdtype[0] if self.subdtype else self

    @property
    def byteorder(self) -> _str:
        """As numpy says it."""
        if self.kind in "bSVO" or (self.kind in "iu" and self.itemsize == 1):
            return "|"
        return ">" if self.swapped else "="

    @property
    def str(self) -> _str:
        """Such as <f8."""
        order = self.byteorder.replace("=", "<")
        if self.kind == "O":
            return "|O"
        size = self.itemsize // 4 if self.kind == "U" else self.itemsize
        out = "%s%s%d" % (order, self.kind, size)
        return out + times.unit_text(*self.unit) if self.kind in "mM" else out

    @property
    def name(self) -> _str:
        """Such as float64."""
        if self.kind in "mM":
            return self._name + times.unit_text(*self.unit)
        if self.kind in "SUV":
            return "%s%d" % (self._name, self.itemsize * 8) if self.itemsize else self._name
        return self._name

    @property
    def has_objects(self) -> bool:
        """Whether items hold references."""
        return any(leaf.kind == "O" for leaf in self.leaves())

    def leaves(self) -> List["Dtype"]:
        """The plain dtypes in it."""
        out, todo = [], [self]
        while todo:
            d = todo.pop()
            if d.subdtype:
                todo.append(d.subdtype[0])
            elif d.fields is not None:
                todo.extend(f.dtype for f in d.fields)
            else:
                out.append(d)
        return out

    def field(self, name: str) -> Field:
        """The field of a name or title."""
        for f in self.fields or ():
            if name in (f.name, f.title):
                return f
        raise KeyError("no field of name %s" % name)

    def __getitem__(self, name: str) -> "Dtype":
        return self.field(name).dtype

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Dtype):
            return str(self) == str(other) and self.str == other.str
        return isinstance(other, _str) and other in (self.name, self.str, _str(self))

    def __hash__(self) -> int:
        return hash(self.str)

    # -- text

    def __str__(self) -> _str:
        if self.fields is not None:
            return self._struct(True)
        if self.subdtype:
            return "(%s, %r)" % (self.subdtype[0].brief(), self.subdtype[1])
        return self.str if self.kind in "SUV" or self.swapped else self.name

    def __repr__(self) -> _str:
        if self.fields is not None:
            inner = self._struct(False) + (", align=True" if self.aligned else "")
        elif self.subdtype:
            inner = str(self)
        elif self.kind == "O" or (self.kind in "biufc" and not self.swapped):
            inner = "%r" % ("O" if self.kind == "O" else self.name)
        else:
            inner = "%r" % self.brief()[1:-1]
        return "dtype(%s)" % inner

    def brief(self) -> _str:
        """As it stands in the list of a structured dtype."""
        if self.fields is not None:
            return self._struct(False)
        if self.subdtype:
            return "(%s, %r)" % (self.subdtype[0].brief(), self.subdtype[1])
        if self.kind == "b":
            return "'?'"
        if self.kind == "O":
            return "'O'"
        if self.kind in "SV":
            return "'%s%s'" % (self.kind, self.itemsize or "")
        return repr(self.str.lstrip("|"))

    def _struct(self, align: bool) -> _str:
        if not (align and self.aligned) and self._is_packed():
            shown = []
            for f in self.fields or ():
                label = "(%r, %r)" % (f.title, f.name) if f.title is not None else repr(f.name)
                d = f.dtype
                if d.subdtype:
                    shown.append("(%s, %s, %r)" % (label, d.base.brief(), d.shape))
                else:
                    shown.append("(%s, %s)" % (label, d.brief()))
            out = "[%s]" % ", ".join(shown)
        else:
            fields = self.fields or []
            gap = "" if self.numpy < (1, 22) else " "
            comma = "," + gap
            parts = [
                ("names", comma.join(repr(f.name) for f in fields)),
                ("formats", comma.join(f.dtype.brief() for f in fields)),
                ("offsets", comma.join(str(f.offset) for f in fields)),
            ]
            if any(f.title is not None for f in fields):
                parts.append(("titles", comma.join(repr(f.title) for f in fields)))
            words = ["'%s':%s[%s]" % (k, gap, v) for k, v in parts]
            words.append("'itemsize':%s%d" % (gap, self.itemsize))
            if align and self.aligned:
                words.append("'aligned':%sTrue" % gap)
            out = "{%s}" % ", ".join(words)
        return "(%s, %s)" % (self.module, out) if self.module else out

    def _is_packed(self) -> bool:
        at, most = 0, 1
        aligned = self.aligned and self.numpy >= (1, 23)
        for f in self.fields or ():
            if aligned:
                a = max(f.dtype.alignment, 1)
                at = -(-at // a) * a
                most = max(most, a)
            if f.offset != at:
                return False
            at += f.dtype.itemsize
        return -(-at // most) * most == self.itemsize if aligned else at == self.itemsize

    # -- items

    def decoder(self, get: Callable[[int], Any], scalars: bool = False) -> Decode:
        """What makes an item, as item() gives it, of the bytes at an offset.

        get gives the object at an address. With scalars, times keep their unit.
        """
        if self.subdtype:
            base, shape = self.subdtype
            return _sub_decoder(base, shape, get, scalars)
        if self.fields is not None:
            inner = [(f.offset, f.dtype.decoder(get, scalars)) for f in self.fields]
            return lambda b, o: tuple(d(b, o + at) for at, d in inner)
        kind, size, order = self.kind, self.itemsize, ">" if self.swapped else "<"
        if kind == "b":
            return lambda b, o: b[o] != 0
        if kind in "iu":
            whole = "big" if self.swapped else "little"
            signed = kind == "i"
            return lambda b, o: int.from_bytes(b[o : o + size], whole, signed=signed)  # type: ignore
        if kind == "f":
            return _float_decoder(size, order)
        if kind == "c":
            half = _float_decoder(size // 2, order)
            if size == 32:
                return lambda b, o: LongComplex(half(b, o), half(b, o + 16))
            return lambda b, o: complex(half(b, o), half(b, o + size // 2))
        if kind == "O":
            return lambda b, o: _object(get, int.from_bytes(b[o : o + 8], "little"))
        if kind == "S":
            return lambda b, o: b[o : o + size].rstrip(b"\0")
        if kind == "U":
            codec = "utf-32-be" if self.swapped else "utf-32-le"
            return lambda b, o: _text(b[o : o + size], codec)
        if kind in "mM":
            return _time_decoder(kind, self.unit, order, scalars)
        return lambda b, o: b[o : o + size]


def _object(get: Callable[[int], Any], addr: int) -> Any:
    return get(addr) if addr else None


def _text(data: bytes, codec: str) -> Any:
    try:
        return data.decode(codec, "surrogatepass").rstrip("\0")
    except UnicodeDecodeError:
        return Placeholder("corrupt: text with an impossible character")


def _float_decoder(size: int, order: str) -> Decode:
    if size == 16:
        big = order == ">"
        return lambda b, o: LongDouble(b[o : o + 16][::-1] if big else b[o : o + 16])
    unpack = struct.Struct(order + _FLOATS[size]).unpack_from
    return lambda b, o: unpack(b, o)[0]


def _time_decoder(kind: str, unit: Tuple[str, int], order: str, scalars: bool) -> Decode:
    unpack = struct.Struct(order + "q").unpack_from
    if scalars:
        return lambda b, o: times.Time64(kind, unpack(b, o)[0], *unit)
    convert = times.moment if kind == "M" else times.span
    return lambda b, o: convert(unpack(b, o)[0], *unit)


def _sub_decoder(
    base: Dtype, shape: Tuple[int, ...], get: Callable[[int], Any], scalars: bool
) -> Decode:
    from .numpy_array import Array

    size = base.itemsize
    for n in shape:
        size *= n
    return lambda b, o: Array(base, shape, b[o : o + size], get)


class LongDouble:
    """An 80-bit x87 number: exact, without numpy."""

    __slots__ = ("data", "sign", "special", "value")

    def __init__(self, data: bytes) -> None:
        self.data = data
        mantissa = int.from_bytes(data[:8], "little")
        word = int.from_bytes(data[8:10], "little")
        self.sign = word >> 15
        exponent = word & 0x7FFF
        self.special = ""
        #: mantissa and power of two
        self.value = (mantissa, (exponent or 1) - 16383 - 63)
        if exponent == 0x7FFF:
            self.special = "inf" if not mantissa << 1 & (1 << 64) - 1 else "nan"

    def __float__(self) -> float:
        if self.special:
            return float(("-" if self.sign else "") + self.special)
        m, e = self.value
        try:
            out = float(m << e) if e >= 0 else m / (1 << -e)
        except OverflowError:
            out = float("inf")
        return -out if self.sign else out

    def _key(self) -> Any:
        from fractions import Fraction

        m, e = self.value
        out = Fraction(m << e) if e >= 0 else Fraction(m, 1 << -e)
        return -out if self.sign else out

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, LongDouble):
            if self.special or other.special:
                return float(self) == float(other)
            return self._key() == other._key()
        if isinstance(other, (int, float)):
            if self.special or other != other or other in (float("inf"), float("-inf")):
                return float(self) == other
            return self._key() == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(float(self)) if self.special else hash(self._key())

    def digits(self, limit: Optional[int] = None) -> Tuple[str, int]:
        """Shortest digits that tell it from its neighbours, and the power of
        ten of the first."""
        from fractions import Fraction

        m, e = self.value
        if not m:
            return "0", 0
        full = Fraction(m << e) if e >= 0 else Fraction(m, 1 << -e)
        half = Fraction(1 << e) / 2 if e >= 0 else Fraction(1, 1 << (1 - e))
        exp = len(str(full.numerator)) - len(str(full.denominator))
        if Fraction(10) ** exp > full:
            exp -= 1
        for n in range(1, 40):
            scale = Fraction(10) ** (n - 1 - exp)
            shown = round(full * scale)
            if abs(Fraction(shown) / scale - full) < half or n == 39:
                text = str(shown)
                if len(text) > n:
                    exp += 1
                return text.rstrip("0") or "0", exp
        raise AssertionError

    def __str__(self) -> str:
        if self.special:
            return "-inf" if self.special == "inf" and self.sign else self.special
        text, exp = self.digits()
        sign = "-" if self.sign else ""
        if -4 <= exp < 16:
            if exp < 0:
                return sign + "0." + "0" * (-exp - 1) + text
            text = text.ljust(exp + 1, "0")
            return sign + text[: exp + 1] + "." + (text[exp + 1 :] or "0")
        rest = "." + text[1:] if len(text) > 1 else ""
        return "%s%s%se%s%02d" % (sign, text[0], rest, "-" if exp < 0 else "+", abs(exp))

    __repr__ = __str__


class LongComplex:
    """Two of them."""

    __slots__ = ("imag", "real")

    def __init__(self, real: Any, imag: Any) -> None:
        self.real, self.imag = real, imag

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (LongComplex, complex, int, float)):
            return bool(self.real == other.real and self.imag == other.imag)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(complex(float(self.real), float(self.imag)))

    def __complex__(self) -> complex:
        return complex(float(self.real), float(self.imag))

    def __repr__(self) -> str:
        real, imag = str(self.real), str(self.imag)
        real, imag = (
            real[:-2] if real.endswith(".0") else real,
            (imag[:-2] if imag.endswith(".0") else imag),
        )
        if real == "0":
            return imag + "j"
        return "(%s%s%sj)" % (real, "" if imag.startswith("-") else "+", imag)
