# SPDX-License-Identifier: Apache-2.0
"""linecache, filled from the dump.

Every file name that a frame shows gets an entry, an empty one when the dump
has no text: a file of that name on this machine is another program's.
"""

import linecache
import time
from typing import TYPE_CHECKING, List

from .marks import printable

if TYPE_CHECKING:
    from .dump import Dump


def lines_of(dump: "Dump", file: str) -> List[str]:
    """The lines of a file as the dump has them, each ending in a newline."""
    source = dump.sources.get(file)
    if source is None or not source.text:
        return []
    lines = source.text.splitlines(True) if "\r" not in source.text else None
    if lines is None or len(lines) != source.text.count("\n") + (source.text[-1] != "\n"):
        # splitlines() also splits at form feeds and others; Python does not.
        lines = [line + "\n" for line in source.text.split("\n")]
        if source.text.endswith("\n"):
            lines.pop()
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if source.truncated is not None:
        lines.append("# [the rest of the file is not in the dump]\n")
    return lines


def doubt(dump: "Dump", file: str) -> str:
    """Why the text of a file may not be what ran, or "": a file is read when the
    dump is made, of a core when that is read, and Python read it before."""
    source = dump.sources.get(file)
    process, core = dump.header.get("process"), dump.header.get("time")
    start = process.get("start_time") if isinstance(process, dict) else None
    since, what = (start, "started") if isinstance(start, str) else (core, "had ended")
    if source is None or source.mtime is None or not isinstance(since, str):
        return ""
    try:
        # Start times are known to a second or two.
        changed = time.strftime(_TIME, time.gmtime(source.mtime - 2))
        shown = time.strftime(_TIME, time.gmtime(source.mtime))
    except (OverflowError, OSError, ValueError):
        return ""
    if changed <= since[: len(changed)]:
        return ""
    return "%s was changed at %sZ, after the program %s: lines may differ from those that ran" % (
        printable(file),
        shown,
        what,
    )


_TIME = "%Y-%m-%dT%H:%M:%S"


def publish(dump: "Dump", file: str) -> None:
    """Makes linecache answer for a file from the dump alone."""
    lines = lines_of(dump, file)
    size = sum(map(len, lines))
    # A modification time of None keeps checkcache() from looking at the disk.
    linecache.cache[file] = (size, None, lines, file)


def publish_all(dump: "Dump") -> None:
    """The same for every file that the dump has text of."""
    for file in dump.sources:
        publish(dump, file)
