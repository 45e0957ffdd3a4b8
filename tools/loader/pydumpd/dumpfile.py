# SPDX-License-Identifier: Apache-2.0
"""The container of a dump: zstd frames, their index, columns and records.

Knows doc/FORMAT.md and nothing of Python objects. Everything read here is
untrusted: sizes are bounded by what the file can really hold before anything
is allocated, and every failure is a :class:`DumpError`.
"""

import mmap
import os
import struct
import sys
from array import array
from collections import OrderedDict
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .columns import Ascending, Column, DumpError, Refs, Sums, joined, references
from .zstdframes import SKIP_LO, Buffer, FrameSpan, load_msgpack, load_zstd, measure_frame

FORMAT_VERSION = 1
MAGIC = "pydump"

_SEEK_MAGIC = 0x8F92EAB1
_MASK64 = (1 << 64) - 1
# Decoded batches kept; a batch is about a mebibyte before compression.
_BATCHES_KEPT = 48

#: What is taken for a dump, by its first bytes.
_OTHERS = {
    b"\x1f\x8b": "a file that gzip compressed: unpack it first",
    b"\xfd7zXZ": "a file that xz compressed: unpack it first",
    b"\x7fELF": "an ELF file: of a core, 'pydumpd core FILE' makes a dump",
}



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


class Record(NamedTuple):
    """One object as the file has it. `refs` and `values` are addresses."""

    addr: int
    type: int
    kind: Kind
    size: int
    refcnt: int
    refs: Refs
    shape: List[Tuple[int, str]]
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
# An address is looked for this often before a batch gets a table of them.
_LOOKS = 100
# Objects of a batch that are decoded before its references are, all at once,
# unless there are too many of them.
_RECORDS, _REFS_MAX = 32, 1 << 18


class Batch:
    """One decoded "objects" frame."""

    def __init__(self, frame: Dict[str, Any], file: "DumpFile") -> None:
        self._kinds = file.kinds
        self._file = file
        self._frame = frame
        self._cols: Dict[str, "array[int]"] = {}
        n = file.column("addr").count(frame.get("addr"))
        same = all(file.column(c).count(frame.get(c)) == n for c in _OBJECT_COLUMNS)
        if frame.get("n", n) != n or not same:
            raise DumpError("an objects frame has columns of unequal length")
        self.addr = self._column("addr")
        types = frame.get("types")
        shapes = frame.get("shapes")
        if not isinstance(types, list) or not isinstance(shapes, list):
            raise DumpError("an objects frame has no types or shapes")
        self._types = [t if isinstance(t, int) else 0 for t in types]
        self._shapes = shapes
        refs = file.column("refs")
        if refs.delta or refs.width != 8:
            plain = Column("refs", "u64")
            self._refs = plain.planes(refs.decode(frame.get("refs")).tobytes())
        else:
            self._refs = refs.planes(frame.get("refs"))
        values = frame.get("values")
        if not isinstance(values, bytes):
            raise DumpError("an objects frame has no values")
        self._values = values
        self._ref_at = self._sums("nrefs", "nattrs")
        self._value_at = self._sums("vlen")
        if self._ref_at.total() != len(self._refs[0]) or self._value_at.total() != len(values):
            raise DumpError("an objects frame has counts that do not add up")
        self._marks: Dict[int, Mark] = {}
        marks = frame.get("marks")
        for m in marks if isinstance(marks, list) else ():
            if isinstance(m, dict) and isinstance(m.get("i"), int):
                total, text = m.get("total"), m.get("text")
                self._marks[m["i"]] = Mark(
                    MARKS.get(m.get("mark"), "damaged"),
                    total if isinstance(total, int) else None,
                    text if isinstance(text, str) else "",
                )
        self._plain: Optional[List["array[int]"]] = None
        self._row: Optional[Dict[int, int]] = None
        self._raw: Optional[bytes] = None
        self._looks = 0
        self._whole: Optional["array[int]"] = None
        self._records = 0

    def _column(self, name: str) -> "array[int]":
        found = self._cols.get(name)
        if found is None:
            found = self._cols[name] = self._file.column(name).decode(self._frame.get(name))
        return found

    def _sums(self, *names: str) -> Sums:
        planes = []
        for name in names:
            column = self._file.column(name)
            if column.delta:
                plain = Column(name, "u%d" % column.bits)
                planes.append(plain.planes(self._column(name).tobytes()))
            else:
                planes.append(column.planes(self._frame.get(name)))
        return Sums(*planes)

    def find(self, addr: int) -> Optional[int]:
        """The row of an address."""
        if self._row is None:
            self._looks += 1
            if self._looks > _LOOKS:
                self._row = dict(zip(self.addr, range(len(self.addr))))
        if self._row is not None:
            return self._row.get(addr)
        # In its bytes: the low ones, for the others are much the same in all.
        if self._raw is None:
            low = array("Q", self.addr)
            if sys.byteorder == "big":
                low.byteswap()
            self._raw = low.tobytes()
        wanted, at = addr.to_bytes(8, "little")[:3], -1
        while True:
            at = self._raw.find(wanted, at + 1)
            if at < 0:
                return None
            if not at & 7 and self.addr[at >> 3] == addr:
                return at >> 3

    def _shape(self, i: int, n: int) -> List[Tuple[int, str]]:
        shape = self._shapes[i] if i < len(self._shapes) else []
        out = []
        for entry in shape if isinstance(shape, list) else []:
            if isinstance(entry, list) and len(entry) == 2:
                out.append((entry[0], _text(entry[1])))
            else:
                out.append((4, "?"))
        if len(out) != n:
            raise DumpError("an object has another number of attributes than names")
        return out

    def _references(self, start: int, end: int) -> Refs:
        if self._whole is None:
            self._records += 1
            if self._records <= _RECORDS or len(self._refs[0]) > _REFS_MAX:
                return references(self._refs, start, end)
            self._whole = joined(self._refs, "Q")
        return self._whole[start:end]

    def record(self, i: int) -> Record:
        """The object in row i."""
        if self._plain is None:
            self._plain = [self._column(name) for name in _OBJECT_COLUMNS[1:]]
        types, nodes, shapes, sizes, refcnts, refs, attrs, lengths = self._plain
        t, k, nrefs, nattrs, vlen = types[i], nodes[i], refs[i], attrs[i], lengths[i]
        start = self._ref_at.before(i)
        middle = start + nrefs
        shape = self._shape(shapes[i], nattrs) if nattrs else []
        values = self._references(middle, middle + nattrs) if nattrs else _NONE
        own = self._value_at.before(i)
        data = self._values[own : own + vlen]
        mark, own = self._marks.get(i), vlen
        for (origin, _), value in zip(shape, values):
            if origin in ORIGINS_WITH_BYTES:
                own -= value
        if own < 0:
            own = len(data)
            mark = mark or Mark("corrupt", None, "attributes longer than the object")
        return Record(
            self.addr[i],
            self._types[t] if t < len(self._types) else 0,
            self._kinds[k] if k in self._kinds else Kind(k, "object", (), ""),
            sizes[i],
            refcnts[i],
            self._references(start, middle) if nrefs else _NONE,
            shape,
            values,
            data[:own],
            mark,
            data[own:],
        )


def utf8(data: bytes) -> str:
    """Text as the program had it, or bytes that are no text escaped."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "surrogateescape")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return utf8(value)
    return value if isinstance(value, str) else str(value)[:200]


class _Index:
    """One "index" frame, decoded when it is first needed."""

    __slots__ = ("addr", "batch", "batches", "frame", "hi", "lo")

    def __init__(self, frame: int, lo: int, hi: int) -> None:
        self.frame, self.lo, self.hi = frame, lo, hi
        self.addr: Optional[Ascending] = None
        self.batch: "array[int]" = array("H")
        self.batches: List[int] = []

    def load(self, file: "DumpFile") -> Ascending:
        frame = file.read(self.frame)
        addr = Ascending(file.column("index.addr"), frame.get("addr"))
        batch = file.column("index.batch").decode(frame.get("batch"))
        batches = frame.get("batches")
        if len(addr) != len(batch) or not isinstance(batches, list):
            raise DumpError("an index frame is broken")
        self.addr, self.batch = addr, batch
        self.batches = [b for b in batches if isinstance(b, int)]
        return addr

    def find(self, addr: int, file: "DumpFile") -> Optional[int]:
        i = (self.load(file) if self.addr is None else self.addr).find(addr)
        if i >= 0:
            b = self.batch[i]
            if b < len(self.batches):
                return self.batches[b]
        return None


class DumpFile:
    """A dump: its frames, read on demand."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._buf: Buffer = b""
        self._file: Any = None
        self._decompress, self._zstd_error = load_zstd()
        self._unpackb = load_msgpack()
        try:
            self._file = open(path, "rb")
            size = os.fstat(self._file.fileno()).st_size
            if size:
                try:
                    self._buf = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
                except (OSError, ValueError):  # a pipe, an odd file system
                    self._buf = self._file.read()
            elif not os.path.isfile(path):
                self._buf = self._file.read()
        except OSError as e:
            self.close()
            raise DumpError("cannot open %s: %s" % (path, e.strerror or e)) from None
        try:
            self._open()
        except DumpError as e:
            self.close()
            raise DumpError("%s: %s" % (path, e)) from None
        except BaseException:
            self.close()
            raise

    # -- opening

    def _open(self) -> None:
        if not len(self._buf):
            raise DumpError("the file is empty")
        try:
            first = measure_frame(self._buf, 0, len(self._buf))
        except DumpError:
            for magic, why in _OTHERS.items():
                if self._buf[: len(magic)] == magic:
                    raise DumpError("not a pydumpd dump, but " + why) from None
            raise DumpError("not a pydumpd dump") from None
        if first is None or first.raw < 0:
            raise DumpError("not a pydumpd dump, or cut off inside its header")
        self.frames: List[FrameSpan] = [first]
        self.frame_kinds: List[str] = ["header"]
        self.header = self.read(0)
        self._check_header()
        self._batches: "OrderedDict[int, Batch]" = OrderedDict()
        self._bad: Dict[int, str] = {}  # broken batches and why
        self._indexes: List[_Index] = []
        self._rebuilt: Optional[Dict[int, int]] = None
        self._stacks: Optional[Dict[Optional[int], List[Tuple[int, int]]]] = None
        self.end: Dict[str, Any] = {}
        self.complete = False
        self._toc: List[Any] = []
        #: Why the file is not whole, or "".
        self.damage = ""
        try:
            self._open_by_toc()
        except DumpError as e:
            self.damage = str(e)
            self._open_by_scan()

    def _check_header(self) -> None:
        h = self.header
        if h.get("kind") != "header" or h.get("magic") != MAGIC:
            raise DumpError("not a pydumpd dump")
        oldest = h.get("oldest_reader", h.get("format"))
        if not isinstance(oldest, int):
            raise DumpError("the header has no format version")
        if oldest > FORMAT_VERSION:
            raise DumpError(
                "written in format %s, this loader reads %d: update pydumpd"
                % (h.get("format"), FORMAT_VERSION)
            )
        columns = h.get("columns")
        if not isinstance(columns, dict):
            raise DumpError("the header describes no columns")
        self._columns: Dict[str, Column] = {
            name: Column(name, spec)
            for name, spec in columns.items()
            if name != "values" and isinstance(name, str)
        }
        self.kinds: Dict[int, Kind] = {}
        kinds = h.get("kinds")
        for k in kinds if isinstance(kinds, list) else []:
            if not isinstance(k, dict) or not isinstance(k.get("id"), int):
                raise DumpError("the header's kinds are broken")
            fields = k.get("fields")
            if isinstance(fields, str):
                fields = fields.split()
            self.kinds[k["id"]] = Kind(
                k["id"],
                _text(k.get("name")),
                tuple(_text(f) for f in fields) if isinstance(fields, list) else (),
                _text(k.get("rest") or ""),
            )

    def _open_by_toc(self) -> None:
        """Finds all frames from the end of the file, without a scan."""
        buf, end = self._buf, len(self._buf)
        if end < 17 or struct.unpack_from("<I", buf, end - 4)[0] != _SEEK_MAGIC:
            raise DumpError("the file is cut short")
        (n,) = struct.unpack_from("<I", buf, end - 9)
        entry = 12 if buf[end - 5] & 0x80 else 8
        if n < 1 or n > (end - 17) // entry:
            raise DumpError("the seekable table is broken")
        table = end - 9 - n * entry
        if table < 8 or struct.unpack_from("<I", buf, table - 8)[0] & ~15 != SKIP_LO:
            raise DumpError("the seekable table is broken")
        (last,) = struct.unpack_from("<I", buf, table + (n - 1) * entry)
        span = measure_frame(buf, table - 8 - last, table - 8) if last <= table - 8 else None
        if span is None or span.size != last:
            raise DumpError("the seekable table is broken")
        end_frame = self._unpack(span)
        if end_frame.get("kind") != "end" or not isinstance(end_frame.get("toc"), int):
            raise DumpError("the end frame is broken")
        at = end_frame["toc"]
        toc_span = measure_frame(buf, at, span.offset) if 0 < at < end else None
        toc = self._unpack(toc_span) if toc_span else {}
        rows = toc.get("frames")
        if toc.get("kind") != "toc" or not isinstance(rows, list) or not rows:
            raise DumpError("the table of contents is broken")
        frames, kinds, indexes = [], [], []
        for i, row in enumerate(rows):
            try:
                offset, size, raw, kind = row[:4]
                if not (0 <= offset < at and 0 < size <= at - offset and raw >= 0):
                    raise ValueError
                if kind == "index":
                    indexes.append(_Index(i, int(row[4]), int(row[5])))
            except (ValueError, TypeError, IndexError):
                raise DumpError("the table of contents is broken") from None
            frames.append(FrameSpan(offset, size, raw))
            kinds.append(_text(kind))
        if frames[0].offset != 0:
            raise DumpError("the table of contents is broken")
        self.frames, self.frame_kinds, self._indexes = frames, kinds, indexes
        self._toc = rows
        self.end = end_frame
        self.complete = end_frame.get("complete") is True

    def _open_by_scan(self) -> None:
        """Hops over the frames of a file that was cut short."""
        buf, end, pos = self._buf, len(self._buf), 0
        self.frames, self.frame_kinds, self._indexes = [], [], []
        self._toc = []
        self._rebuilt = {}
        while pos < end:
            try:
                span = measure_frame(buf, pos, end)
            except DumpError as e:
                self.damage = str(e)
                break
            if span is None:
                break
            pos += span.size
            if span.raw < 0:
                continue
            number = len(self.frames)
            self.frames.append(span)
            self._toc.append([])
            try:
                frame = self._unpack(span)
            except DumpError as e:
                self.frame_kinds.append("broken")
                self.damage = str(e)
                continue
            kind = _text(frame.get("kind"))
            self.frame_kinds.append(kind)
            if kind == "frames":
                self._toc[number] = [*span, kind, frame.get("thread")]
            try:
                if kind == "objects":
                    for a in self.column("addr").decode(frame.get("addr")):
                        self._rebuilt.setdefault(a, number)
            except DumpError as e:
                self.damage = str(e)
            if kind == "end":
                self.end = frame

    # -- reading

    def close(self) -> None:
        """Closes the file."""
        if isinstance(self._buf, mmap.mmap):
            self._buf.close()
        self._buf = b""
        if self._file is not None:
            self._file.close()
            self._file = None

    def column(self, name: str) -> Column:
        """How a column is encoded."""
        try:
            return self._columns[name]
        except KeyError:
            raise DumpError("the header does not describe column %r" % name) from None

    def _unpack(self, span: FrameSpan) -> Dict[str, Any]:
        where = "the frame at offset %d" % span.offset
        real = measure_frame(self._buf, span.offset, span.offset + span.size)
        if real is None or real.raw < 0 or real.size != span.size:
            raise DumpError("%s is broken" % where)
        data = self._buf[span.offset : span.offset + span.size]
        try:
            raw = self._decompress(data, real.raw)
        except (self._zstd_error, ValueError, MemoryError, EOFError) as e:
            raise DumpError("%s does not decompress: %s" % (where, e)) from None
        if len(raw) != real.raw:
            raise DumpError("%s has another length than it says" % where)
        try:
            frame = self._unpackb(raw)
        except Exception as e:  # msgpack raises a dozen types for bad data
            raise DumpError("%s is no msgpack map: %s" % (where, e)) from None
        if not isinstance(frame, dict):
            raise DumpError("%s is no msgpack map" % where)
        return frame

    def read(self, number: int) -> Dict[str, Any]:
        """One frame, decoded, by its number."""
        return self._unpack(self.frames[number])

    def each(self, kind: str) -> Iterator[Dict[str, Any]]:
        """All readable frames of a kind."""
        for number, k in enumerate(self.frame_kinds):
            if k == kind:
                try:
                    yield self.read(number)
                except DumpError as e:
                    self.damage = str(e)

    def frames_of_thread(self, thread: int, most: Optional[int] = None) -> Iterator[int]:
        """The numbers of the frames that may hold a thread's stack, or so many
        of its newest frames."""
        if self._stacks is None:
            self._stacks = {}
            for number, kind in enumerate(self.frame_kinds):
                if kind == "frames":
                    row = self._toc[number] if number < len(self._toc) else ()
                    key = row[4] if len(row) > 4 and isinstance(row[4], int) else None
                    first = row[5] if len(row) > 5 and isinstance(row[5], int) else 0
                    self._stacks.setdefault(key, []).append((number, first))
        # Those under None do not say whose they are.
        for number, first in sorted(self._stacks.get(thread, []) + self._stacks.get(None, [])):
            if most is None or first < most:
                yield number

    def batch(self, number: int) -> Batch:
        """The decoded objects frame of that number."""
        batch = self._batches.get(number)
        if batch is not None:
            self._batches.move_to_end(number)
            return batch
        if number in self._bad:
            raise DumpError(self._bad[number])
        if not 0 <= number < len(self.frames):
            raise DumpError("the index names a frame that is not there")
        try:
            batch = Batch(self.read(number), self)
        except (DumpError, OverflowError) as e:
            self._bad[number] = str(e)
            raise DumpError(str(e)) from None
        self._batches[number] = batch
        if len(self._batches) > _BATCHES_KEPT:
            self._batches.popitem(last=False)
        return batch

    def record(self, addr: int) -> Optional[Record]:
        """The object at an address, or None when the file has none.

        Raises DumpError when the frame that holds it is broken.
        """
        if self._rebuilt is not None:
            number = self._rebuilt.get(addr)
        else:
            number = None
            for i, index in enumerate(self._indexes):
                if index.lo <= addr <= index.hi:
                    number = index.find(addr, self)
                    if number is not None:
                        if i:  # what is near in the program is in one index
                            self._indexes.insert(0, self._indexes.pop(i))
                        break
        if number is None:
            return None
        batch = self.batch(number)
        row = batch.find(addr)
        return None if row is None else batch.record(row)

    def addresses(self) -> Iterator[int]:
        """The addresses of all objects in the file."""
        for number, kind in enumerate(self.frame_kinds):
            if kind == "objects":
                yield from self.batch(number).addr
