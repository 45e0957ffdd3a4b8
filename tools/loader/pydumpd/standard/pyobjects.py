# SPDX-License-Identifier: Apache-2.0
"""Other objects of the standard library that are written in Python: logging,
processes, importing, functools, inspect."""

import logging
import re
from typing import Any

from ..marks import NotDumpedError, printable
from ..refs import find_ref
from ..render import Shown
from . import surrogate
from .written import Written, full_name_of, known, name_of, own, python_of, text_of

_LEVELS = {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 20: "INFO", 10: "DEBUG", 0: "NOTSET"}


def _level(number: Any) -> str:
    if type(number) is not int:
        return text_of(number, 100)
    return _LEVELS.get(number, "Level %d" % number)


@surrogate("logging.Logger")
class Logger(Written):
    __slots__ = ()

    def getEffectiveLevel(self) -> int:  # noqa: N802
        """The level of the nearest logger that has one."""
        logger: Any = self
        for _ in range(10000):
            if not isinstance(logger, Logger):
                break
            level = known(logger, "level", int)
            if level:
                return level
            logger = own(logger, "parent")
        return logging.NOTSET

    def _shown(self) -> str:
        level = _level(Logger.getEffectiveLevel(self))
        return "<%s %s (%s)>" % (name_of(self), own(self, "name"), level)


@surrogate("logging.Handler")
class Handler(Written):
    __slots__ = ()

    @property
    def name(self) -> Any:
        return own(self, "_name")

    def _shown(self) -> str:
        return "<%s (%s)>" % (name_of(self), _level(own(self, "level")))


@surrogate("logging.StreamHandler")
class StreamHandler(Handler):
    __slots__ = ()

    def _shown(self) -> str:
        stream = own(self, "stream")
        name = getattr(stream, "name", "") if stream is not None else ""
        shown = str(name) if isinstance(name, (str, int)) else ""
        if shown:
            shown += " "
        return "<%s %s(%s)>" % (name_of(self), shown, _level(own(self, "level")))


@surrogate("logging.FileHandler")
class FileHandler(StreamHandler):
    __slots__ = ()

    def _shown(self) -> str:
        file = own(self, "baseFilename")
        return "<%s %s (%s)>" % (name_of(self), file, _level(own(self, "level")))


@surrogate("logging.LogRecord")
class LogRecord(Written):
    __slots__ = ()

    def getMessage(self) -> str:  # noqa: N802
        """The message with its arguments."""
        message, args = own(self, "msg"), own(self, "args")
        message = message if isinstance(message, str) else text_of(message)
        if not args:
            return message
        if _WIDE.search(message):
            raise NotDumpedError("a format that asks for much room: %r" % message[:200])
        return message % args

    def _shown(self) -> str:
        message = own(self, "msg")
        return '<LogRecord: %s, %s, %s, %s, "%s">' % (
            own(self, "name"),
            own(self, "levelno"),
            own(self, "pathname"),
            own(self, "lineno"),
            message if isinstance(message, str) else text_of(message),
        )


_WIDE = re.compile(r"%[^a-zA-Z%]*(\*|[0-9]{5})")


@surrogate("logging.LoggerAdapter")
class LoggerAdapter(Written):
    __slots__ = ()

    def _shown(self) -> str:
        logger = own(self, "logger")
        if not isinstance(logger, Logger):
            return "<%s>" % name_of(self)
        level = _level(Logger.getEffectiveLevel(logger))
        return "<%s %s (%s)>" % (name_of(self), own(logger, "name"), level)


@surrogate("logging.PlaceHolder")
class LoggingPlaceHolder(Written):
    __slots__ = ()


# -- processes


@surrogate("subprocess.Popen")
class Popen(Written):
    __slots__ = ()

    def _shown(self) -> Any:
        if python_of(self) < (3, 9):
            return "<%s object at %#x>" % (full_name_of(self), _address(self))
        args = text_of(own(self, "args"))
        shown = "<%s: returncode: %s args: %s>" % (
            name_of(self),
            text_of(own(self, "returncode")),
            args,
        )
        return shown[:76] + "...>" if len(shown) > 80 else shown


def _address(obj: Any) -> int:
    ref = find_ref(obj)
    return ref.rec.addr if ref is not None else 0


@surrogate("subprocess.CompletedProcess")
class CompletedProcess(Written):
    __slots__ = ()

    def _shown(self) -> Shown:
        parts = [("args=", own(self, "args")), ("returncode=", own(self, "returncode"))]
        for name in ("stdout", "stderr"):
            if own(self, name) is not None:
                parts.append((name + "=", own(self, name)))
        return Shown(name_of(self) + "(", iter(parts), ")", len(parts))


# -- importing


@surrogate("_frozen_importlib.ModuleSpec", "importlib._bootstrap.ModuleSpec")
class ModuleSpec(Written):
    __slots__ = ()

    @property
    def cached(self) -> Any:
        return own(self, "_cached")

    @property
    def has_location(self) -> Any:
        return own(self, "_set_fileattr")

    @property
    def parent(self) -> Any:
        name = known(self, "name", str)
        if own(self, "submodule_search_locations") is None:
            return name.rpartition(".")[0]
        return name

    def _shown(self) -> Shown:
        parts = [("name=", own(self, "name")), ("loader=", own(self, "loader"))]
        if own(self, "origin") is not None:
            parts.append(("origin=", own(self, "origin")))
        where = own(self, "submodule_search_locations")
        if where is not None:
            parts.append(("submodule_search_locations=", where))
        return Shown(name_of(self) + "(", iter(parts), ")", len(parts))


# -- functools


@surrogate("functools.partialmethod")
class PartialMethod(Written):
    __slots__ = ()

    def _shown(self) -> Any:
        args, keywords = own(self, "args"), own(self, "keywords")
        if not isinstance(args, tuple) or not isinstance(keywords, dict):
            return None
        inner = own(self, "func")
        parts = [("", inner)] + [("", a) for a in args]
        parts += [("%s=" % printable(str(k)), v) for k, v in keywords.items()]
        return Shown(full_name_of(self) + "(", iter(parts), ")", len(parts))


# -- tracebacks


@surrogate("traceback.FrameSummary")
class FrameSummary(Written):
    __slots__ = ()

    def _shown(self) -> str:
        return "<FrameSummary file %s, line %s in %s>" % (
            own(self, "filename"),
            own(self, "lineno"),
            own(self, "name"),
        )
