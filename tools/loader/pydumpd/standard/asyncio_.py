# SPDX-License-Identifier: Apache-2.0
"""asyncio's futures and tasks, as far as they are written in C."""

import reprlib
from typing import Any, List, Optional, Tuple

from ..marks import NotDumpedError, Placeholder, printable
from ..meta import refuse
from ..refs import find_ref, ref_of
from ..surrogates import header
from . import Standard, class_name, fields, surrogate

_STATES = ("PENDING", "CANCELLED", "FINISHED")


def _state(obj: Any) -> str:
    code = fields(obj).number("state")
    if not 0 <= code < len(_STATES):
        raise NotDumpedError("its state is %d" % code)
    return _STATES[code]


def _value(obj: Any, name: str) -> Any:
    found = fields(obj).get(name)
    if isinstance(found, Placeholder):
        raise NotDumpedError("its %s: %r" % (name, found))
    return found


def _callbacks(obj: Any) -> Optional[List[Tuple[Any, Any]]]:
    """(callback, context); the first has a place of its own."""
    f = fields(obj)
    out: List[Tuple[Any, Any]] = []
    if not f.null("callback0"):
        out.append((f["callback0"], f.get("context0")))
    more = _value(obj, "callbacks")
    out += more if isinstance(more, list) else []
    return out or None


def _private(name: str) -> property:
    return property(lambda self: fields(self)[name])


@surrogate("_asyncio.Future")
class Future(Standard):
    __slots__ = ()
    _public: Tuple[str, ...] = (
        "_state", "_callbacks", "_result", "_exception", "_loop", "_log_traceback",
        "_source_traceback", "_asyncio_future_blocking", "_cancel_message",
    )  # fmt: skip
    _result = _private("result")
    _exception = _private("exception")
    _loop = _private("loop")
    _log_traceback = _private("log_traceback")
    _source_traceback = _private("source_traceback")
    _asyncio_future_blocking = _private("blocking")
    _cancel_message = _private("cancel_message")

    @property
    def _state(self) -> str:
        return _state(self)

    @property
    def _callbacks(self) -> Any:
        return _callbacks(self)

    def done(self) -> bool:
        """Whether it has a result, an exception, or was cancelled."""
        return _state(self) != "PENDING"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return _state(self) == "CANCELLED"

    def result(self) -> Any:
        """Its result. Its exception is raised as the program would see it."""
        if _state(self) != "FINISHED":
            raise ValueError("it is %s, and has no result" % _state(self).lower())
        error = _value(self, "exception")
        if isinstance(error, BaseException):
            raise error
        return _value(self, "result")

    def exception(self) -> Any:
        """Its exception, or None."""
        if _state(self) != "FINISHED":
            raise ValueError("it is %s, and has no exception" % _state(self).lower())
        return _value(self, "exception")

    def get_loop(self) -> Any:
        """The loop that it belongs to."""
        return _value(self, "loop")

    def __await__(self) -> Any:
        raise refuse("await")

    def _shown(self) -> str:
        return "<%s %s>" % (class_name(self), " ".join(_info(self)))


@surrogate("_asyncio.Task")
class Task(Future):
    __slots__ = ()
    _public = (
        *Future._public, "_coro", "_fut_waiter", "_must_cancel", "_log_destroy_pending",
    )  # fmt: skip
    _coro = _private("coro")
    _fut_waiter = _private("fut_waiter")
    _must_cancel = _private("must_cancel")
    _log_destroy_pending = _private("log_destroy_pending")

    def get_coro(self) -> Any:
        """The coroutine that it runs."""
        return _value(self, "coro")

    def get_name(self) -> Any:
        """Its name."""
        return _name(self)

    def get_context(self) -> Any:
        """The context that it runs in."""
        return _value(self, "context")

    def cancelling(self) -> int:
        """How often it was asked to end."""
        return fields(self)["num_cancels_requested"]

    def get_stack(self, **options: Any) -> Any:
        """The frames of its coroutine, as far as the dump has them."""
        frame = getattr(_value(self, "coro"), "cr_frame", None)
        return [] if frame is None else [frame]

    def _shown(self) -> str:
        info = _info(self)
        f = fields(self)
        asked = f.get("must_cancel")
        if ref_of(self).graph.python >= (3, 11):
            asked = f.get("num_cancels_requested") and _state(self) == "PENDING"
        if asked:
            info[0] = "cancelling"
        own = []
        if "name" in f:
            own.append("name=%s" % _text(_name(self)))
        if not f.null("coro"):
            own.append("coro=<%s>" % _coroutine(f["coro"]))
        if f.get("fut_waiter") is not None:
            own.append("wait_for=%s" % _text(f["fut_waiter"]))
        return "<%s %s>" % (class_name(self), " ".join(info[:1] + own + info[1:]))


@surrogate("TaskStepMethWrapper", "TaskWakeupMethWrapper", "_asyncio.TaskStepMethWrapper",
           "_asyncio.TaskWakeupMethWrapper")  # fmt: skip
class Wrapper(Standard):
    """What a task gives its loop and its futures to call."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        raise refuse("a step of a task")

    def _shown(self) -> str:
        return header(self)


def _name(task: Any) -> Any:
    """A number stands for the name that is made of it when one asks (3.12 on)."""
    name = _value(task, "name")
    return "Task-%d" % name if type(name) is int else name


def _text(value: Any) -> str:
    from ..render import text

    return text(value, 2000)


def _info(obj: Any) -> List[str]:
    """What asyncio.base_futures._future_repr_info() tells."""
    f = fields(obj)
    state = _state(obj)
    out = [state.lower()]
    if state == "FINISHED":
        if not f.null("exception") and f["exception"] is not None:
            out.append("exception=%s" % _text(f["exception"]))
        else:
            out.append("result=%s" % _short(f.get("result")))
    found = _callbacks(obj) or []
    if found:
        shown = [callback(c) for c, _ in (found if len(found) < 3 else [found[0], found[-1]])]
        if len(found) > 2:
            shown.insert(1, "<%d more>" % (len(found) - 2))
        out.append("cb=[%s]" % ", ".join(shown))
    return out


def _short(value: Any) -> str:
    """What reprlib.repr() gives; never raises."""
    try:
        return printable(reprlib.repr(value), 2000)
    except Exception:  # a stand-in that is not whole
        return _text(value)


def callback(func: Any, args: Any = ()) -> str:
    """What asyncio.format_helpers._format_callback_source() tells."""
    ref = find_ref(func)
    suffix = "(%s)" % ", ".join(map(_short, args))
    for _ in range(16):
        if ref is None or ref.graph.classes.name(ref.rec.type) != "functools.partial":
            break
        func = ref.fields.get("func")
        ref, suffix = find_ref(func), suffix + "()"
    name = getattr(func, "__qualname__", None) or getattr(func, "__name__", None)
    if not isinstance(name, str):
        name = _text(func)
    elif ref is not None and ref.rec.kind.name == "builtin" and "." not in name:
        owner = ref.rec.field("self")
        if owner and ref.graph.kind_of(owner) != "module":
            rec = ref.graph.record(owner)
            cls = ref.graph.classes.info(rec.type)[1] if rec is not None else "?"
            name = "%s.%s" % (cls, name)
    out = printable(name) + suffix
    if ref is not None and ref.rec.kind.name in ("function", "method"):
        code = getattr(func, "__code__", None)
        file, line = getattr(code, "co_filename", None), getattr(code, "co_firstlineno", None)
        if isinstance(file, str):
            out += " at %s:%s" % (printable(file), line)
    return out


def _coroutine(coro: Any) -> str:
    name = getattr(coro, "__qualname__", None) or getattr(coro, "__name__", None)
    if not isinstance(name, str):
        return _text(coro)
    name = printable(name) + "()"
    for kind in ("cr_", "gi_", "ag_"):
        code = getattr(coro, kind + "code", None)
        if code is not None and not isinstance(code, Placeholder):
            break
    else:
        return name
    file = printable(str(getattr(code, "co_filename", "?")))
    frame = getattr(coro, kind + "frame", None)
    if frame is None or isinstance(frame, Placeholder):
        return "%s done, defined at %s:%s" % (name, file, getattr(code, "co_firstlineno", "?"))
    return "%s running at %s:%s" % (name, file, getattr(frame, "f_lineno", "?"))
