# SPDX-License-Identifier: Apache-2.0
"""Native stacks: the C, C++ and Rust frames between and around Python's."""

from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from .dumpfile import DumpFile
from .marks import printable
from .records import utf8

#: How a native frame was found, by the numbers of the file.
HOWS = ("registers", "table", "frame pointer", "top of stack", "last instructions")


class Inlined(NamedTuple):
    """A function that the compiler inlined into a native frame's."""

    #: demangled
    function: Optional[str]
    #: where it was, where debug information tells
    file: Optional[str]
    line: Optional[int]

    def describe(self) -> str:
        """One line for people."""
        bits = ["%s (inlined)" % printable(self.function or "??")]
        if self.file:
            bits.append("%s:%s" % (printable(self.file), self.line))
        return "  ".join(bits)


class NativeFrame(NamedTuple):
    """One native frame. Addresses are of the program, offsets are bytes."""

    #: demangled; None when no symbol covers it
    function: Optional[str]
    #: as the file has it, where that differs
    symbol: Optional[str]
    #: of pc in the function
    offset: Optional[int]
    #: the ELF file; None for code of no file
    module: Optional[str]
    build_id: Optional[str]
    #: of pc in the module's file, as its own symbol tables count
    address: Optional[int]
    #: the source, where debug information tells
    file: Optional[str]
    line: Optional[int]
    #: where it goes on
    pc: int
    #: where its part of the stack begins
    sp: int
    #: one of HOWS: what it was found by
    how: str
    #: the kernel's frame of a signal handler
    signal: bool
    #: numbers of the Python frames that it runs: (first, how many), or None
    python: Optional[Tuple[int, int]]
    #: what was inlined where it is, the innermost first; its own file and line
    #: are then where it calls the last of them
    inlined: Tuple[Inlined, ...] = ()

    def describe(self) -> str:
        """One line for people."""
        name = self.function and printable(self.function)
        if self.signal:
            bits = ["<signal handler called>"]
        elif name:
            bits = [name if self.offset is None else "%s+%#x" % (name, self.offset)]
        else:
            bits = ["??"]
        if self.file:
            bits.append("%s:%s" % (printable(self.file), self.line))
        if self.module:
            bits.append("%s+%#x" % (printable(self.module), self.address or 0))
        else:
            bits.append("%#x" % self.pc)
        if self.how not in HOWS[:2]:
            bits.append("(by %s)" % self.how)
        return "  ".join(bits)


class NativeStack:
    """The native stack of one thread, the innermost frame first."""

    def __init__(self, raw: Dict[str, Any], places: List[Any]) -> None:
        #: index of the Python thread; None: a thread that runs no Python
        self.thread: Optional[int] = _int(raw.get("thread"))
        self.native_id: Optional[int] = _int(raw.get("native_id"))
        self.ns_native_id: Optional[int] = _int(raw.get("ns_native_id"))
        self.os_name: Optional[str] = _str(raw.get("os_name"))
        self.state: Optional[str] = _str(raw.get("state"))
        #: whether it is known where the Python frames belong
        self.merged: bool = raw.get("merged") is True
        #: whether it goes back to where the thread began
        self.whole: bool = raw.get("whole") is True
        #: why something is missing, or None
        self.note: Optional[str] = _str(raw.get("note"))
        found = raw.get("frames")
        #: what the dump has of it
        self.frames: List[NativeFrame] = [
            _frame(f, places) for f in (found if isinstance(found, list) else [])
        ]
        #: how many frames there were
        self.total: int = max(_int(raw.get("total"), 0), len(self.frames))
        #: frames are left out before frames[cut_at]; None: none are
        self.cut_at: Optional[int] = None
        cut = _int(raw.get("cut_at"))
        if cut is not None and 0 <= cut < len(self.frames) < self.total:
            self.cut_at = cut

    def merge(self, count: int) -> Iterator[Union[int, str, NativeFrame]]:
        """The stack with the thread's Python frames, of which there are count,
        the newest first: native frames, numbers of Python frames, and a text
        where native frames are left out. A native frame that runs Python frames
        is not given: these stand for it. If the stack is not merged, the
        Python frames come last.
        """
        done = 0
        for i, frame in enumerate(self.frames):
            if i == self.cut_at:
                yield "%d native frames left out" % (self.total - len(self.frames))
                end = min(self._cut_end(count), count) if self.merged else 0
                yield from range(done, end)
                done = max(done, end)
            if self.merged and frame.python is not None:
                end = min(frame.python[0] + frame.python[1], count)
                yield from range(done, end)
                done = max(done, end)
            else:
                yield frame
        yield from range(done, count)

    def _cut_end(self, count: int) -> int:
        """Python frames before this number are newer than those behind the cut."""
        for frame in self.frames[self.cut_at :]:
            if frame.python is not None:
                return frame.python[0]
        return count

    def __repr__(self) -> str:
        return "<NativeStack of %s: %d frames>" % (self.native_id, self.total)


def _int(value: Any, default: Any = None) -> Any:
    return value if type(value) is int else default


def _str(value: Any) -> Optional[str]:
    if isinstance(value, bytes):
        return utf8(value)
    return value if isinstance(value, str) else None


def _inlined(raw: Any) -> Tuple[Inlined, ...]:
    return tuple(
        Inlined(_str(e.get("function")), _str(e.get("file")), _int(e.get("line")))
        for e in (raw if isinstance(raw, list) else [])
        if isinstance(e, dict)
    )


def _frame(raw: Any, places: List[Any]) -> NativeFrame:
    raw = raw if isinstance(raw, list) else []
    number, pc, sp, how, signal, runs = (raw + [None] * 6)[:6]
    place: Dict[str, Any] = {}
    if type(number) is int and 0 <= number < len(places) and isinstance(places[number], dict):
        place = places[number]
    python = None
    if isinstance(runs, list) and len(runs) == 2 and all(type(n) is int for n in runs):
        python = (max(runs[0], 0), max(runs[1], 0))
    return NativeFrame(
        _str(place.get("function")),
        _str(place.get("symbol")),
        _int(place.get("offset")),
        _str(place.get("module")),
        _str(place.get("build_id")),
        _int(place.get("address")),
        _str(place.get("file")),
        _int(place.get("line")),
        _int(pc, 0),
        _int(sp, 0),
        HOWS[how] if type(how) is int and 0 <= how < len(HOWS) else "unknown",
        signal is True,
        python,
        _inlined(place.get("inlined")),
    )


def read(file: DumpFile) -> List[NativeStack]:
    """All native stacks of a dump, in the order of the file."""
    out = []
    for frame in file.each("native"):
        places, threads = frame.get("places"), frame.get("threads")
        places = places if isinstance(places, list) else []
        for raw in threads if isinstance(threads, list) else []:
            if isinstance(raw, dict):
                out.append(NativeStack(raw, places))
    return out
