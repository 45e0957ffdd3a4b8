# SPDX-License-Identifier: Apache-2.0
"""decimal: numbers and contexts."""

import decimal
from typing import Any

from ..refs import Ref
from . import real


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
