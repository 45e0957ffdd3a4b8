# SPDX-License-Identifier: Apache-2.0
"""xml.etree, csv, rows of sqlite3."""

from typing import Any, Iterator

from ..marks import NotDumpedError, printable
from ..refs import ref_of
from ..render import text
from . import Items, Standard, class_name, fields, full_name, own, surrogate

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

    def _flag(self, name: str) -> Any:
        flag = fields(self)[name]
        return int(flag) if ref_of(self).graph.python < (3, 8) else flag

    @property
    def doublequote(self) -> Any:
        """Whether a quote within quotes is written twice."""
        return Dialect._flag(self, "doublequote")

    @property
    def skipinitialspace(self) -> Any:
        """Whether blanks after the delimiter are left out."""
        return Dialect._flag(self, "skipinitialspace")

    @property
    def strict(self) -> Any:
        """Whether bad input is an error."""
        return Dialect._flag(self, "strict")

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


@surrogate("csv.DictReader")
class DictReader(Standard):
    __slots__ = ()

    @property
    def fieldnames(self) -> Any:
        """None before the first row, when it was not given."""
        return own(self, "_fieldnames")

    def _shown(self) -> Any:
        return "<%s object at %#x>" % (full_name(self), ref_of(self).rec.addr)


@surrogate("xml.etree.ElementTree.QName")
class QName(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        return "<%s %s>" % (class_name(self), text(own(self, "text"), 2000))


@surrogate("sqlite3.Row")
class Row(Standard):
    """A row of a result: by position, and by the names of its description."""

    __slots__ = ()

    def _data(self) -> Any:
        data = fields(self)["data"]
        if not isinstance(data, tuple):
            raise NotDumpedError("its values: %r" % (data,))
        return data

    def keys(self) -> Any:
        """The names of the columns."""
        columns = fields(self)["description"]
        return [c[0] for c in columns] if isinstance(columns, tuple) else []

    def __len__(self) -> int:
        return len(Row._data(self))

    def __iter__(self) -> Iterator[Any]:
        return iter(Row._data(self))

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return Row._data(self)[key]
        for name, value in zip(Row.keys(self), Row._data(self)):
            if isinstance(name, str) and name.lower() == key.lower():
                return value
        raise IndexError("No item with that key")

    def _shown(self) -> Any:
        pairs = zip(Row.keys(self), Row._data(self))
        inner = ", ".join("%s=%s" % (printable(str(k)), text(v, 2000)) for k, v in pairs)
        return "%s(%s)" % (full_name(self), inner)
