# SPDX-License-Identifier: Apache-2.0
"""xml.etree and csv."""

from typing import Any, Iterator

from ..refs import ref_of
from ..render import text
from . import Items, Standard, fields, surrogate

_DEPTH = 1000000


@surrogate("xml.etree.ElementTree.Element", "_elementtree.Element")
class Element(Items):
    """The children are its items."""

    __slots__ = ()

    @property
    def attrib(self) -> Any:
        """Its attributes; none when there is no room for any."""
        f = fields(self)
        return {} if f["tag"] is not None and f.null("attrib") else f["attrib"]

    def _text(self, name: str) -> Any:
        f = fields(self)
        value = f[name]
        # Read from a file in pieces, and not joined yet.
        if f.get(name + "_in_pieces") and isinstance(value, list):
            return "".join(value)
        return value

    @property
    def text(self) -> Any:
        """What stands before the first child."""
        return Element._text(self, "text")

    @property
    def tail(self) -> Any:
        """What stands after its end."""
        return Element._text(self, "tail")

    def get(self, key: Any, default: Any = None) -> Any:
        """An attribute."""
        return self.attrib.get(key, default)

    def keys(self) -> Any:
        """The names of its attributes."""
        return self.attrib.keys()

    def items(self) -> Any:
        """Its attributes."""
        return self.attrib.items()

    def iter(self, tag: Any = None) -> Iterator[Any]:
        """It and all below it, in the order of the document."""
        stack, seen = [self], 0
        while stack and seen < _DEPTH:
            seen += 1
            element = stack.pop()
            if tag in (None, "*", fields(element).get("tag")):
                yield element
            stack += [e for e in reversed(list(element)) if isinstance(e, Element)]

    def __bool__(self) -> bool:
        return len(self) > 0

    def _shown(self) -> Any:
        tag = text(fields(self)["tag"], 2000)
        return "<Element %s at %#x>" % (tag, ref_of(self).rec.addr)


@surrogate("_csv.Dialect")
class Dialect(Standard):
    __slots__ = ()

    def _char(self, name: str) -> Any:
        code = fields(self)[name + "_code"]
        # Not set is 0 or, later, what is no character.
        return chr(code) if 0 < code < 0x110000 else None

    @property
    def delimiter(self) -> Any:
        """Stands between fields."""
        return Dialect._char(self, "delimiter")

    @property
    def quotechar(self) -> Any:
        """Stands around fields, or None."""
        return Dialect._char(self, "quotechar")

    @property
    def escapechar(self) -> Any:
        """Takes the meaning of what follows, or None."""
        return Dialect._char(self, "escapechar")
