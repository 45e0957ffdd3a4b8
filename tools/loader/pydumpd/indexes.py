# SPDX-License-Identifier: Apache-2.0
"""The index frames of a dump: which batch has an address."""

from array import array
from typing import TYPE_CHECKING, List, Optional

from .columns import DumpError, Numbers

if TYPE_CHECKING:
    from .dumpfile import DumpFile


class Index:
    """One "index" frame, decoded when it is first needed."""

    __slots__ = ("_addr", "_batch", "_batches", "_why", "frame", "hi", "lo")

    def __init__(self, frame: int, lo: int, hi: int) -> None:
        self.frame, self.lo, self.hi = frame, lo, hi
        self._addr: Optional[Numbers] = None
        self._batch: "array[int]" = array("H")
        self._batches: List[int] = []
        self._why = ""

    def _load(self, file: "DumpFile") -> Numbers:
        if self._why:
            raise DumpError(self._why)
        try:
            frame = file.read(self.frame)
            addr = Numbers(file.column("index.addr"), frame.get("addr"))
            batch = file.column("index.batch").decode(frame.get("batch"))
            batches = frame.get("batches")
            if len(addr) != len(batch) or not isinstance(batches, list):
                raise DumpError("an index frame is broken")
        except DumpError as e:
            self._why = str(e)
            raise
        self._addr, self._batch = addr, batch
        self._batches = [b if isinstance(b, int) else -1 for b in batches]
        return addr

    def find(self, addr: int, file: "DumpFile") -> Optional[int]:
        """The number of the frame with an address, or None; DumpError when
        the index is broken."""
        numbers = self._load(file) if self._addr is None else self._addr
        i = numbers.find(addr)
        if i >= 0:
            b = self._batch[i]
            if b < len(self._batches):
                return self._batches[b]
        return None


class Indexes:
    """All of them."""

    def __init__(self) -> None:
        self._all: List[Index] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, frame: int, lo: int, hi: int) -> None:
        """One more, of the addresses from lo to hi."""
        self._all.append(Index(frame, lo, hi))

    def find(self, addr: int, file: "DumpFile") -> Optional[int]:
        """The number of the frame with an address, or None; DumpError when it
        may be in an index that is broken."""
        broken: Optional[DumpError] = None
        for i, index in enumerate(self._all):
            if index.lo <= addr <= index.hi:
                try:
                    number = index.find(addr, file)
                except DumpError as e:
                    broken = e
                    continue
                if number is not None:
                    if i:  # what is near in the program is in one index
                        self._all.insert(0, self._all.pop(i))
                    return number
        if broken is not None:
            raise broken
        return None
