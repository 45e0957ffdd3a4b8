# SPDX-License-Identifier: Apache-2.0
"""The fields of a described C struct: attributes of origins 5 to 13."""

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Dict, Iterator, NamedTuple, Optional

from .marks import Placeholder, describe, marked
from .records import ORIGINS_WITH_BYTES, Record, utf8

if TYPE_CHECKING:
    from .objects import Graph

FIELD, INT, UINT, FLOAT, BOOL, TEXT, BYTES, INTS, ADDRESS = range(5, 14)

_UNITS = {TEXT: "bytes", BYTES: "bytes", INTS: "bytes"}


class Absent(LookupError):
    """The dump has no such field: the type was described in another way."""


class Address(int):
    """A remote address of something that is no object."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<address %#x>" % self


class Entry(NamedTuple):
    """One field: its origin, the 64-bit value, and where its bytes begin."""

    origin: int
    value: int
    at: int


class Fields(Mapping):
    """name -> value of a record's fields; each is decoded when asked for.

    A reference that is NULL is None here; `null` and `ref` tell them apart.
    """

    __slots__ = ("_entries", "_graph", "_rec")

    def __init__(self, graph: "Graph", rec: Record) -> None:
        self._graph, self._rec = graph, rec
        self._entries: Dict[str, Entry] = {}
        at = 0
        for (origin, name), value in zip(rec.shape, rec.values):
            if origin in range(FIELD, ADDRESS + 1):
                self._entries.setdefault(name, Entry(origin, value, at))
            if origin in ORIGINS_WITH_BYTES:
                at += value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Any:
        entry = self._entries[name]
        origin, value = entry.origin, entry.value
        if origin == FIELD:
            return self._graph.get(value) if value else None
        if origin == INT:
            return value - (1 << 64) if value >> 63 else value
        if origin == UINT:
            return value
        if origin == FLOAT:
            return struct.unpack("<d", struct.pack("<Q", value))[0]
        if origin == BOOL:
            return value != 0
        if origin == ADDRESS:
            return Address(value) if value else None
        return self._long(name, entry)

    def _long(self, name: str, entry: Entry) -> Any:
        data = self._rec.tail[entry.at : entry.at + entry.value]
        if len(data) != entry.value:
            return Placeholder("corrupt: field %s" % name)
        value: Any = data
        if entry.origin == TEXT:
            value = utf8(data)
        elif entry.origin == INTS:
            value = struct.unpack("<%dq" % (len(data) // 8), data[: len(data) // 8 * 8])
        note = self.note(name)
        return marked(value, note) if note else value

    def raw(self, name: str) -> bytes:
        """The bytes of a field, as far as they are there."""
        entry = self._entry(name)
        if entry.origin not in ORIGINS_WITH_BYTES:
            raise Absent(name)
        return bytes(self._rec.tail[entry.at : entry.at + entry.value])

    def note(self, name: str) -> str:
        """What is cut or wrong in this field alone, "" for nothing."""
        mark, entry = self._rec.mark, self._entries[name]
        if mark is not None and mark.word == "redacted" and entry.origin in (TEXT, BYTES):
            # It does not say which field: one that holds no asterisk is whole.
            data = self._rec.tail[entry.at : entry.at + entry.value]
            return describe(mark) if b"*" in data else ""
        if mark is None or mark.text.partition(":")[0] != "field " + name:
            return ""
        if mark.total is not None and entry.origin in ORIGINS_WITH_BYTES:
            return describe(mark, entry.value, _UNITS[entry.origin])
        return mark.word

    # -- for those who make an object of the fields: strict

    def _entry(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise Absent(name) from None

    def ref(self, name: str) -> int:
        """The address in a field that is a reference; 0 for NULL."""
        entry = self._entry(name)
        if entry.origin != FIELD:
            raise Absent(name)
        return entry.value

    def null(self, name: str) -> bool:
        """Whether it is a reference that is NULL, or not there."""
        entry = self._entries.get(name)
        return entry is None or (entry.origin in (FIELD, ADDRESS) and not entry.value)

    def number(self, name: str, lo: Optional[int] = None, hi: Optional[int] = None) -> int:
        """A number. ValueError when it is not within lo and hi."""
        if self._entry(name).origin not in (INT, UINT, BOOL):
            raise Absent(name)
        value = int(self[name])
        if (lo is not None and value < lo) or (hi is not None and value > hi):
            raise ValueError("%s is %d" % (name, value))
        return value

    def whole_text(self, name: str) -> str:
        """Text that is whole."""
        if self._entry(name).origin != TEXT:
            raise Absent(name)
        value = self[name]
        if type(value) is not str:
            raise ValueError("%s is not whole" % name)
        return value

    def whole_bytes(self, name: str) -> bytes:
        """Bytes that are whole."""
        if self._entry(name).origin != BYTES:
            raise Absent(name)
        value = self[name]
        if type(value) is not bytes:
            raise ValueError("%s is not whole" % name)
        return value
