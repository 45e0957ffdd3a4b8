# SPDX-License-Identifier: Apache-2.0
"""pdb on a dump: its reading commands, threads to switch between, and a clear
refusal for whatever would run the program."""

import contextlib
import inspect
import pdb
import re
import sys
from typing import Any, List, Optional, Set, Tuple

from . import sources
from .describe import header_lines, summary, thread_line, thread_name, wait_lines
from .dump import Dump, ExceptionEntry, Thread
from .marks import printable
from .namespace import Scope
from .places import class_line, find_thread, locate
from .refs import find_ref
from .render import pretty, text
from .scope import serve
from .views import View, Views

_REFUSED = (
    "step s next n until unt return r retval rv run restart continue cont c jump j break b "
    "tbreak commands condition ignore enable disable clear cl debug"
).split()

#: Where pdb keeps what is written as $name, among a frame's globals.
_VARIABLES = "__pdb_convenience_variables"
_DOLLAR = re.compile(r"""("[^"]*"|'[^']*')|\$([A-Za-z_]\w*)""")


def _convenience(found: "re.Match[str]") -> str:
    return found.group(1) or '%s["%s"]' % (_VARIABLES, found.group(2))


class DumpPdb(pdb.Pdb):
    """The prompt on a dump."""

    def __init__(self, dump: Dump, color: bool = True, **kw: Any) -> None:
        if "colorize" in inspect.signature(pdb.Pdb.__init__).parameters:
            kw.setdefault("colorize", color)
        super().__init__(nosigint=True, readrc=False, **kw)
        self.dump = dump
        serve(dump.graph)
        self.views = Views(dump)
        self.view: Optional[View] = None
        self.prompt = "(pydumpd) "
        line_editor = getattr(self, "pyrepl_input", None)  # 3.15
        if line_editor is not None:
            line_editor.prompt = self.prompt
        #: the chain of the exception that the prompt is on, oldest first
        self.chain: List[Any] = []
        self._doubted: Set[str] = set()

    # -- opening and switching

    def run_on(self, view: View, commands: Optional[List[str]] = None) -> None:
        """Prompts on a view, or runs commands on it and returns."""
        self.reset()
        self.show(view)
        if commands is not None:
            self.cmdqueue[:] = [*commands, "quit"]
        self._cmdloop()
        self.forget()

    def show(self, view: View) -> None:
        """Switches to a view and says where that is."""
        queue, self.cmdqueue = self.cmdqueue, []
        self.view = view
        if view.exception is not None and view.exception.value is not None:
            self.chain = _chain(view.exception.value)
            self.message(
                "%s in thread %d (%s); 'thread %d' shows where the thread is"
                % (
                    view.exception.role,
                    view.thread.index,
                    thread_name(view.thread),
                    view.thread.index,
                )
            )
            self.message(summary(view.exception.value))
        else:
            self.chain = []
        if view.note:
            self.message(view.note)
        self.setup(None, view.traceback)
        self.cmdqueue = queue + self.cmdqueue
        self.print_stack_entry(self.stack[self.curindex])

    def get_stack(self, f: Any, t: Any) -> Tuple[List[Tuple[Any, int]], int]:
        """The stack of the view: bdb's own would add frames of the loader."""
        assert self.view is not None
        return self.view.stack, max(len(self.view.stack) - 1, 0)

    def setup(self, f: Any, tb: Any) -> None:  # type: ignore
        super().setup(f, tb)
        if self.chain:
            for space in {id(f.f_globals): f.f_globals for f, _ in self.stack}.values():
                space.setdefault(_VARIABLES, {})["_exception"] = self.chain[-1]

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

    def canonic(self, filename: str) -> str:
        """File names are the program's: they mean nothing on this machine."""
        return filename

    def _validate_file_mtime(self) -> None:
        pass

    def _save_initial_file_mtime(self, frame: Any) -> None:
        pass

    def onecmd(self, line: str) -> Any:
        if not hasattr(pdb.Pdb, "set_convenience_variable"):  # before 3.12
            line = _DOLLAR.sub(_convenience, line)
            dict.setdefault(self.curframe.f_globals, _VARIABLES, {})
        try:
            return super().onecmd(line)
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except RecursionError:
            self.error("nested too deep for that")
        except Exception as e:
            self.error(_error(e))
        return None

    # -- values

    def _locals(self) -> Any:
        """The variables of the frame, with what was assigned at the prompt.
        Up to 3.12 each look at f_locals would undo that."""
        if sys.version_info >= (3, 13):
            return self.curframe.f_locals
        return self.curframe_locals

    def _evaluate(self, code: Any) -> Any:
        space = self._locals()
        if isinstance(code, str):
            code = compile(code.strip(), "<stdin>", "eval")
        scope = Scope(space, self.curframe.f_globals)
        scope.load(code)
        if "__builtins__" in code.co_names and "__builtins__" in scope.origin:
            # Its name is the program's, the names in it are this Python's.
            space = {"__builtins__": scope.origin["__builtins__"], **space}
        return eval(code, scope, space)

    def _getval(self, arg: str) -> Any:
        try:
            return self._evaluate(arg)
        except Exception as e:
            self.error(_error(e))
            raise

    def _shown(self, arg: str) -> str:
        """The text of an expression's value, or of what came of it."""
        try:
            return text(self._evaluate(arg))
        except Exception as e:
            return "** raised %s **" % _error(e)

    def do_display(self, arg: str) -> None:
        """display [expression]

        Print the value of the expression, and keep it in the list that display
        without expression prints.
        """
        kept = self.displaying.setdefault(self.curframe, {})
        if arg:
            kept[arg] = None
            self.message("display %s: %s" % (arg, self._shown(arg)))
        elif kept:
            self.message("Currently displaying:")
            for each in kept:
                self.message("%s: %s" % (each, self._shown(each)))
        else:
            self.message("No expression is being displayed")

    def preloop(self) -> None:
        """Nothing has changed since: nothing is displayed anew."""

    def default(self, line: str) -> Any:
        """Runs a statement that was typed; an expression is printed."""
        line = (line[1:] if line[:1] == "!" else line).strip()
        try:
            code = compile(line + "\n", "<stdin>", "single")
        except (SyntaxError, ValueError):
            self.curframe.f_globals.fill()  # the lookup of names sees what is there
            return super().default(line)  # the first of several lines, maybe
        hook, sys.displayhook = sys.displayhook, self.displayhook
        try:
            with contextlib.redirect_stdout(self.stdout):
                self._evaluate(code)
        finally:
            sys.displayhook = hook
        return None

    def displayhook(self, obj: Any) -> None:
        if obj is not None:
            self.message(text(obj))

    def _value(self, arg: str) -> Tuple[bool, Any]:
        try:
            return True, self._getval(arg)
        except Exception:  # _getval has printed it
            return False, None

    def do_p(self, arg: str) -> None:
        """p expression

        Print the value of the expression.
        """
        if not arg:
            self.error("p needs an expression")
            return
        ok, value = self._value(arg)
        if ok:
            self.message(text(value))

    def do_pp(self, arg: str) -> None:
        """pp expression

        Pretty-print the value of the expression; of an instance also its
        attributes.
        """
        if not arg:
            self.error("pp needs an expression")
            return
        ok, value = self._value(arg)
        if ok:
            self.message(pretty(value))

    def _safe_repr(self, obj: Any, expr: Any) -> str:
        return text(obj)

    def do_args(self, arg: str) -> None:
        """a(rgs)

        Print the arguments of the current function.
        """
        code = self.curframe.f_code
        values = self._locals()
        n = code.co_argcount + code.co_kwonlyargcount
        n += bool(code.co_flags & inspect.CO_VARARGS)
        n += bool(code.co_flags & inspect.CO_VARKEYWORDS)
        for name in code.co_varnames[:n]:
            shown = text(values[name]) if name in values else "*** not set ***"
            self.message("%s = %s" % (name, shown))

    do_a = do_args

    def do_whatis(self, arg: str) -> None:
        """whatis expression

        Print the type of the value.
        """
        ok, value = self._value(arg)
        if not ok:
            return
        func = getattr(value, "__func__", value)
        code = getattr(func, "__code__", None) if not isinstance(value, type) else None
        if code is not None:
            word = "Method" if func is not value else "Function"
            self.message("%s %s" % (word, code.co_name))
        elif isinstance(value, type):
            self.message("Class %s.%s" % (value.__module__, value.__qualname__))
        else:
            self.message(repr(value.__class__))

    def do_addr(self, arg: str) -> None:
        """addr expression

        Print where the object was in the program, its type, size in bytes and
        reference count.
        """
        ok, value = self._value(arg)
        if not ok:
            return
        ref = find_ref(value)
        at = ref.rec.addr if ref else self.dump.address(value)
        rec = self.dump.graph.record(at)
        if rec is None:
            self.error("not an object of the dump")
            return
        count = "immortal" if rec.refcnt == (1 << 32) - 1 else "%d" % rec.refcnt
        name = self.dump.graph.classes.name(rec.type) or "?"
        self.message("%#x: %s, %d bytes, reference count %s" % (at, name, rec.size, count))

    def do_object(self, arg: str) -> None:
        """object ADDRESS

        Print the object that was at an address (id() in the program).
        """
        try:
            at = int(arg, 0)
        except ValueError:
            self.error("object needs an address")
            return
        self.message(pretty(self.dump.object(at)))

    def do_real(self, arg: str) -> None:
        """real NAME

        Replace the local variable NAME, a stand-in for a big container, by a
        real builtin with all that it holds.
        """
        space = self._locals()
        if arg not in space:
            self.error("no local variable %r" % arg)
            return
        value = space[arg] = self.dump.materialise(space[arg])
        self.message("%s is a real %s of %d now" % (arg, type(value).__name__, len(value)))

    def do_stack(self, arg: str) -> None:
        """stack

        Print the evaluation stack of the current frame, the bottom first.
        """
        assert self.view is not None
        frame = self.view.dumped.get(id(self.curframe))
        values = frame.stack if frame is not None else None
        if values is None:
            self.error("the evaluation stack of this frame is not known")
        elif not values:
            self.message("the evaluation stack is empty")
        else:
            for i, value in enumerate(values):
                self.message("%3d  %s" % (i, text(value, 2000)))

    def print_stack_entry(self, frame_lineno: Any, *args: Any, **kw: Any) -> None:
        super().print_stack_entry(frame_lineno, *args, **kw)
        dumped = self.view.dumped.get(id(frame_lineno[0])) if self.view else None
        if dumped is not None and dumped.note:
            self.message("   [%s]" % printable(dumped.note))
        self._tell_doubt(frame_lineno[0].f_code.co_filename)

    def _tell_doubt(self, file: str) -> None:
        """Says once of a file that its text may not be what ran."""
        why = "" if file in self._doubted else sources.doubt(self.dump, file)
        self._doubted.add(file)
        if why:
            self.message("[%s]" % why)

    # -- source

    def _no_source(self) -> bool:
        file = self.curframe.f_code.co_filename
        if sources.lines_of(self.dump, file):
            return False
        self.error("the dump has no source of %s" % printable(file))
        return True

    def do_list(self, arg: str) -> Any:
        if not self._no_source():
            return super().do_list(arg)

    do_l = do_list
    do_list.__doc__ = pdb.Pdb.do_list.__doc__

    def do_longlist(self, arg: str) -> Any:
        if self._no_source():
            return
        if self.curframe.f_code.co_name == "<module>":
            lines = sources.lines_of(self.dump, self.curframe.f_code.co_filename)
            self._print_lines(lines, 1, [], self.curframe)
            return
        return super().do_longlist(arg)

    do_ll = do_longlist
    do_longlist.__doc__ = pdb.Pdb.do_longlist.__doc__

    def do_source(self, arg: str) -> None:
        """source expression

        Print the source of a function, method, class, module or frame, when
        the dump has it.
        """
        ok, value = self._value(arg)
        if not ok:
            return
        file, first = locate(value)
        lines = sources.lines_of(self.dump, file) if file else []
        if not lines:
            self.error("the dump has no source of that")
            return
        self._tell_doubt(file)
        if first is None:
            self._print_lines(lines, 1)
        else:
            if isinstance(value, type):
                first = class_line(lines, value.__name__, first)
            block = lines[first - 1 :]
            with contextlib.suppress(Exception):  # tokenizer over a part of a file
                block = inspect.getblock(block)
            self._print_lines(block, first)

    # -- frames and threads

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
                for cause in reversed(_chain(entry.value)[:-1]):
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

    def do_header(self, arg: str) -> None:
        """header

        Print what the dump is of: program, process, host, time, limits.
        """
        for line in header_lines(self.dump):
            self.message(line)

    def do_waits(self, arg: str) -> None:
        """waits

        Print what the threads wait for: locks and who holds them, system calls
        and their files, deadlocks.
        """
        lines = wait_lines(self.dump)
        if not lines:
            self.error("the dump does not say what threads wait for")
        for line in lines:
            self.message(line)

    def do_quit(self, arg: str) -> bool:
        """q(uit) | exit

        Close the dump.
        """
        self._user_requested_quit = True
        self.quitting = True
        return True

    do_q = do_quit
    do_exit = do_quit

    def do_EOF(self, arg: str) -> bool:
        """EOF

        Close the dump.
        """
        self.message("")
        return self.do_quit(arg)

    def _refuse(self, name: str, arg: str) -> None:
        more = ""
        if not arg and self.curframe is not None and name in self._locals():
            more = "; for the variable: p %s" % name
        self.error("this is a dump; nothing runs (%s)%s" % (name, more))


def _error(e: BaseException) -> str:
    """What is said of an error at the prompt; one of the dump may be raised."""
    try:
        shown = str(e)
    except Exception:
        shown = ""
    name = printable(getattr(e.__class__, "__name__", "?"))
    return "%s: %s" % (name, shown) if shown else name


def _refusal(name: str) -> Any:
    def refuse(self: DumpPdb, arg: str) -> None:
        self._refuse(name, arg)

    refuse.__doc__ = "%s\n\n        Not here: this is a dump; nothing runs.\n        " % name
    return refuse


for _name in _REFUSED:
    setattr(DumpPdb, "do_" + _name, _refusal(_name))


def _chain(value: Any) -> List[Any]:
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
