# SPDX-License-Identifier: Apache-2.0
"""What a debugger can stand on: a thread's stack, or an exception's traceback."""

import contextlib
import time
import types
from typing import Any, Dict, List, Optional, Tuple

from . import frames as real
from .dump import Dump, ExceptionEntry, Frame, Thread
from .refs import find_ref, ref_of
from .standins import StandIn


class View:
    """What the prompt is on: a thread's stack, or an exception's traceback."""

    def __init__(self, thread: Thread, exception: Optional[ExceptionEntry] = None) -> None:
        self.thread = thread
        self.exception = exception
        #: (real frame, line), the outermost first
        self.stack: List[Tuple[types.FrameType, int]] = []
        self.traceback: Optional[types.TracebackType] = None
        self.dumped: Dict[int, Frame] = {}  # id of a real frame -> the dump's
        self.note = ""
        #: older frames are not made yet
        self.partial = False


#: A deeper stack is opened with so many of its newest frames.
_NEWEST = 200


#: The variables of so many of the newest frames, so many items of one, and of
#: what an item holds are looked at in advance, for so many seconds.
_NEAR, _FIRST, _AHEAD = 4, 8, 0.03


def _big(value: Any) -> Optional[StandIn]:
    """What is too big to be decoded: the variable, or what it begins with."""
    for _ in range(3):
        if isinstance(value, StandIn):
            return value
        if type(value) is dict:
            value = value.values()
        elif type(value) not in (list, tuple):
            return None
        value = next(iter(value), None)
    return None


def foresee(view: View) -> None:
    """Makes ready what printing a big container takes first: the classes of
    its first items and of what these hold, and the modules that know them.
    Nothing is decoded that would not come out the same later."""
    from . import standard  # noqa: F401

    end = time.monotonic() + _AHEAD
    seen = set()
    for frame, _ in view.stack[: -_NEAR - 1 : -1]:
        if frame.f_code.co_name == "<module>":
            continue  # its names are decoded one by one
        for variable in list(frame.f_locals.values()):
            value = _big(variable)
            if value is None:
                continue
            graph, rest = ref_of(value).graph, ref_of(value).rec.rest()
            for item in map(graph.record, rest[:_FIRST]):
                if item is None or item.type in seen:
                    continue
                for rec in (item, *map(graph.record, item.refs[:_FIRST])):
                    if rec is not None and rec.type and rec.type not in seen:
                        seen.add(rec.type)
                        with contextlib.suppress(Exception):  # of a broken dump: p says it
                            graph.classes.get(rec.type)
                    if time.monotonic() > end:
                        return


def _entries(tb: Optional[types.TracebackType]) -> List[Tuple[types.FrameType, int]]:
    out = []
    while tb is not None:
        out.append((tb.tb_frame, tb.tb_lineno))
        tb = tb.tb_next
    return out


class Views:
    """Makes views, and keeps the real frames of each thread. Expressions in
    them take a Scope."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        dump.graph.patient = True
        self._stacks: Dict[int, real.Stack] = {}
        self._globals: real.Globals = {}
        #: address of an exception -> the newest part of its traceback
        self._begun: Dict[int, types.TracebackType] = {}

    def stack(self, thread: Thread, whole: bool = True) -> real.Stack:
        """The real frames of a thread; of a deep one maybe only the newest."""
        made = self._stacks.get(thread.index)
        if made is None and not whole and thread.depth > 2 * _NEWEST:
            made = real.thread_stack(self.dump, thread.newest(_NEWEST), self._globals)
        elif made is None or (whole and len(made.frames) == _NEWEST < thread.depth):
            newest = made.frames if made is not None else ()
            made = real.thread_stack(self.dump, thread.frames, self._globals, newest)
        self._stacks[thread.index] = made
        return made

    def of_thread(self, thread: Thread, whole: bool = True) -> View:
        """The stack of a thread."""
        view, stack = View(thread), self.stack(thread, whole)
        view.stack = list(zip(stack.frames, stack.lines))
        view.traceback, view.note = stack.traceback, stack.note
        view.partial = not whole and len(stack.frames) == _NEWEST < thread.depth
        dumped = thread.newest(len(stack.frames))
        view.dumped = {id(f): d for f, d in zip(reversed(stack.frames), dumped)}
        return view

    def of_exception(
        self, thread: Thread, entry: ExceptionEntry, whole: bool = True
    ) -> Optional[View]:
        """The traceback of an exception, below the frames that called it; of a
        deep one maybe only its newest frames."""
        view = View(thread, entry)
        tb = None if whole else self._newest_of(entry)
        if tb is not None:
            view.partial = True
        else:
            tb = self.traceback(entry)
            if tb is None:
                return None
            first = self._frame_address(entry)
            for i, frame in enumerate(thread.frames):
                if first and frame.frame_address == first:
                    below = self.of_thread(thread)
                    view.stack = below.stack[: max(len(below.stack) - 1 - i, 0)]
                    view.dumped = below.dumped
                    break
        view.traceback = tb
        view.stack += _entries(tb)
        return view

    def traceback(self, entry: ExceptionEntry) -> Optional[types.TracebackType]:
        """The real traceback of an exception, all of it."""
        graph = self.dump.graph
        if self._address(entry) != self._own(entry):
            return real.traceback_of(graph, self._address(entry))
        begun = self._begun.pop(entry.address, None)
        ref = find_ref(entry.value) if entry.address else None
        if begun is not None and ref is not None and ref.extra is None:
            # As value.__traceback__ would make it, but with what was assigned.
            newest = [frame for frame, _ in _entries(begun)]
            at = self._address(entry)
            ref.extra = real.traceback_of(graph, at, None, self._globals, newest) or False
        found = getattr(entry.value, "__traceback__", None)
        if isinstance(found, types.TracebackType) and type(found) is types.TracebackType:
            return found
        return real.traceback_of(graph, entry.traceback_address)

    def _newest_of(self, entry: ExceptionEntry) -> Optional[types.TracebackType]:
        """The newest part of a deep traceback; None when it is not deep, or
        made already."""
        ref = find_ref(entry.value) if entry.address else None
        if ref is None or ref.extra is not None:
            return None
        if entry.address not in self._begun:
            at = self._address(entry)
            chain = real.traceback_chain(self.dump.graph, at)
            if len(chain) <= 2 * _NEWEST:
                return None
            tb = real.traceback_of(self.dump.graph, at, chain[-_NEWEST:], self._globals)
            if tb is None:
                return None
            self._begun[entry.address] = tb
        return self._begun[entry.address]

    def _own(self, entry: ExceptionEntry) -> int:
        """The traceback that the exception has itself."""
        rec = self.dump.graph.record(entry.address) if entry.address else None
        return rec.field("traceback") if rec is not None else 0

    def _address(self, entry: ExceptionEntry) -> int:
        """Up to 3.11 the thread's is longer than the exception's own until
        somebody handles it."""
        return entry.traceback_address or self._own(entry)

    def _frame_address(self, entry: ExceptionEntry) -> int:
        tb = self.dump.graph.record(self._address(entry))
        return tb.field("frame") if tb is not None else 0

    def first(self) -> Optional[View]:
        """Where to open: the thread that a signal is for, else an exception, else
        who holds the GIL, else main."""
        threads = self.dump.threads
        trigger = self.dump.header.get("trigger")
        if isinstance(trigger, dict) and trigger.get("signo"):
            for thread in threads:
                if thread.native_id == trigger.get("thread") and thread.native_id:
                    of_signal = self.of_thread(thread)
                    if of_signal.stack:
                        return of_signal
        for thread in threads:
            for entry in thread.exceptions:
                view = self.of_exception(thread, entry, whole=False)
                if view is not None and view.stack:
                    return view
        with_frames = [t for t in threads if t.nframes or t.frames]
        for thread in [t for t in with_frames if t.gil] + with_frames:
            view = self.of_thread(thread, whole=False)
            if view.stack:
                return view
        return None
