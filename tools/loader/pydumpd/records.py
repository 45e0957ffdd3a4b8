# SPDX-License-Identifier: Apache-2.0
"""The objects of a dump as the file has them: batches of rows in columns.

A batch that a few objects are wanted of is decoded no further than these; one
that many are wanted of, once and as a whole.
"""

import struct
from array import array
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .columns import Column, DumpError, Numbers, Refs, Sums, joined, references

if TYPE_CHECKING:
    from .dumpfile import DumpFile


class Kind(NamedTuple):
    """A node kind as the header describes it."""

    id: int
    name: str
    fields: Tuple[str, ...]
    rest: str


class Mark(NamedTuple):
    """What is wrong or cut in an object."""

    word: str
    total: Optional[int]
    text: str


#: Attributes whose bytes stand at the end of the object's value: text, bytes,
#: integers.
ORIGINS_WITH_BYTES = (10, 11, 12)

MARKS = {
    1: "unreadable",
    2: "corrupt",
    3: "torn",
    4: "truncated",
    5: "redacted",
    6: "limit",
}


class Shape(List[Tuple[int, str]]):
    """The origins and names of an object's attributes."""

    _inline: Optional[Dict[str, int]] = None

    def inline(self, name: str) -> Optional[int]:
        """The position of an attribute, of objects that have all of theirs
        inline."""
        found = self._inline
        if found is None:
            found = self._inline = {}
            if not any(origin for origin, _ in self):
                names = [name for _, name in self]
                found.update(zip(names, range(len(names))))
                if len(found) < len(names):
                    found.clear()
        return found.get(name)


_NO_SHAPE = Shape()


class Record(NamedTuple):
    """One object as the file has it. `refs` and `values` are addresses."""

    addr: int
    type: int
    kind: Kind
    size: int
    refcnt: int
    refs: Refs
    shape: Shape
    values: Refs
    data: bytes
    mark: Optional[Mark]
    #: the bytes of attributes of origins 10 to 12, in the order of the shape
    tail: bytes = b""

    def field(self, name: str) -> int:
        """The reference in a field of the kind; 0 when it has none."""
        try:
            i = self.kind.fields.index(name)
        except ValueError:
            return 0
        return self.refs[i] if i < len(self.refs) else 0

    def rest(self) -> Refs:
        """The references after the fields."""
        n = len(self.kind.fields)
        return self.refs[n:] if n else self.refs


_OBJECT_COLUMNS = (
    "addr", "type", "node", "shape", "size", "refcnt", "nrefs", "nattrs", "vlen",
)  # fmt: skip


_NONE = array("Q")
# An address is looked for this often, and this many objects are decoded, before
# a batch is decoded as a whole.
_LOOKS, _RECORDS = 500, 300
# The same for its references, unless there are too many of them.
_REFERRED, _REFS_MAX = 64, 1 << 18
# References that are cheaper to get one by one.
_FEW = 6


class _Plain(NamedTuple):
    """The columns of a batch as a whole, by row."""

    type: Sequence[int]
    node: Sequence[int]
    shape: Sequence[int]
    size: Sequence[int]
    refcnt: Sequence[int]
    nrefs: Sequence[int]
    nattrs: Sequence[int]
    vlen: Sequence[int]
    ref_at: Sequence[int]
    value_at: Sequence[int]


class Batch:
    """One "objects" frame."""

    def __init__(self, frame: Dict[str, Any], file: "DumpFile") -> None:
        self.kinds = file.kinds
        self._columns = {name: file.column(name) for name in (*_OBJECT_COLUMNS, "refs")}
        self._frame = frame
        self._decoded: Dict[str, "array[int]"] = {}
        n = self._columns["addr"].count(frame.get("addr"))
        same = all(self._columns[c].count(frame.get(c)) == n for c in _OBJECT_COLUMNS)
        if frame.get("n", n) != n or not same:
            raise DumpError("an objects frame has columns of unequal length")
        types = frame.get("types")
        shapes = frame.get("shapes")
        if not isinstance(types, list) or not isinstance(shapes, list):
            raise DumpError("an objects frame has no types or shapes")
        self._types = [t if isinstance(t, int) else 0 for t in types]
        self._raw_shapes = shapes
        self._shapes: Dict[int, Shape] = {}
        refs = self._columns["refs"]
        #: the references as they stand in the frame, where these are shuffled
        self._shuffled: Optional[bytes] = None
        if refs.delta or refs.width != 8:
            plain = Column("refs", "u64")
            self._refs = plain.planes(refs.decode(frame.get("refs")).tobytes())
        else:
            self._refs = refs.planes(frame.get("refs"))
            self._shuffled = frame["refs"] if refs.shuffle else None
        values = frame.get("values")
        if not isinstance(values, bytes):
            raise DumpError("an objects frame has no values")
        self._values = values
        self._ref_at = self._sums("nrefs", "nattrs")
        self._value_at = self._sums("vlen")
        if self._ref_at.total() != len(self._refs[0]) or self._value_at.total() != len(values):
            raise DumpError("an objects frame has counts that do not add up")
        self.marks: Dict[int, Mark] = {}
        marks = frame.get("marks")
        for m in marks if isinstance(marks, list) else ():
            if isinstance(m, dict) and isinstance(m.get("i"), int):
                total, text = m.get("total"), m.get("text")
                self.marks[m["i"]] = Mark(
                    MARKS.get(m.get("mark"), "damaged"),
                    total if isinstance(total, int) else None,
                    text if isinstance(text, str) else "",
                )
        self._numbers = Numbers(self._columns["addr"], frame.get("addr"))
        self._looks = self._records = self._referred = 0
        #: address -> row, once many were looked for
        self.rows: Optional[Dict[int, int]] = None
        self._cells: List[Sequence[int]] = []
        #: who has decoded its numbers and texts
        self.decoded_for: Any = None
        self._plain: Optional[_Plain] = None
        self._whole: Optional["array[int]"] = None

    @property
    def addr(self) -> "array[int]":
        """The addresses of its objects."""
        return self._numbers.all()

    def type_at(self, number: int) -> int:
        """The address of a type by its number in this batch; 0 for none."""
        return self._types[number] if number < len(self._types) else 0

    def plain_values(self, first: int, end: int, base: type) -> Optional[Sequence[Any]]:
        """The values of ints, floats, str or bytes in a span of rows; None
        where one of them is marked, has attributes or is no value."""
        p = self.plain()
        if any(map(self.marks.__contains__, range(first, end))) or any(p.nattrs[first:end]):
            return None
        at = p.value_at[first : end + 1]
        data = self._values[at[0] : at[-1]]
        if base is float:
            if any(n != 8 for n in p.vlen[first:end]):
                return None
            return struct.unpack("<%dd" % (end - first), data)
        spans = [(a - at[0], b - at[0]) for a, b in zip(at, at[1:])]
        if base is int:
            return [int.from_bytes(data[a:b], "little", signed=True) for a, b in spans]
        if base is bytes:
            return [data[a:b] for a, b in spans]
        try:
            if data.isascii():
                text = data.decode("ascii")
                return [text[a:b] for a, b in spans]
            return [data[a:b].decode("utf-8", "surrogatepass") for a, b in spans]
        except UnicodeDecodeError:
            return None

    def _column(self, name: str) -> "array[int]":
        found = self._decoded.get(name)
        if found is None:
            found = self._decoded[name] = self._columns[name].decode(self._frame.get(name))
        return found

    def _sums(self, *names: str) -> Sums:
        planes = []
        for name in names:
            column = self._columns[name]
            if column.delta:
                plain = Column(name, "u%d" % column.bits)
                planes.append(plain.planes(self._column(name).tobytes()))
            else:
                planes.append(column.planes(self._frame.get(name)))
        return Sums(*planes)

    def find(self, addr: int) -> Optional[int]:
        """The row of an address."""
        if self.rows is None:
            self._looks += 1
            if self._looks <= _LOOKS:
                row = self._numbers.find(addr)
                return None if row < 0 else row
            self.rows = self._numbers.rows()
        return self.rows.get(addr)

    def _shape(self, i: int, n: int) -> "Shape":
        out = self._shapes.get(i)
        if out is None:
            shape = self._raw_shapes[i] if i < len(self._raw_shapes) else []
            out = Shape()
            for entry in shape if isinstance(shape, list) else []:
                if isinstance(entry, list) and len(entry) == 2:
                    out.append((entry[0], text_of(entry[1])))
                else:
                    out.append((4, "?"))
            self._shapes[i] = out
        if len(out) != n:
            raise DumpError("an object has another number of attributes than names")
        return out

    def references(self, start: int, end: int) -> Refs:
        if self._whole is None:
            self._referred += 1
            if self._referred <= _REFERRED or len(self._refs[0]) > _REFS_MAX:
                raw = self._shuffled
                if raw is None or end - start > _FEW:
                    return references(self._refs, start, end)
                n = len(self._refs[0])
                return array("Q", [int.from_bytes(raw[j::n], "little") for j in range(start, end)])
            self._whole = joined(self._refs, "Q")
        return self._whole[start:end]

    def plain(self) -> _Plain:
        """The columns, decoded as a whole."""
        if self._plain is None:
            columns = [self._column(name) for name in _OBJECT_COLUMNS[1:]]
            nrefs, nattrs, vlen = columns[5:]
            ref_at = accumulate(map(add, nrefs, nattrs))
            self._plain = _Plain(*columns, [0, *ref_at], [0, *accumulate(vlen)])
        return self._plain

    def _few(self) -> List[Sequence[int]]:
        """The columns, of which only a few elements are decoded."""
        if not self._cells:
            names = _OBJECT_COLUMNS[1:]
            self._cells = [self._columns[name].cells(self._frame[name]) for name in names]
        return self._cells

    def text(self, i: int) -> Optional[bytes]:
        """The bytes of a str in row i that is nothing but that; None of others."""
        p = self._plain
        node, nattrs, vlen = (p.node, p.nattrs, p.vlen) if p else self._few_of_text()
        kind = self.kinds.get(node[i])
        if kind is None or kind.name != "str" or nattrs[i] or i in self.marks:
            return None
        own = p.value_at[i] if p else self._value_at.before(i)
        return self._values[own : own + vlen[i]]

    def _few_of_text(self) -> Tuple[Sequence[int], Sequence[int], Sequence[int]]:
        few = self._few()
        return few[1], few[6], few[7]

    def record(self, i: int, addr: Optional[int] = None) -> Record:
        """The object in row i; its address need not be looked for when it is
        known."""
        p = self._plain
        if p is None:
            self._records += 1
            if self._records > _RECORDS:
                p = self.plain()
        if p is None:
            t, k, shape_at, size, refcnt, nrefs, nattrs, vlen = [c[i] for c in self._few()]
            start, own = self._ref_at.before(i), self._value_at.before(i)
        else:
            t, k, shape_at, size, refcnt = p.type[i], p.node[i], p.shape[i], p.size[i], p.refcnt[i]
            nrefs, nattrs, vlen = p.nrefs[i], p.nattrs[i], p.vlen[i]
            start, own = p.ref_at[i], p.value_at[i]
        data = self._values[own : own + vlen]
        mark, tail = self.marks.get(i), b""
        shape, values = _NO_SHAPE, _NONE
        if nattrs:
            middle = start + nrefs
            shape = self._shape(shape_at, nattrs)
            values = self.references(middle, middle + nattrs)
            own = vlen
            for (origin, _), value in zip(shape, values):
                if origin in ORIGINS_WITH_BYTES:
                    own -= value
            if own < 0:
                own = len(data)
                mark = mark or Mark("corrupt", None, "attributes longer than the object")
            data, tail = data[:own], data[own:]
        return Record(
            self._numbers.at(i) if addr is None else addr,
            self.type_at(t),
            self.kinds[k] if k in self.kinds else Kind(k, "object", (), ""),
            size,
            refcnt,
            self.references(start, start + nrefs) if nrefs else _NONE,
            shape,
            values,
            data,
            mark,
            tail,
        )


def utf8(data: bytes) -> str:
    """Text as the program had it, or bytes that are no text escaped."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def text_of(value: Any) -> str:
    """A text of the file's own, whatever is in its place."""
    if isinstance(value, bytes):
        return utf8(value)
    return value if isinstance(value, str) else str(value)[:200]
