# SPDX-License-Identifier: Apache-2.0
"""The prompt's commands about stacks: frames, threads, exceptions."""

import pdb
from typing import Any, List, Optional, Tuple

from .describe import summary, thread_line, thread_name
from .dump import Dump, ExceptionEntry, Thread
from .marks import printable
from .places import find_thread
from .refs import find_ref
from .views import View, Views


class StackCommands(pdb.Pdb):
    """Where the prompt is, and how it gets elsewhere."""

    dump: Dump
    view: Optional[View]
    views: Views

    def show(self, view: View) -> None:
        """Switches to a view and says where that is."""
        raise NotImplementedError

    def _make_whole(self) -> None:
        """Makes the older frames of a deep stack, of which there are only the
        newest so far."""
        view = self.view
        if view is None or not view.partial:
            return
        if view.exception is not None:
            whole = self.views.of_exception(view.thread, view.exception) or view
        else:
            whole = self.views.of_thread(view.thread)
        for (old, _), (new, _) in zip(reversed(view.stack), reversed(whole.stack)):
            if old in self.displaying:
                self.displaying[new] = self.displaying.pop(old)
        self.curindex += len(whole.stack) - len(view.stack)
        self.view, self.stack = whole, whole.stack
        self.tb_lineno.clear()
        self.tb_lineno.update(whole.stack)
        # Up to 3.12 what was assigned is in curframe_locals, which stay.
        self.curframe = self.stack[self.curindex][0]

    def do_where(self, arg: str) -> None:
        """w(here) [count]

        Print the stack, the newest frame at the bottom; an arrow shows the
        current frame. With a count, that many of the newest frames, or of the
        oldest if it is negative; 0 is the current one.
        """
        try:
            count = int(arg) if arg else None
        except ValueError:
            self.error("where: %r is no count" % arg)
            return
        if count is None or count < 0 or count > len(self.stack):
            self._make_whole()
        if count is None:
            entries = self.stack
        elif count == 0:
            entries = [self.stack[self.curindex]]
        else:
            entries = self.stack[:-count] if count < 0 else self.stack[-count:]
            entries = self.stack[:-count] if count < 0 else entries
        try:
            for entry in entries:
                self.print_stack_entry(entry)
        except KeyboardInterrupt:
            pass

    do_w = do_where
    do_bt = do_where

    def do_nw(self, arg: str) -> None:
        """nw [count]

        Native where: print the thread's stack with the native frames (C, C++,
        Rust) between the Python frames, the newest at the bottom; an arrow
        shows the current frame. With a count, that many of the newest frames,
        or of the oldest if it is negative.
        """
        try:
            count = int(arg) if arg else None
        except ValueError:
            self.error("nw: %r is no count" % arg)
            return
        assert self.view is not None
        thread = self.view.thread
        native = thread.native
        if native is None:
            self.error("the dump has no native stack of thread %d" % thread.index)
            return
        if native.note:
            self.message("[%s]" % printable(native.note))
        self._make_whole()
        stack = self.views.of_thread(thread).stack[::-1]
        entries = list(native.merge(len(stack)))[::-1]
        if count is not None:
            entries = entries[-count:] if count > 0 else entries[: abs(count)]
        try:
            for entry in entries:
                if isinstance(entry, int):
                    self.print_stack_entry(stack[entry])
                else:
                    shown = entry if isinstance(entry, str) else entry.describe()
                    self.message("  native %s" % shown)
                    for inner in [] if isinstance(entry, str) else entry.inlined[::-1]:
                        self.message("  native %s" % inner.describe())
        except KeyboardInterrupt:
            pass

    def do_up(self, arg: str) -> Any:
        if arg or self.curindex == 0:
            self._make_whole()
        return super().do_up(arg)

    do_u = do_up
    do_up.__doc__ = pdb.Pdb.do_up.__doc__

    def do_threads(self, arg: str) -> None:
        """threads

        List the threads; an arrow shows the one that the prompt is on.
        """
        assert self.view is not None
        for thread in self.dump.threads:
            arrow = "->" if thread.index == self.view.thread.index else "  "
            self.message(arrow + thread_line(thread))

    def do_thread(self, arg: str) -> None:
        """thread [NUMBER | IDENT | NAME]

        Switch to a thread's stack; without argument, to that of the current
        thread.
        """
        assert self.view is not None
        thread = find_thread(self.dump, arg) if arg else self.view.thread
        if thread is None:
            self.error("no thread %r; 'threads' lists them" % arg)
            return
        view = self.views.of_thread(thread, whole=False)
        if not view.stack:
            self.error("thread %d has no frames here" % thread.index)
            return
        self.show(view)

    def do_exceptions(self, arg: str) -> None:
        """exceptions [NUMBER]

        List the exceptions that the threads raise or handle, and below the one
        that the prompt is on those that led to it; switch to one.
        """
        found: List[Tuple[Thread, ExceptionEntry, str]] = []
        assert self.view is not None
        for thread in self.dump.threads:
            for entry in thread.exceptions:
                where = "%s in thread %d, %s" % (entry.role, thread.index, thread_name(thread))
                found.append((thread, entry, where))
                for cause in reversed(chain_of(entry.value)[:-1]):
                    at = self.dump.graph.address(cause)
                    ref = find_ref(cause)
                    tb = ref.rec.field("traceback") if ref else 0
                    deeper = ExceptionEntry("led to it", cause, at, tb)
                    found.append((thread, deeper, "led to the one above"))
        if not arg:
            if not found:
                self.error("no thread raises or handles an exception")
            for i, (_, entry, where) in enumerate(found):
                on = self.view.exception is not None
                same = on and self.view.exception.value is entry.value  # type: ignore
                arrow = ">" if same else " "
                self.message("%s%3d  %s (%s)" % (arrow, i, summary(entry.value), where))
            return
        try:
            thread, entry, _ = found[int(arg)]
        except (ValueError, IndexError):
            self.error("no exception %r; 'exceptions' lists them" % arg)
            return
        view = self.views.of_exception(thread, entry, whole=False)
        if view is None:
            self.error("that exception has no traceback")
            return
        self.show(view)


def chain_of(value: Any) -> List[Any]:
    """An exception and those that led to it, oldest first."""
    out: List[Any] = []
    while isinstance(value, BaseException) and all(value is not o for o in out):
        out.append(value)
        if len(out) >= 999:
            break
        cause = value.__cause__
        if cause is None and not value.__suppress_context__:
            cause = value.__context__
        value = cause
    return out[::-1]
