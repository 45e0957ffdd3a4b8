# SPDX-License-Identifier: Apache-2.0
"""decimal, array, random, struct."""

import array as real_array
import decimal
import struct
import sys
from typing import Any

from ..marks import NotDumpedError
from ..refs import Ref
from . import Absent, Shown, Standard, fields, full_name, own, real, surrogate


@real(decimal.Decimal, "decimal.Decimal")
def _decimal(ref: Ref, cls: type) -> Any:
    text = ref.fields.whole_text("text")
    try:
        return decimal.Decimal.__new__(cls, text, decimal.Context(traps=[decimal.InvalidOperation]))
    except decimal.InvalidOperation:
        raise ValueError("not a number: %.60r" % text) from None


_ROUNDING = (
    "ROUND_UP", "ROUND_DOWN", "ROUND_CEILING", "ROUND_FLOOR", "ROUND_HALF_UP", "ROUND_HALF_DOWN",
    "ROUND_HALF_EVEN", "ROUND_05UP",
)  # fmt: skip
# As libmpdec numbers them (mpdecimal.h). The conditions that IEEE calls an
# invalid operation are one signal.
_SIGNALS = (
    (0x000003BA, decimal.InvalidOperation),
    (0x00000400, decimal.FloatOperation),
    (0x00000004, decimal.DivisionByZero),
    (0x00000800, decimal.Overflow),
    (0x00004000, decimal.Underflow),
    (0x00002000, decimal.Subnormal),
    (0x00000040, decimal.Inexact),
    (0x00001000, decimal.Rounded),
    (0x00000001, decimal.Clamped),
)


@real(decimal.Context, "decimal.Context")
def _context(ref: Ref, cls: type) -> Any:
    f = ref.fields
    return decimal.Context(
        prec=f.number("prec", 1),
        rounding=_ROUNDING[f.number("round", 0, len(_ROUNDING) - 1)],
        Emin=f.number("Emin"),
        Emax=f.number("Emax"),
        capitals=f.number("capitals", 0, 1),
        clamp=f.number("clamp", 0, 1),
        flags=_signals(f.number("status_bits")),
        traps=_signals(f.number("trap_bits")),
    )


def _signals(bits: int) -> Any:
    return [signal for mask, signal in _SIGNALS if bits & mask]


#: Typecodes whose items have the same size wherever this loader runs.
_SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "l": 8, "L": 8, "q": 8, "Q": 8,
          "f": 4, "d": 8, "u": 4, "w": 4}  # fmt: skip


def _array(ref: Ref, cls: type) -> Any:
    code, data = ref.fields.whole_text("typecode"), ref.fields.whole_bytes("data")
    size = _SIZES.get(code)
    if size is None:
        raise ValueError("typecode %.20r" % code)
    if len(data) % size:
        raise ValueError("%d bytes of typecode %r" % (len(data), code))
    if code not in real_array.typecodes or real_array.array(code).itemsize != size:
        raise Absent("typecode")
    if code in "uw":
        try:
            data.decode("utf-32-le", "surrogatepass")
        except UnicodeDecodeError:
            raise ValueError("text that is no text") from None
    out = real_array.array.__new__(cls, code)
    real_array.array.frombytes(out, data)
    if sys.byteorder == "big":
        real_array.array.byteswap(out)
    return out


real(real_array.array, "array.array")(_array)


@surrogate("struct.Struct", "_struct.Struct", "Struct")
class Struct(Standard):
    __slots__ = ()

    @property
    def format(self) -> Any:
        value = fields(self)["format"]
        return value.decode("ascii", "replace") if isinstance(value, bytes) else value


@surrogate("_random.Random", "random.Random")
class Random(Standard):
    """The Mersenne twister: 624 words and a position."""

    __slots__ = ()

    def getstate(self) -> Any:
        """As random.Random has it: version, words and position, next gauss."""
        raw, index = fields(self)["state"], fields(self)["index"]
        if type(raw) is not bytes or len(raw) != 2496:
            raise NotDumpedError("the state is not in the dump")
        words = (*struct.unpack("<624I", raw), index)
        return 3, words, own(self, "gauss_next")

    def _shown(self) -> Any:
        return Shown("%s(" % full_name(self), iter(_state(self)), ")")


def _state(obj: Any) -> Any:
    if "index" in fields(obj):
        yield "index=", fields(obj)["index"]
    gauss = own(obj, "gauss_next")
    if gauss is not None:
        yield "gauss_next=", gauss
