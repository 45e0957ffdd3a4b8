# SPDX-License-Identifier: Apache-2.0
"""Template strings (3.14 on)."""

from typing import Any, Iterator, Tuple

from . import Shown, Standard, fields, surrogate


@surrogate("string.templatelib.Template")
class Template(Standard):
    __slots__ = ()

    @property
    def strings(self) -> Any:
        return fields(self)["strings"]

    @property
    def interpolations(self) -> Any:
        return fields(self)["interpolations"]

    @property
    def values(self) -> Any:
        return tuple([fields(i)["value"] for i in self.interpolations])

    def __iter__(self) -> Iterator[Any]:
        """Its texts that are not empty, and its interpolations, in order."""
        strings, between = self.strings, self.interpolations
        for i, text in enumerate(strings):
            if text:
                yield text
            if i < len(between):
                yield between[i]

    def _shown(self) -> Any:
        f = fields(self)
        parts = ((name + "=", f[name]) for name in ("strings", "interpolations"))
        return Shown("Template(", parts, ")", 2)


@surrogate("string.templatelib.Interpolation")
class Interpolation(Standard):
    __slots__ = ()
    __match_args__ = ("value", "expression", "conversion", "format_spec")

    def _shown(self) -> Any:
        names: Tuple[str, ...] = Interpolation.__match_args__
        f = fields(self)
        return Shown("Interpolation(", (("", f[name]) for name in names), ")", len(names))
