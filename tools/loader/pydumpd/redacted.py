# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for text and bytes that hold secrets.

Each knows its true length, the rule that kept it out, and a tag: equal secrets
of one dump have equal tags. What would need the secret raises NotDumpedError.
"""

from typing import Any, Iterator, Optional, Tuple

from .cuts import BASES, UNITS, Cut
from .marks import printable
from .records import Mark
from .refs import ref_of


def rule_and_tag(mark: Mark) -> Tuple[str, Optional[str]]:
    """What the text of a mark says: "RULE tag=XXXXXXXX"."""
    rule, _, tag = printable(mark.text).partition(" tag=")
    return rule, tag or None


def describe(mark: Mark) -> str:
    """ "rule bearer, tag 1a2b3c4d" """
    rule, tag = rule_and_tag(mark)
    out = "rule " + rule if rule else "no rule"
    return "%s, tag %s" % (out, tag) if tag else out


class Redacted(Cut):
    """A str, bytes or bytearray that is secret, or has asterisks for it."""

    __slots__ = ()

    def _mark(self) -> Mark:
        mark = ref_of(self).rec.mark
        assert mark is not None
        return mark

    def _note(self) -> str:
        return "redacted: " + describe(self._mark())

    def __repr__(self) -> str:
        if self._part:
            return "%r <%s>" % (self._part, self._note())
        kind, mark = ref_of(self).rec.kind.name, self._mark()
        size = "" if mark.total is None else "%d %s, " % (mark.total, UNITS[kind])
        return "<redacted %s, %s%s>" % (ref_of(self).cls.__name__, size, describe(mark))

    __str__ = __repr__

    def __iter__(self) -> Iterator[Any]:
        return self._refuse("iteration")

    def __getitem__(self, key: Any) -> Any:
        return self._refuse("an item")

    def __contains__(self, value: Any) -> bool:
        return self._refuse("in")

    def startswith(self, prefix: Any) -> bool:
        """Not known."""
        return self._refuse("startswith()")

    def _order(self, other: Any) -> Optional[int]:
        base = BASES[ref_of(self).rec.kind.name]
        is_text = issubclass(type(other), str) or (
            issubclass(type(other), Cut) and BASES[ref_of(other).rec.kind.name] is str
        )
        if not is_text and not issubclass(type(other), (bytes, bytearray, Cut)):
            return None
        return None if is_text is not (base is str) else 0

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if self._order(other) is None:
            return NotImplemented
        if issubclass(type(other), Redacted):
            mine, theirs = rule_and_tag(self._mark())[1], rule_and_tag(other._mark())[1]
            if mine and theirs:
                return mine == theirs and self._part == other._part
        if self._mark().total is not None and len(self) != len(other):
            return False
        if issubclass(type(other), Cut):
            return self._refuse("==")
        # What is no asterisk is as it was.
        star = "*" if isinstance(self._part, str) else ord("*")
        if any(a not in (star, b) for a, b in zip(self._part, other)):
            return False
        return self._refuse("==")

    def __hash__(self) -> int:
        if ref_of(self).rec.kind.name == "bytearray":
            raise TypeError("unhashable type: 'bytearray'")
        tag = rule_and_tag(self._mark())[1]
        return hash((tag, bytes(ref_of(self).rec.data))) if tag else object.__hash__(self)
