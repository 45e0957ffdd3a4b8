# SPDX-License-Identifier: Apache-2.0
"""pdb on a dump: its reading commands, threads to switch between, and a clear
refusal for whatever would run the program."""

import contextlib
import inspect
import pdb
import re
from typing import Any, List, Optional, Set, Tuple

from . import sources
from .describe import header_lines, summary, thread_name, wait_lines
from .dump import Dump
from .marks import printable
from .places import class_line, locate
from .scope import serve
from .stackcommands import StackCommands, chain_of
from .valuecommands import ValueCommands, error_text
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


class DumpPdb(ValueCommands, StackCommands):
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
            self.chain = chain_of(view.exception.value)
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
            self.error(error_text(e))
        return None

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
        ok, value = self._value("source", arg)
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


def _refusal(name: str) -> Any:
    def refuse(self: DumpPdb, arg: str) -> None:
        self._refuse(name, arg)

    refuse.__doc__ = "%s\n\n        Not here: this is a dump; nothing runs.\n        " % name
    return refuse


for _name in _REFUSED:
    setattr(DumpPdb, "do_" + _name, _refusal(_name))
