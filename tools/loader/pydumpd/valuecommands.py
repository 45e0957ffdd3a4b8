# SPDX-License-Identifier: Apache-2.0
"""The prompt's commands about values, and how it evaluates expressions."""

import contextlib
import inspect
import pdb
import sys
from typing import Any, Optional, Tuple

from .dump import Dump
from .marks import printable
from .namespace import Scope
from .refs import find_ref
from .render import pretty, text
from .views import View


class ValueCommands(pdb.Pdb):
    """What the prompt does with expressions and their values."""

    dump: Dump
    view: Optional[View]

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
            self.error(error_text(e))
            raise

    def _shown(self, arg: str) -> str:
        """The text of an expression's value, or of what came of it."""
        try:
            return text(self._evaluate(arg))
        except Exception as e:
            return "** raised %s **" % error_text(e)

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

    def _value(self, command: str, arg: str) -> Tuple[bool, Any]:
        if not arg:
            self.error("%s needs an expression" % command)
            return False, None
        try:
            return True, self._getval(arg)
        except Exception:  # _getval has printed it
            return False, None

    def do_p(self, arg: str) -> None:
        """p expression

        Print the value of the expression.
        """
        ok, value = self._value("p", arg)
        if ok:
            self.message(text(value))

    def do_pp(self, arg: str) -> None:
        """pp expression

        Pretty-print the value of the expression; of an instance also its
        attributes.
        """
        ok, value = self._value("pp", arg)
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
        ok, value = self._value("whatis", arg)
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
        ok, value = self._value("addr", arg)
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
        if at & 3:  # of small integers that the evaluation stack holds itself
            self.error("%#x is no address of an object" % at)
            return
        self.message(pretty(self.dump.object(at)))

    def do_real(self, arg: str) -> None:
        """real NAME

        Replace the local variable NAME, a stand-in for a big container, by a
        real builtin with all that it holds.
        """
        space = self._locals()
        if arg not in space:
            self.error("no local variable %r" % arg if arg else "real needs a name")
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


def error_text(e: BaseException) -> str:
    """What is said of an error at the prompt; one of the dump may be raised."""
    try:
        shown = str(e)
    except Exception:
        shown = ""
    name = printable(getattr(e.__class__, "__name__", "?"))
    return "%s: %s" % (name, shown) if shown else name
