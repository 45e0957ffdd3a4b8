# SPDX-License-Identifier: Apache-2.0
"""Fractions."""

import fractions
from typing import Any

from ..refs import Ref
from . import real
from .written import attributes, exactly, whole


@real(fractions.Fraction, "fractions.Fraction", python=True)
def fraction(ref: Ref, cls: type) -> Any:
    """From numerator and denominator."""
    whole(cls, fractions.Fraction)
    n, d = attributes(ref, "_numerator", "_denominator")
    return fractions.Fraction(exactly(n, int), exactly(d, int))
