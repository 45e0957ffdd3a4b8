# SPDX-License-Identifier: Apache-2.0
"""The container of a dump: zstd frames, their index, columns and records.

Knows doc/FORMAT.md and nothing of Python objects. Everything read here is
untrusted: sizes are bounded by what the file can really hold before anything
is allocated, and every failure is a :class:`DumpError`.
"""

import mmap
import os
import struct
from collections import OrderedDict
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .columns import Column, DumpError
from .indexes import Indexes
from .records import Batch, Kind, Record, text_of
from .zstdframes import SKIP_LO, Buffer, FrameSpan, load_msgpack, load_zstd, measure_frame

FORMAT_VERSION = 1
MAGIC = "pydump"

_SEEK_MAGIC = 0x8F92EAB1
# Decoded batches kept; a batch is about a mebibyte before compression.
_BATCHES_KEPT = 48
# An address is looked for in so many of those that are in use, before the index.
_BUSY = 4

#: What is taken for a dump, by its first bytes.
_OTHERS = {
    b"\x1f\x8b": "a file that gzip compressed: unpack it first",
    b"\xfd7zXZ": "a file that xz compressed: unpack it first",
    b"\x7fELF": "an ELF file: of a core, 'pydumpd core FILE' makes a dump",
}


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
        #: those that many objects were asked of, the last first
        self.busy: List[Batch] = []
        self._bad: Dict[int, str] = {}  # broken batches and why
        self._indexes = Indexes()
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
                text_of(k.get("name")),
                tuple(text_of(f) for f in fields) if isinstance(fields, list) else (),
                text_of(k.get("rest") or ""),
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
        frames, kinds, indexes = [], [], Indexes()
        for i, row in enumerate(rows):
            try:
                offset, size, raw, kind = row[:4]
                if not (0 <= offset < at and 0 < size <= at - offset and raw >= 0):
                    raise ValueError
                if kind == "index":
                    indexes.add(i, int(row[4]), int(row[5]))
            except (ValueError, TypeError, IndexError):
                raise DumpError("the table of contents is broken") from None
            frames.append(FrameSpan(offset, size, raw))
            kinds.append(text_of(kind))
        if frames[0].offset != 0:
            raise DumpError("the table of contents is broken")
        self.frames, self.frame_kinds, self._indexes = frames, kinds, indexes
        self._toc = rows
        self.end = end_frame
        self.complete = end_frame.get("complete") is True

    def _open_by_scan(self) -> None:
        """Hops over the frames of a file that was cut short."""
        buf, end, pos = self._buf, len(self._buf), 0
        self.frames, self.frame_kinds, self._indexes = [], [], Indexes()
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
            kind = text_of(frame.get("kind"))
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

    def _row(self, addr: int) -> Optional[Tuple[Batch, int]]:
        """The batch with an address, and the row; None when the file has none.

        Raises DumpError when the frame that holds it is broken.
        """
        for i, batch in enumerate(self.busy):
            row = batch.rows.get(addr)  # type: ignore
            if row is not None:
                if i:
                    self.busy.insert(0, self.busy.pop(i))
                return batch, row
        if self._rebuilt is not None:
            number = self._rebuilt.get(addr)
        else:
            number = self._indexes.find(addr, self)
        if number is None:
            return None
        batch = self.batch(number)
        row = batch.find(addr)
        if batch.rows is not None and batch not in self.busy:
            self.busy.insert(0, batch)
            del self.busy[_BUSY:]
        return None if row is None else (batch, row)

    def record(self, addr: int) -> Optional[Record]:
        """The object at an address, or None when the file has none.

        Raises DumpError when the frame that holds it is broken.
        """
        found = self._row(addr)
        return None if found is None else found[0].record(found[1], addr)

    def text(self, addr: int) -> Optional[bytes]:
        """The bytes of the str at an address, when it is whole and plain; None
        of all others. DumpError as record() has it."""
        found = self._row(addr)
        return None if found is None else found[0].text(found[1])

    def addresses(self) -> Iterator[int]:
        """The addresses of all objects in the file, but for those in frames
        that are broken."""
        for number, kind in enumerate(self.frame_kinds):
            if kind == "objects":
                try:
                    batch = self.batch(number)
                except DumpError as e:
                    self.damage = str(e)
                    continue
                yield from batch.addr
