# SPDX-License-Identifier: Apache-2.0
"""The command line: pydumpd load FILE, or python -m pydumpd FILE."""

import gc
import getopt
import os
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, List, Optional

from . import sources
from .dump import Dump
from .dumpfile import DumpError

if TYPE_CHECKING:
    import argparse


def _parser() -> "argparse.ArgumentParser":
    import argparse

    p = argparse.ArgumentParser(
        prog=os.environ.get("PYDUMPD_PROG") or "python -m pydumpd",
        description="Open a core dump of a Python program in pdb. Nothing of the program runs.",
    )
    p.add_argument("file", metavar="FILE", help="the dump")
    p.add_argument(
        "--thread", "-t", metavar="T", help="open on this thread: its number, ident or name"
    )
    p.add_argument(
        "--command", "-c", metavar="CMD", action="append",
        help="run this command instead of prompting; may be repeated",
    )  # fmt: skip
    p.add_argument(
        "--batch", action="store_true",
        help="do not prompt; without --command, print all stacks",
    )  # fmt: skip
    p.add_argument("--no-color", action="store_true", help="no colours at the prompt")
    p.add_argument("--pdbrc", action="store_true", help="read ~/.pdbrc first")
    return p


def _parse(argv: List[str]) -> Any:
    """The options of a line that is right; of others argparse, which takes
    long to import, says what is wrong, or the help."""
    out = SimpleNamespace(thread=None, command=None, batch=False, no_color=False, pdbrc=False)
    try:
        options, files = getopt.gnu_getopt(
            argv, "t:c:", ["thread=", "command=", "batch", "no-color", "pdbrc"]
        )
    except getopt.GetoptError:
        return _parser().parse_args(argv)
    for name, value in options:
        if name in ("-c", "--command"):
            out.command = [*(out.command or []), value]
        elif name in ("-t", "--thread"):
            out.thread = value
        else:
            setattr(out, name[2:].replace("-", "_"), True)
    if len(files) != 1:
        return _parser().parse_args(argv)
    out.file = files[0]
    return out


def main(argv: Optional[List[str]] = None) -> int:
    """Opens a dump at a prompt; the exit status."""
    args = _parse(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(args)
        sys.stdout.flush()
        return status
    except DumpError as e:
        print("pydumpd: %s" % e, file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as e:  # of our own files DumpFile speaks
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print("pydumpd: cannot write: %s" % (e.strerror or e), file=sys.stderr)
        return 1
    finally:
        gc.enable()


def _run(args: Any) -> int:
    gc.disable()  # what is made for the prompt stays
    from .debugger import DumpPdb
    from .describe import header_lines, thread_line
    from .places import find_thread
    from .scope import teach_json
    from .views import foresee

    dump = Dump(args.file)
    teach_json()
    sources.publish_all(dump)
    for line in header_lines(dump):
        print(line)
    color = not args.no_color and not os.environ.get("NO_COLOR")
    prompt = DumpPdb(dump, color=color)
    if args.thread is not None:
        thread = find_thread(dump, args.thread)
        if thread is None:
            raise DumpError("no thread %r in %s" % (args.thread, args.file))
        view = prompt.views.of_thread(thread, whole=False)
        if not view.stack:
            raise DumpError("thread %d has no frames in %s" % (thread.index, args.file))
    else:
        found = prompt.views.first()
        if found is None:
            print("no thread has frames here")
            for thread in dump.threads:
                print(thread_line(thread))
            return 0
        view = found
    print()
    if args.pdbrc:
        try:
            with open(os.path.expanduser("~/.pdbrc"), encoding="utf-8") as f:
                prompt.rcLines.extend(f)
        except OSError:
            pass
    commands: Optional[List[str]] = args.command
    if args.batch and commands is None:
        commands = ["exceptions"] if any(t.exceptions for t in dump.threads) else []
        for thread in dump.threads:
            if thread.frames:
                commands += ["thread %d" % thread.index, "where"]
    elif commands is None:
        print("'help' lists the commands, 'threads' the threads; q leaves.")
    if commands is None:
        foresee(view)
    gc.freeze()
    gc.enable()
    prompt.run_on(view, commands)
    return 0
