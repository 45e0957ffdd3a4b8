# SPDX-License-Identifier: Apache-2.0
"""Opens core dumps of Python programs.

    import pydumpd

    with pydumpd.open("app.pydump") as dump:
        for thread in dump.threads:
            for frame in thread.frames:
                print(frame, dict(frame.locals))

Nothing that a dump names is imported, evaluated or called.
"""

from .dump import Dump, ExceptionEntry, FileDescriptor, Frame, Locals, Source, Thread
from .dumpfile import DumpError
from .marks import EqualKey, NotDumpedError, Placeholder
from .meta import DumpCallError
from .nativestacks import Inlined, NativeFrame, NativeStack
from .objects import BUDGET
from .waits import Deadlock, Lock, SystemCall, Wait, Waits

__version__ = "0.1.0"


def open(path: str, budget: int = BUDGET) -> Dump:  # noqa: A001
    """Opens a dump; DumpError, one line, when it cannot be read.

    budget: how many objects one request decodes at once. Containers beyond
    it become stand-ins that decode on demand.
    """
    return Dump(path, budget)


__all__ = [
    "BUDGET",
    "Dump",
    "DumpCallError",
    "DumpError",
    "EqualKey",
    "ExceptionEntry",
    "FileDescriptor",
    "Deadlock",
    "Frame",
    "Inlined",
    "Locals",
    "Lock",
    "NativeFrame",
    "NativeStack",
    "NotDumpedError",
    "Placeholder",
    "Source",
    "SystemCall",
    "Thread",
    "Wait",
    "Waits",
    "open",
]
