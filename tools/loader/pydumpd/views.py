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


class Views:
    """Makes views, and keeps the real frames of each thread."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self._stacks: Dict[int, real.Stack] = {}

    def stack(self, thread: Thread) -> real.Stack:
        """The real frames of a thread."""
        if thread.index not in self._stacks:
            self._stacks[thread.index] = real.thread_stack(self.dump, thread.frames)
        return self._stacks[thread.index]

    def of_thread(self, thread: Thread) -> View:
        """The stack of a thread."""
        view, stack = View(thread), self.stack(thread)
        view.stack = list(zip(stack.frames, stack.lines))
        view.traceback, view.note = stack.traceback, stack.note
        dumped = thread.frames[: len(stack.frames)]
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
        """Where to open: an exception, else who holds the GIL, else main."""
        threads = self.dump.threads
        for thread in threads:
            for entry in thread.exceptions:
                view = self.of_exception(thread, entry)
                if view is not None and view.stack:
                    return view
        with_frames = [t for t in threads if t.nframes or t.frames]
        for thread in [t for t in with_frames if t.gil] + with_frames:
            view = self.of_thread(thread)
            if view.stack:
                return view
        return None
