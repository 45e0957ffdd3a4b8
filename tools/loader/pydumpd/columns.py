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
from typing import Any, Dict, Iterator, List, Sequence, Union, overload
from zlib import adler32


class DumpError(Exception):
    """The file is not a dump that can be read; the text is one line."""


_ELEMENTS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
#: Elements that are added up at once: 255 times as many are still below the
#: modulus of adler32, of which the low half then is the sum of the bytes.
_STEP = 256
#: References of one object that are decoded at once.
_MANY = 1 << 15


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


def joined(planes: Sequence[Plane], code: str) -> "array[int]":
    """The elements of which planes hold the bytes."""
    width, n = len(planes), len(planes[0])
    plain = bytearray(n * width)
    for k, plane in enumerate(map(bytes, planes)):
        if plane.count(0) < n:
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
        n = len(columns[0][0])
        #: (bits to shift by, bytes), of planes that are not all zero
        self._planes = [
            (8 * k, plane)
            for planes in columns
            for k, plane in enumerate(map(bytes, planes))
            if plane.count(0) < n
        ]
        each = [0] * ((n + _STEP - 1) // _STEP)
        for shift, plane in self._planes:
            for i in range(len(each)):
                each[i] += _sum(plane[i * _STEP : (i + 1) * _STEP]) << shift
        #: the sum before every _STEPth element, and the whole
        self.steps = array("Q", (x & _MASK64 for x in accumulate([0, *each])))

    def before(self, i: int) -> int:
        """The sum of the first i elements."""
        total = self.steps[i // _STEP]
        start = i - i % _STEP
        for shift, plane in self._planes:
            total += _sum(plane[start:i]) << shift
        return total & _MASK64

    def total(self) -> int:
        """The sum of all elements."""
        return self.steps[-1]


_MASK64 = (1 << 64) - 1


def _sum(data: bytes) -> int:
    return adler32(data, 0) & 0xFFFF


class Ascending:
    """A column of ascending numbers, in which they are looked up."""

    def __init__(self, column: Column, data: Any) -> None:
        self._count = column.count(data)
        self._blocks: Dict[int, "array[int]"] = {}
        if not column.delta or column.bits != 64:
            self._blocks[-1] = column.decode(data)
            return
        self._planes = column.planes(data)
        self._sums = Sums(self._planes)

    def __len__(self) -> int:
        return self._count

    def find(self, value: int) -> int:
        """Where value stands, or -1."""
        if not self._count:
            return -1
        if -1 in self._blocks:
            number, block = 0, self._blocks[-1]
        else:
            # The sum before a block is the last number before it.
            number = bisect_left(self._sums.steps, value, 1, len(self._sums.steps) - 1) - 1
            found = self._blocks.get(number)
            block = self._decode(number) if found is None else found
        i = bisect_left(block, value)
        if i < len(block) and block[i] == value:
            return number * _STEP + i
        return -1

    def _decode(self, number: int) -> "array[int]":
        part = slice(number * _STEP, (number + 1) * _STEP)
        diffs = joined([p[part] for p in self._planes], "Q")
        diffs[0] = (diffs[0] + self._sums.steps[number]) & _MASK64
        try:
            block = array("Q", accumulate(diffs))
        except OverflowError:  # descending, which the file has for no good reason
            block = array("Q", (x & _MASK64 for x in accumulate(diffs)))
        self._blocks[number] = block
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
