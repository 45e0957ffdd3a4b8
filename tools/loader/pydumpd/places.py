# SPDX-License-Identifier: Apache-2.0
"""What a word or a value at the prompt is about: a thread, a file and a line."""

import contextlib
import types
from typing import Any, List, Optional, Tuple

from .dump import Dump, Thread
from .refs import find_ref


def find_thread(dump: Dump, what: str) -> Optional[Thread]:
    """A thread by its number here, ident, native id or name."""
    what = what.strip()
    with contextlib.suppress(ValueError):
        n = int(what, 0)
        for field in ("index", "ident", "native_id", "ns_native_id"):
            for thread in dump.threads:
                if getattr(thread, field) == n:
                    return thread
    for thread in dump.threads:
        if what in (thread.name, thread.os_name):
            return thread
    close = [t for t in dump.threads if what and t.name and t.name.startswith(what)]
    return close[0] if len(close) == 1 else None


def locate(value: Any) -> Tuple[str, Optional[int]]:
    """The file of an object of the dump, and its first line."""
    ref = find_ref(value)
    if isinstance(value, types.FrameType):
        code = value.f_code
        return code.co_filename, code.co_firstlineno
    if isinstance(value, types.MethodType):
        return locate(value.__func__)
    if ref is None:
        return "", None
    graph = ref.graph
    name = ref.rec.kind.name
    if isinstance(value, type):
        for at in graph.namespace(ref.rec.field("dict")).values():
            if graph.kind_of(at) == "function":
                file, _ = locate(graph.get(at))
                return file, 1
        return "", None
    if name == "function":
        return locate(value.__code__)
    if name == "code":
        return value.co_filename, max(value.co_firstlineno, 1)
    if name == "module":
        file = graph.string(graph.namespace(ref.rec.field("dict")).get("__file__", 0))
        return file or "", None
    inner = getattr(value, "fget", None) or getattr(value, "__wrapped__", None)
    return locate(inner) if inner is not None and inner is not value else ("", None)


def class_line(lines: List[str], name: str, default: int) -> int:
    """The line of a class statement, or default."""
    for i, line in enumerate(lines, 1):
        words = line.replace("(", " ").replace(":", " ").split()
        if words[:2] == ["class", name]:
            return i
    return default
