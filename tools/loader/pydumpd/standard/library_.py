# SPDX-License-Identifier: Apache-2.0
"""Reprs of library types that are written in Python, and attributes which
they compute."""

from typing import Any

from ..marks import printable
from ..refs import find_ref, ref_of
from ..render import Shown, text
from . import Standard, class_name, fields, full_name, own, surrogate


def _at(obj: Any) -> int:
    return ref_of(obj).rec.addr


def _string(obj: Any, name: str) -> str:
    value = own(obj, name)
    if not isinstance(value, str):
        raise ValueError(name)
    return printable(value, 2000)


@surrogate("codecs.CodecInfo")
class CodecInfo(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        return "<%s object for encoding %s at %#x>" % (
            full_name(self),
            own(self, "name"),
            _at(self),
        )


@surrogate("typing.NewType")
class NewType(Standard):
    """Up to 3.9 it is a function."""

    __slots__ = ()

    def _shown(self) -> Any:
        return "%s.%s" % (_string(self, "__module__"), _string(self, "__qualname__"))


@surrogate("dataclasses.Field")
class Field(Standard):
    __slots__ = ()
    _NAMES = (
        "name", "type", "default", "default_factory", "init", "repr", "hash", "compare",
        "metadata", "kw_only", "doc",
    )  # fmt: skip

    def _shown(self) -> Any:
        have = ref_of(self).attributes()
        parts = []
        for name in Field._NAMES:
            if name not in have:
                continue
            parts.append("%s=%s" % (name, text(own(self, name), 2000)))
        kind = own(self, "_field_type")
        parts.append(
            "_field_type=%s" % printable(str(own(kind, "name")) if find_ref(kind) else "?")
        )
        return "Field(%s)" % ",".join(parts)


@surrogate("dataclasses._FIELD_BASE")
class FieldBase(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        return _string(self, "name")


@surrogate("threading._RLock")
class PythonRLock(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        owner, count = own(self, "_owner"), own(self, "_count")
        block = own(self, "_block")
        dump = ref_of(self).graph.dump
        for thread in dump.threads if dump is not None else ():
            if owner is not None and thread.ident == owner and thread.name is not None:
                owner = thread.name
        return "<%s %s object owner=%s count=%s at %#x>" % (
            "locked" if block.locked() else "unlocked",
            full_name(self),
            text(owner, 200),
            text(count, 200),
            _at(self),
        )


@surrogate("asyncio.streams.StreamReader")
class StreamReader(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        info = ["StreamReader"]
        buffer = own(self, "_buffer")
        if not isinstance(buffer, (bytes, bytearray)):
            raise ValueError("_buffer")
        if buffer:
            info.append("%d bytes" % len(buffer))
        if own(self, "_eof"):
            info.append("eof")
        if own(self, "_limit") != 1 << 16:
            info.append("limit=%s" % text(own(self, "_limit"), 200))
        for name in ("waiter", "exception", "transport"):
            value = own(self, "_" + name)
            if value is not None:
                info.append("%s=%s" % (name, text(value, 2000)))
        if own(self, "_paused"):
            info.append("paused")
        return "<%s>" % " ".join(info)


@surrogate("weakref.finalize")
class Finalize(Standard):
    """What it knows is in the registry of its class."""

    __slots__ = ()

    def _info(self) -> Any:
        ref = ref_of(self)
        found = ref.graph.classes.find(ref.rec.type, "_registry")[0]
        registry = ref.graph.get(found) if found else None
        for key, info in registry.items() if isinstance(registry, dict) else ():
            if key is self:
                return info
        return None

    @property
    def alive(self) -> bool:
        """Whether it was not called yet."""
        return Finalize._info(self) is not None

    def peek(self) -> Any:
        """The object, the function, its arguments; None when it is dead."""
        info = Finalize._info(self)
        if info is None:
            return None
        return (
            own(info, "weakref")(),
            own(info, "func"),
            own(info, "args"),
            own(info, "kwargs") or {},
        )

    def _shown(self) -> Any:
        info = Finalize._info(self)
        target = own(info, "weakref")() if info is not None else None
        if target is None:
            return "<%s object at %#x; dead>" % (class_name(self), _at(self))
        ref = find_ref(target)
        if ref is None:
            raise ValueError("not known")
        name = ref.graph.classes.info(ref.rec.type)[1].rpartition(".")[2]
        return "<%s object at %#x; for %r at %#x>" % (
            class_name(self), _at(self), printable(name), ref.rec.addr
        )  # fmt: skip


@surrogate("tempfile._TemporaryFileWrapper")
class TemporaryFile(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        if ref_of(self).graph.python < (3, 14):
            return "<%s object at %#x>" % (full_name(self), _at(self))
        return Shown("<%s " % class_name(self), iter([("file=", own(self, "file"))]), ">", 1)


@surrogate("logging.Formatter")
class Formatter(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        if ref_of(self).graph.python < (3, 15):
            return "<%s object at %#x>" % (full_name(self), _at(self))
        return "<%s (%s)>" % (class_name(self), _string(self, "_fmt"))


@surrogate("logging.Filter")
class Filter(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        if ref_of(self).graph.python < (3, 15):
            return "<%s object at %#x>" % (full_name(self), _at(self))
        return "<%s (%s)>" % (class_name(self), _string(self, "name"))


@surrogate("sentinel")
class Sentinel(Standard):
    """3.15 on."""

    __slots__ = ()

    def _shown(self) -> Any:
        f = fields(self)
        for name in ("repr", "name"):
            if name in f and isinstance(f[name], str):
                return printable(f[name], 2000)
        raise ValueError("name")
