# SPDX-License-Identifier: Apache-2.0
"""io: what is in StringIO and BytesIO, and of files their name, mode, place."""

from typing import Any, List, Tuple

from ..marks import NotDumpedError, Placeholder
from ..meta import refuse
from ..refs import ref_of
from . import Absent, Standard, fields, full_name, own, surrogate


def _header(obj: Any) -> str:
    return "<%s object at %#x>" % (full_name(obj), ref_of(obj).rec.addr)


def _field(obj: Any, name: str) -> Any:
    """A field that has to be there and whole."""
    f = fields(obj)
    if name not in f:
        raise NotDumpedError("%s is not in the dump" % name)
    value = f[name]
    if isinstance(value, Placeholder):
        raise NotDumpedError(repr(value))
    return value


def _open(obj: Any) -> None:
    if getattr(obj, "closed", False) is True:
        raise ValueError("I/O operation on closed file")


class _File(Standard):
    """What reads and writes refuse to: it would move the position."""

    __slots__ = ()

    def read(self, *args: Any) -> Any:
        raise refuse("read(); getvalue() or the fields show what is there")

    def readline(self, *args: Any) -> Any:
        raise refuse("readline()")

    def write(self, *args: Any) -> Any:
        raise refuse("write()")

    def close(self) -> Any:
        raise refuse("close()")

    def __iter__(self) -> Any:
        raise refuse("going over the lines")


@surrogate("_io.BytesIO")
class BytesIO(_File):
    __slots__ = ()

    @property
    def closed(self) -> Any:
        f = fields(self)
        return f["closed"] if "closed" in f else "value" not in f

    def getvalue(self) -> Any:
        """All that is in it."""
        _open(self)
        return _field(self, "value")

    getbuffer = getvalue

    def tell(self) -> int:
        """The position."""
        _open(self)
        return _field(self, "pos")


@surrogate("_io.StringIO")
class StringIO(_File):
    __slots__ = ()

    def getvalue(self) -> Any:
        """All that is in it."""
        _open(self)
        return _field(self, "value")

    def tell(self) -> int:
        """The position."""
        _open(self)
        return _field(self, "pos")


@surrogate("_io.FileIO")
class FileIO(_File):
    __slots__ = ()

    def fileno(self) -> int:
        """The descriptor."""
        _open(self)
        return _field(self, "fd")

    @property
    def closed(self) -> bool:
        return _field(self, "fd") < 0

    @property
    def mode(self) -> str:
        f = fields(self)
        plus = f["readable"] and f["writable"] or (f["appending"] and f["readable"])
        if f["created"]:
            return "xb+" if f["readable"] else "xb"
        if f["appending"]:
            return "ab+" if f["readable"] else "ab"
        if plus:
            return "wb+" if f.get("truncate") else "rb+"  # 3.15 tells them apart
        return "rb" if f["readable"] else "wb"

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        _open(self)
        return _field(self, "readable")

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        _open(self)
        return _field(self, "writable")

    def _shown(self) -> str:
        f = fields(self)
        if "fd" not in f or "closefd" not in f:
            return _header(self)
        if f["fd"] < 0:
            return "<%s [closed]>" % _class(self)
        name = own(self, "name")
        what = "name=%s" % _text(name) if name is not None else "fd=%d" % f["fd"]
        return "<%s %s mode=%r closefd=%r>" % (_class(self), what, FileIO.mode.fget(self),  # type: ignore
                                               f["closefd"])  # fmt: skip


def _class(obj: Any) -> str:
    name = full_name(obj)
    # Up to 3.12 the repr of a subclass had the base's name.
    if name.startswith("_io.") or ref_of(obj).graph.python >= (3, 13):
        return name
    return "_io." + next(c.__name__ for c in (FileIO, BufferedReader) if isinstance(obj, c))


def _text(value: Any) -> str:
    from ..render import text

    return text(value, 2000)


class _Buffered(_File):
    __slots__ = ()

    def _raw(self) -> Any:
        if fields(self).get("detached"):
            raise ValueError("raw stream has been detached")
        return _field(self, "raw")

    def fileno(self) -> int:
        """The descriptor."""
        return _Buffered._raw(self).fileno()

    @property
    def closed(self) -> bool:
        return _Buffered._raw(self).closed

    @property
    def mode(self) -> Any:
        return _Buffered._raw(self).mode

    @property
    def name(self) -> Any:
        return _Buffered._raw(self).name

    def tell(self) -> int:
        """The position, with what was read ahead or waits to be written."""
        f = fields(self)
        _open(self)
        if f["abs_pos"] < 0:
            raise NotDumpedError("the position was not known yet")
        ahead, buffered = 0, f["readable"] and f["read_end"] != -1
        if f["raw_pos"] >= 0 and (buffered or (f["writable"] and f["write_end"] != -1)):
            ahead = f["raw_pos"] - f["pos"]
        return f["abs_pos"] - ahead

    def _shown(self) -> str:
        try:
            name = _Buffered.name.fget(self)  # type: ignore
        except (ValueError, NotDumpedError, AttributeError):
            return "<%s>" % full_name(self)
        return "<%s name=%s>" % (full_name(self), _text(name))


@surrogate("_io.BufferedReader")
class BufferedReader(_Buffered):
    __slots__ = ()


surrogate("_io.BufferedWriter", "_io.BufferedRandom")(_Buffered)


@surrogate("_io.BufferedRWPair")
class BufferedRWPair(_File):
    __slots__ = ()

    @property
    def closed(self) -> Any:
        return getattr(_field(self, "write_side"), "closed", None)

    def _shown(self) -> str:
        return _header(self)


@surrogate("_io.TextIOWrapper")
class TextIOWrapper(_File):
    __slots__ = ()

    @property
    def closed(self) -> Any:
        return _field(self, "buffer").closed

    @property
    def name(self) -> Any:
        return _field(self, "buffer").name

    def fileno(self) -> int:
        """The descriptor."""
        return _field(self, "buffer").fileno()

    @property
    def encoding(self) -> Any:
        return _decoded(_field(self, "encoding"))

    @property
    def errors(self) -> Any:
        return _decoded(_field(self, "errors"))

    @property
    def newlines(self) -> Any:
        raise AttributeError("newlines is not computed: this is a dump")

    def _shown(self) -> str:
        parts: List[Tuple[str, Any]] = []
        for name in ("name", "mode"):
            try:
                value = own(self, name) if name == "mode" else TextIOWrapper.name.fget(self)  # type: ignore
            except (AttributeError, ValueError, NotDumpedError):
                continue
            if value is not None:
                parts.append((name, value))
        try:
            parts.append(("encoding", TextIOWrapper.encoding.fget(self)))  # type: ignore
        except (NotDumpedError, Absent):
            pass
        inner = "".join(" %s=%s" % (n, _text(v)) for n, v in parts)
        return "<%s%s>" % (full_name(self), inner)


def _decoded(value: Any) -> Any:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


@surrogate("_io.IncrementalNewlineDecoder")
class NewlineDecoder(Standard):
    __slots__ = ()

    @property
    def newlines(self) -> Any:
        raise AttributeError("newlines is not computed: this is a dump")

    def _shown(self) -> str:
        return _header(self)


# -- os


@surrogate("posix.DirEntry", "nt.DirEntry")
class DirEntry(Standard):
    __slots__ = ()

    def _shown(self) -> str:
        return "<DirEntry %s>" % _text(fields(self).get("name"))
