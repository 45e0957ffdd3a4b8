# SPDX-License-Identifier: Apache-2.0
"""What threads and tasks wait with, where it is written in Python."""

import itertools
from typing import Any

from ..refs import find_ref, ref_of
from ..render import Shown
from . import surrogate
from .written import (
    Verbatim,
    Written,
    address,
    default_repr,
    full_name_of,
    known,
    name_of,
    own,
    python_of,
    text_of,
)


def _length(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else 0


# -- threading


@surrogate("threading.Thread")
class Thread(Written):
    __slots__ = ()

    @property
    def name(self) -> Any:
        return own(self, "_name")

    @property
    def ident(self) -> Any:
        return own(self, "_ident")

    @property
    def native_id(self) -> Any:
        return own(self, "_native_id")

    @property
    def daemon(self) -> Any:
        return own(self, "_daemonic")

    def is_alive(self) -> bool:
        """Whether it had begun and not ended."""
        return _started(self) and not _ended(self)

    def _shown(self) -> str:
        status = "started" if _started(self) else "initial"
        if _started(self) and _ended(self):
            status = "stopped"
        if own(self, "_daemonic"):
            status += " daemon"
        if own(self, "_ident") is not None:
            status += " %s" % own(self, "_ident")
        return "<%s(%s, %s)>" % (name_of(self), own(self, "_name"), status)


def _started(thread: Any) -> bool:
    event = own(thread, "_started")
    return own(event, "_flag") is True if isinstance(event, Event) else False


#: ThreadHandleState, Modules/_threadmodule.c
_DONE = 4


def _ended(thread: Any) -> bool:
    """Up to 3.12 it says so itself; later its handle does, or it is not among
    the threads of the dump."""
    stopped = own(thread, "_is_stopped")
    if stopped is True:
        return True
    handle = find_ref(own(thread, "_handle") or own(thread, "_os_thread_handle"))
    if handle is not None and "state" in handle.fields:
        return handle.fields["state"] == _DONE
    ref = ref_of(thread)
    dump = ref.graph.dump
    ident = own(thread, "_ident")
    if dump is None or ident is None:
        return False
    return all(t.ident != ident for t in dump.threads)


@surrogate("threading.Event")
class Event(Written):
    __slots__ = ()

    def is_set(self) -> bool:
        """Whether it was set."""
        return known(self, "_flag", bool)

    def _shown(self) -> str:
        if python_of(self) < (3, 11):
            return default_repr(self)
        status = "set" if own(self, "_flag") else "unset"
        return "<%s at %#x: %s>" % (_full_qualname(self), address(self), status)


def _full_qualname(obj: Any) -> str:
    return full_name_of(obj)


@surrogate("threading.Condition")
class Condition(Written):
    __slots__ = ()

    def _shown(self) -> Shown:
        parts = [("", own(self, "_lock")), ("", Verbatim("%d" % _length(own(self, "_waiters"))))]
        return Shown("<Condition(", iter(parts), ")>", 2)


@surrogate("threading.Semaphore")
class Semaphore(Written):
    __slots__ = ()

    def _shown(self) -> str:
        if python_of(self) < (3, 11):
            return default_repr(self)
        value = text_of(own(self, "_value"))
        return "<%s at %#x: value=%s>" % (_full_qualname(self), address(self), value)


@surrogate("threading.BoundedSemaphore")
class BoundedSemaphore(Semaphore):
    __slots__ = ()

    def _shown(self) -> str:
        if python_of(self) < (3, 11):
            return default_repr(self)
        value = "%s/%s" % (text_of(own(self, "_value")), text_of(own(self, "_initial_value")))
        return "<%s at %#x: value=%s>" % (_full_qualname(self), address(self), value)


@surrogate("threading.Barrier")
class Barrier(Written):
    __slots__ = ()

    @property
    def parties(self) -> Any:
        return own(self, "_parties")

    @property
    def n_waiting(self) -> Any:
        return own(self, "_count") if own(self, "_state") == 0 else 0

    @property
    def broken(self) -> bool:
        return own(self, "_state") == -2

    def _shown(self) -> str:
        if python_of(self) < (3, 11):
            return default_repr(self)
        head = "<%s at %#x: " % (_full_qualname(self), address(self))
        if Barrier.broken.fget(self):  # type: ignore
            return head + "broken>"
        return head + "waiters=%s/%s>" % (
            text_of(Barrier.n_waiting.fget(self)),  # type: ignore
            text_of(own(self, "_parties")),
        )


# -- queue


@surrogate("queue.Queue")
class Queue(Written):
    __slots__ = ()

    def qsize(self) -> int:
        """How many items were in it."""
        return len(own(self, "queue"))

    def empty(self) -> bool:
        """Whether none was in it."""
        return not Queue.qsize(self)

    def full(self) -> bool:
        """Whether it took no more."""
        return 0 < own(self, "maxsize") <= Queue.qsize(self)


# -- asyncio


def _async_head(obj: Any) -> str:
    """What object.__repr__ begins with, without the last bracket."""
    return default_repr(obj)[:-1]


@surrogate("asyncio.locks.Event")
class AsyncEvent(Written):
    __slots__ = ()

    def is_set(self) -> bool:
        """Whether it was set."""
        return known(self, "_value", bool)

    def _shown(self) -> str:
        return "%s [%s]>" % (
            _async_head(self),
            _waiting(self, "set" if own(self, "_value") else "unset"),
        )


def _waiting(obj: Any, extra: str) -> str:
    waiters = own(obj, "_waiters")
    return "%s, waiters:%d" % (extra, len(waiters)) if _length(waiters) else extra


@surrogate("asyncio.locks.Lock")
class AsyncLock(Written):
    __slots__ = ()

    def locked(self) -> bool:
        """Whether it was held."""
        return known(self, "_locked", bool)

    def _shown(self) -> str:
        extra = "locked" if own(self, "_locked") else "unlocked"
        return "%s [%s]>" % (_async_head(self), _waiting(self, extra))


@surrogate("asyncio.locks.Condition")
class AsyncCondition(Written):
    __slots__ = ()

    def locked(self) -> bool:
        """Whether its lock was held."""
        return known(own(self, "_lock"), "_locked", bool)

    def _shown(self) -> str:
        extra = "locked" if own(own(self, "_lock"), "_locked") else "unlocked"
        return "%s [%s]>" % (_async_head(self), _waiting(self, extra))


@surrogate("asyncio.locks.Semaphore")
class AsyncSemaphore(Written):
    __slots__ = ()

    def locked(self) -> bool:
        """Whether it could not be acquired at once."""
        return own(self, "_value") == 0 or bool(_length(own(self, "_waiters")))

    def _shown(self) -> str:
        value = own(self, "_value")
        locked = AsyncSemaphore.locked(self) if python_of(self) >= (3, 11) else value == 0
        if locked:
            extra = "locked"
        else:
            extra = "unlocked, value:%s" % text_of(value)
        return "%s [%s]>" % (_async_head(self), _waiting(self, extra))


@surrogate("asyncio.queues.Queue")
class AsyncQueue(Written):
    __slots__ = ()

    @property
    def maxsize(self) -> Any:
        return own(self, "_maxsize")

    def qsize(self) -> int:
        """How many items were in it."""
        return len(own(self, "_queue"))

    def empty(self) -> bool:
        """Whether none was in it."""
        return not AsyncQueue.qsize(self)

    def full(self) -> bool:
        """Whether it took no more."""
        return 0 < own(self, "_maxsize") <= AsyncQueue.qsize(self)

    def _shown(self) -> Shown:
        parts = [("maxsize=", own(self, "_maxsize"))]
        queue = own(self, "_queue")
        if _length(queue):
            parts.append((" _queue=", list(itertools.islice(iter(queue), 10000))))
        for name in ("_getters", "_putters"):
            if _length(own(self, name)):
                parts.append((" %s[%d]" % (name, len(own(self, name))), Verbatim("")))
        tasks = own(self, "_unfinished_tasks")
        if tasks:
            parts.append((" tasks=", tasks))
        if python_of(self) >= (3, 13) and own(self, "_is_shutdown"):
            parts.append((" shutdown", Verbatim("")))
        text = "".join(label + text_of(value) for label, value in parts)
        return Shown("<%s at %#x %s>" % (name_of(self), address(self), text), iter(()), "")


@surrogate("asyncio.base_events.BaseEventLoop")
class EventLoop(Written):
    __slots__ = ()

    def is_running(self) -> bool:
        """Whether it was running."""
        return own(self, "_thread_id") is not None

    def is_closed(self) -> bool:
        """Whether it was closed."""
        return own(self, "_closed") is True

    def _shown(self) -> str:
        return "<%s running=%s closed=%s debug=%s>" % (
            name_of(self),
            EventLoop.is_running(self),
            EventLoop.is_closed(self),
            own(self, "_debug") is True,
        )


# -- concurrent.futures


@surrogate("concurrent.futures._base.Future")
class Future(Written):
    __slots__ = ()

    def done(self) -> bool:
        """Whether it was finished or cancelled."""
        return own(self, "_state") in ("FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED")

    def running(self) -> bool:
        """Whether it was running."""
        return own(self, "_state") == "RUNNING"

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return own(self, "_state") in ("CANCELLED", "CANCELLED_AND_NOTIFIED")

    def result(self, timeout: Any = None) -> Any:
        """Its result; NotDumpedError when it has none."""
        from ..marks import NotDumpedError

        if own(self, "_state") != "FINISHED" or own(self, "_exception") is not None:
            raise NotDumpedError("no result: %s" % text_of(self))
        return own(self, "_result")

    def exception(self, timeout: Any = None) -> Any:
        """The exception that it ended with, or None."""
        return own(self, "_exception")

    def _shown(self) -> str:
        state = own(self, "_state")
        head = "<%s at %#x state=%s" % (name_of(self), address(self), str(state).lower())
        if state == "FINISHED":
            error = own(self, "_exception")
            word, value = ("returned", own(self, "_result")) if error is None else ("raised", error)
            return "%s %s %s>" % (head, word, type_name(value))
        return head + ">"


def type_name(value: Any) -> str:
    """The name of an object's class in the program."""
    from ..scope import class_of

    name = getattr(class_of(value), "__name__", "?")
    return name if isinstance(name, str) else "?"
