# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for values that are not there or not whole. They never pass for
a value: each says in its repr what is wrong."""

import sys
from typing import Any, Dict, Optional, Tuple

from .records import Mark


class NotDumpedError(LookupError):
    """Raised where going on would pass a part off as the whole."""


class Placeholder:
    """An object that the dump does not have; its repr says why."""

    __slots__ = ("address", "reason")

    def __init__(self, reason: str, address: int = 0) -> None:
        self.reason = printable(reason)
        self.address = address

    def __repr__(self) -> str:
        return "<%s>" % self.reason

    @property
    def __class__(self) -> type:  # type: ignore
        # isinstance() at the prompt: it may well be what is asked for.
        if type(sys._getframe(1).f_globals) is not dict:
            raise NotDumpedError("of no known type: %r" % self)
        return Placeholder

    def __bool__(self) -> bool:
        raise NotDumpedError("neither true nor false: %r" % self)

    def __eq__(self, other: Any) -> bool:
        if self is other:
            return True
        raise NotDumpedError("not to be compared: %r" % self)

    def __ne__(self, other: Any) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(id(self))


class EqualKey:
    """A key that cannot stand in a dict or set here as it did in the program.

    There its own __eq__ and __hash__ told it from the others, or made it
    hashable at all; here they are not run. `value` is the key.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        from .render import text

        return "<key %s>" % text(self.value)


def printable(s: str, limit: int = 400) -> str:
    """s as one line without control characters or lone surrogates."""
    if len(s) > limit:
        s = s[:limit] + "..."
    if s.isprintable():
        return s
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in s)


def describe(mark: Mark, have: Optional[int] = None, unit: str = "") -> str:
    """What a mark says, such as "truncated: 10 of 2000 characters"."""
    out = mark.word
    if mark.total is not None and have is not None:
        out += ": %d of %d %s" % (have, mark.total, unit)
    elif mark.text:
        out += ": " + printable(mark.text)
    return out


_classes: Dict[Tuple[type, type], type] = {}


def marked(value: Any, note: str) -> Any:
    """A value that is not whole: equal to its part, but its repr tells."""
    base = type(value)
    if not isinstance(value, (int, float, complex, str, bytes, bytearray)):
        return Placeholder(note)
    if base is bool:
        return Placeholder("%s: %r" % (note, value))
    cls = _classes.get((base, Marked))
    if cls is None:
        cls = type("Marked_" + base.__name__, (Marked, base), {})
        _classes[base, Marked] = cls
    out = base.__new__(cls, value) if base is not bytearray else cls(value)
    out.note = note
    return out


class Marked:
    """Mixed into builtin values that are not whole. `note` says why."""

    note = ""

    def __repr__(self) -> str:
        base = type(self).__mro__[2]
        return "%s <%s>" % (base.__repr__(self), self.note)  # type: ignore
