# SPDX-License-Identifier: Apache-2.0
"""Text of arrays as numpy prints them with its default options."""

import struct
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

from ..marks import NotDumpedError
from .numpy_array import Array
from .numpy_dtype import Dtype, LongDouble

PRECISION, THRESHOLD, EDGE, WIDTH = 8, 1000, 3, 75

Format = Callable[[Any], str]
_CODES = {2: "e", 4: "f", 8: "d"}


def shortest(x: Any, size: int) -> Tuple[str, int]:
    """The fewest digits that tell the absolute value of a finite number from
    its neighbours of that size, and the power of ten of the first."""
    if isinstance(x, LongDouble):
        return x.digits()
    x = abs(x)
    if not x:
        return "0", 0
    if size == 8:
        shown = "%r" % x
        if "e" in shown:
            head, _, tail = shown.partition("e")
        else:
            head, tail = shown, "0"
        whole, _, part = head.partition(".")
        digits = (whole + part).lstrip("0")
        lead = len(whole) - 1 if whole != "0" else -1 - (len(part) - len(part.lstrip("0")))
        return digits.rstrip("0") or "0", lead + int(tail)
    code = "<" + _CODES[size]
    raw = struct.pack(code, x)
    for n in range(18):
        shown = "%.*e" % (n, x)
        try:
            if struct.pack(code, float(shown)) == raw:
                break
        except OverflowError:
            continue
    head, _, tail = shown.partition("e")
    return head.replace(".", "").rstrip("0") or "0", int(tail)


def _is_finite(x: Any) -> bool:
    if isinstance(x, LongDouble):
        return not x.special
    return bool(x - x == 0)


def _negative(x: Any) -> bool:
    if isinstance(x, LongDouble):
        return bool(x.sign)
    return struct.pack("<d", x)[7] >= 128


def _exact(x: Any, places: int, power: int) -> str:
    """round(abs(x) / 10**power, places), half to even, as digits."""
    from fractions import Fraction

    full = abs(x._key()) if isinstance(x, LongDouble) else Fraction(abs(x))
    return str(round(full * Fraction(10) ** (places - power)))


def _below(x: Any, power: int) -> bool:
    from fractions import Fraction

    full = abs(x._key()) if isinstance(x, LongDouble) else Fraction(abs(x))
    return bool(full < Fraction(10) ** power)


def positional(x: Any, size: int, places: int, sign: bool, full: bool = False) -> Tuple[str, str]:
    """The whole and the fractional part, at most so many places of it. full: all
    digits of the whole part, also beyond what tells the number from others."""
    digits, exp = shortest(x, size)
    head = "-" if _negative(x) else "+" if sign else ""
    if len(digits) - 1 - exp > places:
        shown = _exact(x, places, 0).rjust(places + 1, "0")
        whole, part = shown[: len(shown) - places], shown[len(shown) - places :]
    elif exp < 0:
        whole, part = "0", "0" * (-exp - 1) + digits
    elif full and len(digits) <= exp:
        whole, part = _exact(x, 0, 0), ""
    else:
        digits = digits.ljust(exp + 1, "0")
        whole, part = digits[: exp + 1], digits[exp + 1 :]
    return head + whole, part.rstrip("0")


def scientific(
    x: Any, size: int, places: int, sign: bool, full: bool = False
) -> Tuple[str, str, int]:
    """The digit before the point, those behind it, and the exponent. full: as
    many places as asked for, also beyond what tells the number from others."""
    digits, exp = shortest(x, size)
    head = "-" if _negative(x) else "+" if sign else ""
    if len(digits) - 1 > places or (full and x != 0):
        if digits == "1" and _below(x, exp):  # it is a bit less than that power of ten
            exp -= 1
        digits = _exact(x, places, exp)
        if len(digits) > places + 1:
            exp += 1
        digits = digits[: places + 1].rstrip("0") or "0"
    return head + digits[0], digits[1:], exp


def float_text(x: Any, size: int, numpy: Tuple[int, int] = (1, 0)) -> str:
    """A single number as str() of a numpy scalar gives it."""
    if isinstance(x, LongDouble):
        return str(x)
    if not _is_finite(x):
        return "nan" if x != x else "-inf" if x < 0 else "inf"
    digits, exp = shortest(x, size)
    sign = "-" if _negative(x) else ""
    most = {2: 3, 4: 6}.get(size, 16) if numpy >= (2, 3) else 16
    # The least is a double, and 1e-4 of a narrower number may be below it.
    if x == 0 or (-4 <= exp < most and abs(x) >= 0.0001):
        whole, part = positional(x, size, 400, False)
        return "%s.%s" % (whole, part or "0")
    rest = "." + digits[1:] if len(digits) > 1 else ""
    return "%s%s%se%s%02d" % (sign, digits[0], rest, "-" if exp < 0 else "+", abs(exp))


class _Floats:
    """How the numbers of an array are printed together."""

    def __init__(self, values: Sequence[Any], size: int, numpy: Tuple[int, int], sign: bool):
        self.size, self.sign = size, sign
        self.full = numpy >= (1, 21)
        finite = [x for x in values if _is_finite(x)]
        self.exp = _uses_exponent(finite, size, numpy)
        self.places, self.width = PRECISION, 0
        if not finite:
            self.left = self.right = 0
        elif self.exp:
            parts = [scientific(x, size, PRECISION, sign) for x in finite]
            self.places = max(len(p[1]) for p in parts)
            self.width = max(max(len(str(abs(p[2]))) for p in parts), 2)
            self.left = max(len(p[0]) for p in parts)
            self.right = self.width + 2 + self.places
        else:
            pairs = [positional(x, size, PRECISION, sign) for x in finite]
            self.left = max(len(p[0]) for p in pairs)
            self.right = max(len(p[1]) for p in pairs)
        if len(finite) != len(values):
            minus = sign or any(x == x and _negative(x) for x in values if not _is_finite(x))
            room = self.right + 1
            self.left = max(self.left, 3 - room, 3 + minus - room)

    def __call__(self, x: Any) -> str:
        if not _is_finite(x):
            plus = "+" if self.sign else ""
            out = plus + "nan" if x != x else "-inf" if _negative(x) else plus + "inf"
            return out.rjust(self.left + self.right + 1)
        if self.exp:
            head, rest, exp = scientific(x, self.size, self.places, self.sign, True)
            return "%s.%se%s%0*d" % (
                head.rjust(self.left), rest.ljust(self.places, "0"),
                "-" if exp < 0 else "+", self.width, abs(exp),
            )  # fmt: skip
        whole, part = positional(x, self.size, self.right, self.sign, self.full)
        return "%s.%s" % (whole.rjust(self.left), part.ljust(self.right))


def _rounded(x: float, size: int) -> float:
    try:
        return struct.unpack("<" + _CODES[size], struct.pack("<" + _CODES[size], x))[0]
    except OverflowError:
        return float("inf")


def _uses_exponent(finite: List[Any], size: int, numpy: Tuple[int, int]) -> bool:
    sizes = [abs(float(x)) for x in finite if x != 0]
    if not sizes:
        return False
    most, least = max(sizes), min(sizes)
    digits = {2: 3, 4: 6}.get(size, 8) if numpy >= (2, 3) else 8
    small, ratio = 0.0001, most / least if least else float("inf")
    if size < 8:
        ratio = _rounded(ratio, size)
        if numpy >= (2, 0):
            small = _rounded(small, size)
    return most >= 10.0**digits or least < small or ratio > 1000.0


def _complexes(values: Sequence[Any], size: int, numpy: Tuple[int, int]) -> Format:
    real = _Floats([v.real for v in values], size // 2, numpy, False)
    imag = _Floats([v.imag for v in values], size // 2, numpy, True)

    def show(v: Any) -> str:
        i = imag(v.imag)
        tail = len(i.rstrip())
        return real(v.real) + i[:tail] + "j" + i[tail:]

    return show


def _times(values: Sequence[Any], kind: str) -> Format:
    def plain(v: Any) -> str:
        return "'%s'" % v if kind == "M" else str(v.value)

    real = [v for v in values if str(v) != "NaT"]
    width = 0
    if real:
        ends = (min(real, key=lambda v: v.value), max(real, key=lambda v: v.value))
        width = max(len(plain(v)) for v in ends)
    if len(real) < len(values):
        width = max(width, 5)
    return lambda v: ("'NaT'" if str(v) == "NaT" else plain(v)).rjust(width)


def _object_text(value: Any) -> str:
    from ..render import text

    shown = text(value, 10000, 1000)
    return "list(%s)" % shown if type(value) is list else shown


def void_text(data: bytes) -> str:
    """Bytes of no type, as numpy has them."""
    return "b'%s'" % "".join("\\x%02X" % b for b in data)


def _bool_format(array: Array) -> Format:
    true = " True" if array.shape else "True"
    return lambda v: true if v else "False"


def _structured(array: Array, edge: int, plain: bool = False) -> Format:
    """plain: floats as str() gives them, as scalars of 2.x print."""
    formats = []
    for f in array.dtype.fields or ():
        part = _format_of(array.of_field(f.name), edge, plain)
        formats.append(_nested(part) if f.dtype.shape else part)

    def show(value: Any) -> str:
        parts = [fmt(v) for fmt, v in zip(formats, value)]
        return "(%s,)" % parts[0] if len(parts) == 1 else "(%s)" % ", ".join(parts)

    return show


def _nested(part: Format) -> Format:
    def show(value: Any) -> str:
        if not isinstance(value, Array) or not value.shape:
            return part(value)
        n = value.shape[0]
        if value.size > THRESHOLD and n > 2 * EDGE:
            picked = [*range(EDGE), None, *range(n - EDGE, n)]
        else:
            picked = [*range(n)]
        return "[%s]" % ", ".join("..." if i is None else show(value[i]) for i in picked)

    return show


def _edges(array: Array, edge: int) -> Iterator[int]:
    """Offsets of the items that are shown."""
    picked = []
    for n in array.shape:
        cut = edge and n > 2 * edge
        picked.append([*range(edge), *range(n - edge, n)] if cut else range(n))
    offsets = [array.offset]
    for rows, stride in zip(picked, array.strides):
        offsets = [o + i * stride for o in offsets for i in rows]
    return iter(offsets)


def _format_of(array: Array, edge: int, plain: bool = False) -> Format:
    """How the items of an array are printed; edge 0: all are."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if array.dtype.fields is not None:
        return _structured(array, edge, plain)
    if kind == "f" and plain:
        return lambda v: float_text(v, size, array.numpy)
    if kind == "b":
        return _bool_format(array)
    if kind in "SU":
        return lambda v: repr(v)
    if kind == "O":
        return _object_text
    if kind not in "iufcmM":
        return void_text
    values = [array.at(o) for o in _edges(array, edge)]
    if kind in "iu":
        width = max((len(str(max(values))), len(str(min(values))))) if values else 0
        return lambda v: "%*d" % (width, v)
    if kind == "f":
        return _Floats(values, size, array.numpy, False)
    if kind == "c":
        return _complexes(values, size, array.numpy)
    return _times(values, kind)


class _Lines:
    """Puts words into lines as numpy does."""

    def __init__(self, array: Array, fmt: Format, sep: str, edge: int) -> None:
        self.array, self.fmt, self.sep, self.edge = array, fmt, sep, edge

    def rows(self, offset: int, axis: int, indent: str, width: int) -> str:
        array = self.array
        left = array.ndim - axis
        if left == 0:
            return self.fmt(array.at(offset))
        n, stride, sep = array.shape[axis], array.strides[axis], self.sep
        cut = bool(self.edge) and 2 * self.edge < n
        first, last = (self.edge, self.edge) if cut else (0, n)
        at = [offset + i * stride for i in (*range(first), *range(n - last, n))]
        if left > 1:
            line_sep = sep.rstrip() + "\n" * (left - 1)
            parts = [self.rows(o, axis + 1, indent + " ", width - 1) for o in at]
            if cut:
                parts.insert(first, "...")
            return self._join(parts, indent, line_sep)
        room = width - max(len(sep.rstrip()), 1)
        done, line = "", indent
        for k, o in enumerate(at):
            if cut and k == first:
                done, line = _extend(done, line, "...", room, indent)
                line += sep
            done, line = _extend(done, line, self.fmt(array.at(o)), room, indent)
            if k < len(at) - 1:
                line += sep
        return "[" + (done + line)[len(indent) :] + "]"

    @staticmethod
    def _join(parts: List[str], indent: str, line_sep: str) -> str:
        whole = line_sep.join(indent + p for p in parts)
        return "[" + whole[len(indent) :] + "]"


def _extend(done: str, line: str, word: str, room: int, indent: str) -> Tuple[str, str]:
    words = word.splitlines() or [""]
    if len(words) == 1:
        if len(line) + len(word) > room and len(line) > len(indent):
            done += line.rstrip() + "\n"
            line = indent
        return done, line + word
    widest = max(map(len, words))
    if len(line) + widest > room and len(line) > len(indent):
        done += line.rstrip() + "\n"
        line, pad = indent + words[0], indent
    else:
        pad = " " * len(line)
        line += words[0]
    for word in words[1:]:
        done += line.rstrip() + "\n"
        line = pad + word
    return done, line + " " * (widest - len(words[-1]))


def body(array: Array, sep: str, prefix: str, suffix: str) -> str:
    """The brackets and what is in them."""
    if not array.size:
        return "[]"
    edge = EDGE if array.size > THRESHOLD else 0
    fmt = _format_of(array, edge)
    lines = _Lines(array, fmt, sep, edge)
    return lines.rows(array.offset, 0, " " * (len(prefix) + 1), WIDTH - len(suffix))


def _implied(dtype: Dtype, numpy: Tuple[int, int]) -> bool:
    if dtype.fields is not None or (dtype.swapped and numpy >= (1, 25)):
        return False
    return dtype.num in (0, 7, 12, 15)


def _short(dtype: Dtype, numpy: Tuple[int, int]) -> str:
    if dtype.fields is not None:
        return str(dtype)
    if dtype.kind in "SUV" or (dtype.swapped and numpy >= (1, 25)):
        return "'%s'" % dtype
    name = dtype.name
    return name if name.isalnum() else repr(name)


def array_repr(array: Array) -> str:
    """repr() of an array."""
    prefix = array.name + "("
    dtype, numpy = array.dtype, array.numpy
    implied = _implied(dtype, numpy) and array.size > 0
    extras = []
    empty = not array.size and array.shape != (0,)
    if numpy >= (2, 2) and (empty or array.size > THRESHOLD):
        extras.append("shape=%r" % (array.shape,))
    if not implied:
        extras.append("dtype=%s" % _short(dtype, numpy))
    try:
        out = prefix + body(array, ", ", prefix, ")")
    except NotDumpedError as e:
        return "<%s of shape %r, dtype %s: %s; %s>" % (
            array.name, array.shape, dtype, _first(array), e,
        )  # fmt: skip
    if not extras:
        return out + ")"
    if empty and numpy < (2, 2):
        out += ", shape=%r" % (array.shape,)
    out += ","
    extra = ", ".join(extras) + ")"
    last = len(out) - (out.rfind("\n") + 1)
    gap = "\n" + " " * len(prefix) if last + len(extra) + 1 > WIDTH else " "
    return out + gap + extra


def _first(array: Array) -> str:
    """The first items that are there."""
    found: List[Any] = []
    try:
        for at in array.offsets():
            if len(found) == 6:
                break
            found.append(array.at(at))
    except NotDumpedError:
        pass
    shown = ", ".join(scalar_text(v, array.dtype) for v in found)
    return "begins with [%s]" % shown if found else "no item is there"


def scalar_text(value: Any, dtype: Optional[Dtype], numpy: Tuple[int, int] = (1, 0)) -> str:
    """str() of one item."""
    if dtype is not None and dtype.kind == "f":
        return float_text(value, dtype.itemsize, numpy)
    if isinstance(value, bytes) and numpy >= (2, 0) and dtype is not None and dtype.kind == "S":
        return "np.bytes_(%r)" % value
    if isinstance(value, complex) and dtype is not None:
        return complex_text(value, dtype.itemsize // 2, numpy)
    if dtype is not None and dtype.kind == "V" and isinstance(value, bytes):
        return void_text(value)
    return str(value)


def complex_text(value: complex, size: int, numpy: Tuple[int, int] = (1, 0)) -> str:
    """str() of a complex scalar."""

    def part(x: float) -> str:
        out = float_text(x, size, numpy)
        return out[:-2] if out.endswith(".0") else out

    imag = part(value.imag)
    if value.real == 0 and not _negative(value.real):
        return imag + "j"
    return "(%s%s%sj)" % (part(value.real), "" if imag[:1] == "-" else "+", imag)


def array_str(array: Array) -> str:
    """str() of an array."""
    try:
        if not array.shape and array.dtype.fields is not None:
            return _structured(array, 0, array.numpy >= (2, 0))(array.at(array.offset))
        if not array.shape:
            return scalar_text(array.at(array.offset), array.dtype, array.numpy)
        return body(array, " ", "", "")
    except NotDumpedError:
        return array_repr(array)
