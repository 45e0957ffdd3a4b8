# SPDX-License-Identifier: Apache-2.0
"""What a debugger can stand on: a thread's stack, or an exception's traceback."""

import types
from typing import Dict, List, Optional, Tuple

from . import frames as real
from .dump import Dump, ExceptionEntry, Frame, Thread


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
        #: older frames of the thread are not made yet
        self.partial = False


#: A deeper stack is opened with so many of its newest frames.
_NEWEST = 200


class Views:
    """Makes views, and keeps the real frames of each thread. Expressions in
    them take a Scope."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        dump.graph.patient = True
        self._stacks: Dict[int, real.Stack] = {}
        self._globals: real.Globals = {}

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

    def of_exception(self, thread: Thread, entry: ExceptionEntry) -> Optional[View]:
        """The traceback of an exception, below the frames that called it."""
        tb = self.traceback(entry)
        if tb is None:
            return None
        view = View(thread, entry)
        view.traceback = tb
        first = self._frame_address(entry)
        for i, frame in enumerate(thread.frames):
            if first and frame.frame_address == first:
                below = self.of_thread(thread)
                view.stack = below.stack[: max(len(below.stack) - 1 - i, 0)]
                view.dumped = below.dumped
                break
        while tb is not None:
            view.stack.append((tb.tb_frame, tb.tb_lineno))
            tb = tb.tb_next
        return view

    def traceback(self, entry: ExceptionEntry) -> Optional[types.TracebackType]:
        """The real traceback of an exception."""
        value = entry.value
        found = getattr(value, "__traceback__", None)
        if isinstance(found, types.TracebackType) and type(found) is types.TracebackType:
            return found
        return real.traceback_of(self.dump.graph, entry.traceback_address)

    def _frame_address(self, entry: ExceptionEntry) -> int:
        at = entry.traceback_address
        rec = self.dump.graph.record(entry.address)
        if rec is not None:
            at = rec.field("traceback") or at
        tb = self.dump.graph.record(at)
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
                view = self.of_exception(thread, entry)
                if view is not None and view.stack:
                    return view
        with_frames = [t for t in threads if t.nframes or t.frames]
        for thread in [t for t in with_frames if t.gil] + with_frames:
            view = self.of_thread(thread, whole=False)
            if view.stack:
                return view
        return None
