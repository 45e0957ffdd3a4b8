# SPDX-License-Identifier: Apache-2.0
"""Paths. Pure ones are real; of concrete ones only what the path itself says:
the file system here is not the program's."""

import pathlib
from typing import Any, List

from ..refs import Ref
from . import Absent, real


class Path(pathlib.PurePath):
    """A concrete path of the program, without its file system."""

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return pathlib.PurePath.__new__(PosixPath if cls is Path else cls, *args)

    def __getattr__(self, name: str) -> Any:
        if hasattr(pathlib.Path, name):
            raise AttributeError("%s: the file system here is not the program's" % name)
        raise AttributeError("%r object has no attribute %r" % (type(self).__name__, name))


class PosixPath(Path, pathlib.PurePosixPath):
    """The same, of a POSIX system."""

    __slots__ = ()


class WindowsPath(Path, pathlib.PureWindowsPath):
    """The same, of Windows."""

    __slots__ = ()


for _cls in (Path, PosixPath, WindowsPath):
    _cls.__module__ = "pathlib"

_TEXT = 1 << 20


def _path(ref: Ref, cls: type) -> Any:
    graph, have = ref.graph, ref.attributes()
    if cls not in _MADE:
        raise Absent("a class of the program")

    def texts(name: str) -> List[str]:
        rec = graph.record(have.get(name, 0))
        if rec is None or rec.kind.name not in ("list", "tuple") or rec.mark is not None:
            raise Absent(name)
        found = [graph.string(r) for r in rec.rest()]
        if any(s is None or "\0" in s for s in found):
            raise Absent(name)
        return found  # type: ignore

    def text(name: str) -> str:
        if name not in have:
            raise Absent(name)
        found = graph.string(have[name])
        if found is None:
            raise Absent(name)
        return found

    if "_raw_paths" in have:  # 3.12 on
        parts = texts("_raw_paths")
    elif "_parts" in have:  # up to 3.11: the first one has drive and root
        parts = texts("_parts")
    elif "_tail_cached" in have:
        parts = [text("_drv") + text("_root"), *texts("_tail_cached")]
    elif "_raw_path" in have:  # betas of 3.13
        parts = [text("_raw_path")]
    else:
        parts = [text("_str")]
    return cls(*parts)


_MADE = {
    pathlib.PurePath: "PurePath",
    pathlib.PurePosixPath: "PurePosixPath",
    pathlib.PureWindowsPath: "PureWindowsPath",
    Path: "Path",
    PosixPath: "PosixPath",
    WindowsPath: "WindowsPath",
}
for _cls, _name in _MADE.items():
    real(_cls, "pathlib." + _name, "pathlib._local." + _name, python=True)(_path)
