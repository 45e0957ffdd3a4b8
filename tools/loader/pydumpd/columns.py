# SPDX-License-Identifier: Apache-2.0
"""The columns of a dump's frames, decoded no further than is asked for.

An element of a column is k bytes; stored shuffled, all first bytes stand
together, then all second ones, and so on. Each such plane is a bytes object
here. What C code can do with whole planes takes no time beside a loop over
elements in Python: slices, and sums.
"""

import sys
from array import array
from bisect import bisect_left
from itertools import accumulate
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union, overload
from zlib import adler32


class DumpError(Exception):
    """The file is not a dump that can be read; the text is one line."""


_ELEMENTS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
#: Elements that are added up at once: 255 times as many are still below the
#: modulus of adler32, of which the low half then is the sum of the bytes.
_STEP = 256
#: References of one object that are decoded at once.
_MANY = 1 << 15
#: A column of numbers with more descents than this is looked up in a table.
_RUNS_MAX = 200
#: With more than a few, after a try for so many elements it gets one.
_FEW_RUNS, _TRIES = 4, 40


Plane = Union[bytes, memoryview]


class Column:
    """One column's element type and encoding, from the header's words."""

    __slots__ = ("bits", "code", "delta", "name", "shuffle", "width")

    def __init__(self, name: str, spec: Any) -> None:
        words = spec.split() if isinstance(spec, str) else []
        self.name = name
        code = _ELEMENTS.get(words[0]) if words else None
        rest = [w for w in words[1:] if w != "raw"]
        if not code or rest not in ([], ["delta"], ["shuffle"], ["delta", "shuffle"]):
            raise DumpError(
                "column %r is encoded as %r: this file needs a newer reader" % (name, spec)
            )
        self.code = code
        self.width = array(code).itemsize
        self.bits = self.width * 8
        self.delta = "delta" in rest
        self.shuffle = "shuffle" in rest

    def count(self, data: Any) -> int:
        """The number of elements."""
        if not isinstance(data, bytes) or len(data) % self.width:
            raise DumpError("column %r is broken" % self.name)
        return len(data) // self.width

    def cells(self, data: Any) -> Sequence[int]:
        """The elements, each decoded when it is asked for where that is
        cheaper."""
        n = self.count(data)
        if self.delta or sys.byteorder == "big":
            return self.decode(data)
        if self.width == 1 or (self.shuffle and data[n:] == bytes(len(data) - n)):
            return data[:n]
        if self.shuffle:
            return _Spread(data, n)
        return memoryview(data).cast(self.code)

    def planes(self, data: Any) -> List[Plane]:
        """The bytes of all elements by their place, the lowest first."""
        n = self.count(data)
        if not self.shuffle:
            return [data[k :: self.width] for k in range(self.width)]
        whole = memoryview(data) if n > _MANY else data  # not to copy what is large
        return [whole[k * n : (k + 1) * n] for k in range(self.width)]

    def decode(self, data: Any) -> "array[int]":
        """The elements of the column."""
        self.count(data)
        if self.shuffle and self.width > 1:
            out = joined(self.planes(data), self.code)
        else:
            out = array(self.code)
            out.frombytes(data)
            if sys.byteorder == "big":
                out.byteswap()
        if not self.delta:
            return out
        # As signed differences the running sum of ordinary values never
        # leaves 64 bits, so that the mask is needed for odd ones only.
        if self.bits == 64:
            diffs = array("q")
            diffs.frombytes(memoryview(out).cast("B"))
            out = diffs
        try:
            return array(self.code, accumulate(out))
        except OverflowError:
            mask = (1 << self.bits) - 1
            return array(self.code, [x & mask for x in accumulate(out)])


class _Spread(Sequence):
    """The elements of a column of which the k-th bytes stand together."""

    __slots__ = ("_data", "_count")

    def __init__(self, data: bytes, count: int) -> None:
        self._data, self._count = data, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: Any) -> Any:
        if i >= self._count:
            raise IndexError(i)
        return int.from_bytes(self._data[i :: self._count], "little")


def joined(planes: Sequence[Plane], code: str) -> "array[int]":
    """The elements of which planes hold the bytes."""
    width, n = len(planes), len(planes[0])
    plain, zeros = bytearray(n * width), bytes(n)
    for k, plane in enumerate(map(bytes, planes)):
        if plane != zeros:
            plain[k::width] = plane
    out = array(code)
    out.frombytes(plain)
    if sys.byteorder == "big":
        out.byteswap()
    return out


class Sums:
    """What the elements before one add up to, modulo 2**64: where an object's
    references begin, or, of differences, what the element before it is."""

    def __init__(self, *columns: Sequence[Plane]) -> None:
        each = [0] * ((len(columns[0][0]) + _STEP - 1) // _STEP)
        #: (bits to shift by, bytes), of planes that are not all zero
        self._planes = [
            (8 * k, plane)
            for planes in columns
            for k, plane in enumerate(map(bytes, planes))
            if _add_steps(plane, 8 * k, each)
        ]
        #: the sum before every _STEPth element, and the whole
        self.steps = array("Q", (x & _MASK64 for x in accumulate([0, *each])))

    def before(self, i: int) -> int:
        """The sum of the first i elements."""
        total = self.steps[i // _STEP]
        start = i - i % _STEP
        if start < i:
            for shift, plane in self._planes:
                total += (adler32(plane[start:i], 0) & 0xFFFF) << shift
        return total & _MASK64

    def plane(self, shift: int) -> bytes:
        """The bytes that stand for a sum's bits from shift on; none when all
        are zero."""
        return next((plane for at, plane in self._planes if at == shift), b"")

    def parts(self, start: int, end: int) -> List[Tuple[int, bytes]]:
        """The planes of some elements, by the bits that they are to be shifted
        by, without those that are zero there."""
        zeros = bytes(end - start)
        found = ((shift, plane[start:end]) for shift, plane in self._planes)
        return [(shift, part) for shift, part in found if part != zeros]

    def total(self) -> int:
        """The sum of all elements."""
        return self.steps[-1]


_MASK64 = (1 << 64) - 1
#: The high planes are zero nearly everywhere: so many bytes are held against
#: zeros at once.
_SPAN = 32 * _STEP


def _add_steps(plane: bytes, shift: int, each: List[int]) -> bool:
    """Adds the sums of a plane's steps; False when all of it is zero."""
    found = False
    for start in range(0, len(plane), _SPAN):
        part = plane[start : start + _SPAN]
        if part == bytes(len(part)):
            continue
        found = True
        for number, i in enumerate(range(0, len(part), _STEP), start // _STEP):
            each[number] += (adler32(part[i : i + _STEP], 0) & 0xFFFF) << shift
    return found


class Numbers:
    """A column of numbers that ascend but for a few places, as the addresses in
    a frame do; looked up with few of them decoded."""

    def __init__(self, column: Column, data: Any) -> None:
        self._column, self._data = column, data
        self._count = column.count(data)
        self._blocks: Dict[int, List[int]] = {}
        #: (first row, row behind the last, first number, last number)
        self._runs: List[Tuple[int, int, int, int]] = []
        self._tries = 0
        self._rows: Optional[Dict[int, int]] = None
        self._all: Optional["array[int]"] = None
        if not self._count:
            return
        if column.delta and column.bits == 64:
            self._planes = column.planes(data)
            self._sums = Sums(self._planes)
            self._find_runs()
        if not self._runs:
            self.rows()

    def __len__(self) -> int:
        return self._count

    def all(self) -> "array[int]":
        """All of them, decoded."""
        if self._all is None:
            self._all = self._column.decode(self._data)
        return self._all

    def rows(self) -> Dict[int, int]:
        """number -> row, of all: for who looks for many."""
        if self._rows is None:
            self._rows = dict(zip(self.all(), range(self._count)))
        return self._rows

    def at(self, row: int) -> int:
        """The number in a row."""
        if self._all is not None:
            return self._all[row]
        return self._sums.before(row + 1)

    def find(self, value: int) -> int:
        """The row of a number, or -1."""
        if self._rows is not None:
            return self._rows.get(value, -1)
        for run in self._runs:
            if run[2] <= value <= run[3]:
                self._tries += 1
                row = self._find_in(run, value)
                if row >= 0:
                    break
        else:
            row = -1
        if len(self._runs) > _FEW_RUNS and self._tries > self._count // _TRIES:
            self.rows()
        return row

    def _find_runs(self) -> None:
        """Where a number is less than the one before it: the difference has
        its high bits set. None is found when there are too many, or when
        numbers are too far apart to be addresses."""
        before, top = self._sums.before, self._sums.plane(56)
        starts = [0]
        at = top.find(b"\xff", 1)
        while at > 0 and len(starts) <= _RUNS_MAX:
            starts.append(at)
            at = top.find(b"\xff", at + 1)
        odd = top != self._sums.plane(48) or top.translate(None, b"\0\xff")
        if odd or len(starts) > _RUNS_MAX:
            return
        runs = [
            (start, end, before(start + 1), before(end))
            for start, end in zip(starts, [*starts[1:], self._count])
        ]
        if all(first <= last for _, _, first, last in runs):
            self._runs = runs

    def _find_in(self, run: Tuple[int, int, int, int], value: int) -> int:
        start, end = run[:2]
        # The sum before a block is the last number before it.
        steps, low, high = self._sums.steps, start // _STEP, (end - 1) // _STEP
        number = bisect_left(steps, value, low + 1, high + 1) - 1
        block = self._blocks.get(number)
        if block is None:
            block = self._decode(number)
        first = number * _STEP
        value -= steps[number]
        i = bisect_left(block, value, max(start - first, 0), min(end - first, len(block)))
        return first + i if i < len(block) and block[i] == value else -1

    def _decode(self, number: int) -> List[int]:
        """The numbers of a block less the one before it: small ones, which are
        added up in half the time."""
        first = number * _STEP
        size = min(_STEP, self._count - first)
        parts = self._sums.parts(first, first + size)
        high = parts[-1][0] // 8 if parts else 0
        diffs: Sequence[int] = parts[0][1] if parts else bytes(size)
        if high:
            # Signed, where it goes down from one run to the next.
            code = "H" if high < 2 else "I" if high < 4 else "q"
            diffs = array(code)
            plain = bytearray(size * diffs.itemsize)
            for shift, part in parts:
                plain[shift // 8 :: diffs.itemsize] = part
            diffs.frombytes(plain)
            if sys.byteorder == "big":
                diffs.byteswap()
        block = self._blocks[number] = list(accumulate(diffs))
        return block


class References(Sequence):
    """The many references of one object, decoded as far as they are looked at."""

    __slots__ = ("_end", "_planes", "_start")

    def __init__(self, planes: Sequence[Plane], start: int, end: int) -> None:
        self._planes, self._start, self._end = planes, start, end

    def __len__(self) -> int:
        return self._end - self._start

    @overload
    def __getitem__(self, key: int) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> "Refs": ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            at = range(self._start, self._end)[key]
            if at.step == 1:
                return references(self._planes, at.start, max(at.stop, at.start))
            every = slice(at.start, at.stop if at.stop >= 0 else None, at.step)
            return joined([p[every] for p in self._planes], "Q")
        at = range(self._start, self._end)[key]
        return int.from_bytes([p[at] for p in self._planes], "little")

    def __iter__(self) -> Iterator[int]:
        for at in range(self._start, self._end, _STEP):
            part = slice(at, min(at + _STEP, self._end))
            yield from joined([p[part] for p in self._planes], "Q")


Refs = Union["array[int]", References]


def references(planes: Sequence[Plane], start: int, end: int) -> Refs:
    """The references from start to end: decoded, unless they are many."""
    if end - start > _MANY:
        return References(planes, start, end)
    return joined([p[start:end] for p in planes], "Q")
