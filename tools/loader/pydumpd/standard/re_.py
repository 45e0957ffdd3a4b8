# SPDX-License-Identifier: Apache-2.0
"""re: patterns and matches. Nothing is compiled here: a pattern of a dump is
text of whoever wrote the dump, and compiling may take as long as that likes."""

import types
from typing import Any, Dict, List, Tuple

from ..marks import NotDumpedError
from . import Standard, fields, full_name, surrogate

# In the order of the repr, which is that of enum re.RegexFlag's values.
_FLAGS = (
    ("re.TEMPLATE", 1), ("re.IGNORECASE", 2), ("re.LOCALE", 4), ("re.MULTILINE", 8),
    ("re.DOTALL", 16), ("re.UNICODE", 32), ("re.VERBOSE", 64), ("re.DEBUG", 128),
    ("re.ASCII", 256),
)  # fmt: skip


@surrogate("re.Pattern", "_sre.SRE_Pattern")
class Pattern(Standard):
    __slots__ = ()

    @property
    def groupindex(self) -> Any:
        found = _groupindex(self)
        return {} if fields(self).null("groupindex") else types.MappingProxyType(found)

    def _shown(self) -> str:
        from ..render import text

        f = fields(self)
        pattern, flags = f.get("pattern"), f.get("flags", 0)
        if isinstance(pattern, str) and flags & (4 | 32 | 256) == 32:
            flags &= ~32
        names = []
        for name, bit in _FLAGS:
            if flags & bit:
                names.append(name)
                flags &= ~bit
        if flags:
            names.append("%#x" % flags)
        # As C code does: 200 characters of the pattern's repr.
        shown = text(pattern)[:200]
        return "re.compile(%s%s)" % (shown, ", " + "|".join(names) if names else "")

    def __eq__(self, other: Any) -> Any:
        if self is other:
            return True
        if not isinstance(other, Pattern):
            return NotImplemented
        a, b = fields(self), fields(other)
        return a["flags"] == b["flags"] and a["pattern"] == b["pattern"]

    def __hash__(self) -> int:
        return hash((fields(self)["flags"], fields(self)["pattern"]))


def _groupindex(pattern: Any) -> Dict[Any, int]:
    found = fields(pattern).get("groupindex")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise NotDumpedError("the names of the groups: %r" % (found,))
    return found


@surrogate("re.Match", "_sre.SRE_Match")
class Match(Standard):
    __slots__ = ()

    def _spans(self) -> Tuple[Tuple[int, int], ...]:
        spans = fields(self).get("spans")
        if not isinstance(spans, tuple) or len(spans) < 2 or len(spans) % 2:
            raise NotDumpedError("where the groups are is not in the dump")
        return tuple(zip(spans[::2], spans[1::2]))

    def _number(self, group: Any) -> int:
        if isinstance(group, int):
            number = group
        else:
            number = _groupindex(fields(self)["re"]).get(group, -1)
        if not 0 <= number < len(Match._spans(self)):
            raise IndexError("no such group")
        return number

    def _one(self, number: int, default: Any = None) -> Any:
        start, end = Match._spans(self)[number]
        string = fields(self)["string"]
        if start < 0 or end < 0:
            return default
        if not isinstance(string, (str, bytes, bytearray)):
            raise NotDumpedError("the text: %r" % (string,))
        if end > len(string) or start > end:
            raise NotDumpedError("the text has changed, or is not whole")
        part = string[start:end]
        return bytes(part) if isinstance(part, bytearray) else part

    def group(self, *groups: Any) -> Any:
        """The text of groups."""
        found = tuple(Match._one(self, Match._number(self, g)) for g in groups or (0,))
        return found[0] if len(found) == 1 else found

    def __getitem__(self, group: Any) -> Any:
        return Match._one(self, Match._number(self, group))

    def groups(self, default: Any = None) -> Tuple[Any, ...]:
        """The text of all groups."""
        return tuple(Match._one(self, i, default) for i in range(1, len(Match._spans(self))))

    def groupdict(self, default: Any = None) -> Dict[Any, Any]:
        """name -> text of the groups that have names."""
        index = _groupindex(fields(self)["re"])
        return {k: Match._one(self, Match._number(self, i), default) for k, i in index.items()}

    def span(self, group: Any = 0) -> Tuple[int, int]:
        """Where a group begins and ends."""
        return Match._spans(self)[Match._number(self, group)]

    def start(self, group: Any = 0) -> int:
        """Where a group begins."""
        return Match.span(self, group)[0]

    def end(self, group: Any = 0) -> int:
        """Where a group ends."""
        return Match.span(self, group)[1]

    @property
    def lastindex(self) -> Any:
        n = fields(self)["lastindex"]
        return n if n >= 0 else None

    @property
    def lastgroup(self) -> Any:
        n = fields(self)["lastindex"]
        names = fields(fields(self)["re"]).get("indexgroup")
        found: List[Any] = list(names) if isinstance(names, tuple) else []
        if 0 <= n < len(found):
            return found[n]
        index = _groupindex(fields(self)["re"])
        return next((k for k, i in index.items() if i == n), None)

    @property
    def regs(self) -> Any:
        return Match._spans(self)

    def _shown(self) -> str:
        from ..render import text

        name = full_name(self)
        if name == "_sre.SRE_Match":  # as 3.6 and 3.7 called it
            name = "re.Match"
        try:
            match = text(Match._one(self, 0))[:50]  # C code shows 50 characters
            return "<%s object; span=%r, match=%s>" % (name, Match.span(self), match)
        except (NotDumpedError, KeyError) as e:
            return "<%s object; %s>" % (name, e)
