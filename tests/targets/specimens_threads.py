# SPDX-License-Identifier: Apache-2.0
"""Specimens: threads, locks, queues, contexts, asyncio."""

import asyncio
import concurrent.futures
import contextvars
import queue
import sys
import threading
import time

from catalogue import method

ME = threading.get_ident()


def held(make, times=1):
    made = make()
    for _ in range(times):
        made.acquire()
    return made


def parked(count, block):
    """Threads that wait in block() when this returns."""
    for number in range(count):
        started = threading.Event()

        def run(started=started):
            started.set()
            block()

        threading.Thread(target=run, name="parked %d" % number, daemon=True).start()
        started.wait()


def until(condition):
    for _ in range(10000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError("never")


def locks(c):
    g = c.group("_thread.lock", method("locked"))
    g.add("free", threading.Lock)
    g.add("held", lambda: held(threading.Lock))

    def waited():
        made = held(threading.Lock)
        parked(1, made.acquire)
        return made

    g.add("waited for", waited)
    owner, count = ("x.owner", "x._owner"), ("x.count", "x._count")
    g = c.group("_thread.RLock")
    g.add("free", threading.RLock, ("0",) + count)
    g.add("held", lambda: held(threading.RLock, 3), ("3",) + count, (repr(ME),) + owner)

    def others():
        made = threading.RLock()
        got, never = threading.Event(), threading.Event()

        def take():
            with made:
                got.set()
                never.wait()

        thread = threading.Thread(target=take, name="holder", daemon=True)
        thread.start()
        got.wait()
        return made

    g.add("of another thread", others, ("1",) + count)
    g = c.group("threading._RLock", "x._count", "x._owner")
    g.add("held", lambda: held(threading._PyRLock, 2))
    g = c.group("threading.Condition", "len(x._waiters)")
    g.add("free", threading.Condition)
    g.add("held", lambda: held(threading.Condition))

    def waiting():
        made = threading.Condition()

        def block():
            with made:
                made.wait()

        parked(2, block)
        until(lambda: len(made._waiters) == 2)
        return made

    g.add("two wait", waiting)
    flag = (method("is_set", "x._flag"),)
    g = c.group("threading.Event", *flag)
    g.add("clear", threading.Event)

    def set_event():
        made = threading.Event()
        made.set()
        return made

    def waited_event():
        made = threading.Event()
        parked(1, made.wait)
        until(lambda: len(made._cond._waiters) == 1)
        return made

    g.add("set", set_event)
    g.add("waited for", waited_event, "len(x._cond._waiters)")
    g = c.group("threading.Semaphore", "x._value")
    g.add("three", lambda: threading.Semaphore(3))
    g.add("used", lambda: held(lambda: threading.Semaphore(3), 2))
    g = c.group("threading.BoundedSemaphore", "x._value", "x._initial_value")
    g.add("used", lambda: held(lambda: threading.BoundedSemaphore(5), 1))
    g = c.group("threading.Barrier", "x._parties", "x._count", "x._state")
    g.add("fresh", lambda: threading.Barrier(3))

    def barrier():
        made = threading.Barrier(3)
        parked(1, made.wait)
        until(lambda: made._count == 1)
        return made

    g.add("one waits", barrier)


def threads(c):
    g = c.group("threading.Thread", "x._name", "x._ident", "x._daemonic")
    g.add("main", threading.main_thread)
    g.add("not started", lambda: threading.Thread(target=len, name="later", args=("a",)), "x._args")

    def running():
        never = threading.Event()
        made = threading.Thread(target=never.wait, name="runs", daemon=True)
        made.start()
        return made

    def finished():
        made = threading.Thread(target=int, name="done")
        made.start()
        made.join()
        return made

    g.add("running", running, "x._native_id" if sys.version_info >= (3, 8) else "x._name")
    g.add("finished", finished)
    g = c.group("threading.Timer", "x.interval", "x.args", "x.kwargs")
    g.add("not started", lambda: threading.Timer(30, len, ["a"]))

    def local():
        made = threading.local()
        made.value = [1]
        return made

    g = c.group("threading.local", "x.value")
    g.add("main thread's", local)


def queues(c):
    def filled(cls, *items, size=0):
        made = cls(size)
        for item in items:
            made.put(item)
        return made

    Q = queue.Queue
    g = c.group("queue.Queue", "list(x.queue)", "x.maxsize", "x.unfinished_tasks")
    g.add("empty", Q)
    g.add("some", lambda: filled(Q, 1, "b", None, size=10))

    def waited():
        made = filled(Q, 1, size=1)
        parked(1, lambda: made.put(2))
        until(lambda: len(made.not_full._waiters) == 1)
        return made

    g.add("full", waited, "len(x.not_full._waiters)")
    g = c.group("queue.LifoQueue", "list(x.queue)", "x.maxsize")
    g.add("some", lambda: filled(queue.LifoQueue, 1, 2))
    g = c.group("queue.PriorityQueue", "list(x.queue)")
    g.add("some", lambda: filled(queue.PriorityQueue, 3, 1, 2))
    g = c.group("queue.SimpleQueue")

    def simple():
        made = queue.SimpleQueue()
        for item in (1, "b", [3]):
            made.put(item)
        made.get()
        return made

    left = ("['b', [3]]", "list(x.items)", "list(x.lst)", "x.queue")
    g.add("some", simple, left, ("x.qsize()", "x.qsize()", "len(x)", "len(x.items)"))
    g.add("empty", queue.SimpleQueue, ("[]", "list(x.items)", "list(x.lst)", "x.queue"))


def contexts(c):
    first = contextvars.ContextVar("first", default="unset")
    second = contextvars.ContextVar("second")
    c.keep(first, second)
    content = (
        "{v.name: x[v] for v in x}",
        "{v.name: x[v] for v in x}",
        "{v.name: y for v, y in x.items()}",
    )
    g = c.group("contextvars.ContextVar", "x.name")
    g.add("with default", lambda: first, ("'unset'", "x.default"))
    g.add("without", lambda: second)
    g = c.group("contextvars.Context", content)
    g.add("empty", contextvars.Context)

    def filled():
        made = contextvars.Context()
        made.run(first.set, [1])
        made.run(second.set, "two")
        return made

    g.add("filled", filled)

    def many():
        made = contextvars.Context()
        for number in range(100):
            var = contextvars.ContextVar("v%d" % number)
            c.keep(var)
            made.run(var.set, number)
        return made

    ordered = (
        "sorted((v.name, x[v]) for v in x)",
        "sorted((v.name, x[v]) for v in x)",
        "sorted((v.name, y) for v, y in x.items())",
    )
    c.group("contextvars.Context", ordered).add("a hundred", many)
    g = c.group("contextvars.Token", "x.var.name")
    g.add("fresh", lambda: contextvars.Context().run(first.set, 5))
    g.add(
        "old value",
        lambda: contextvars.Context().run(lambda: (first.set(1), first.set(2))[1]),
        "x.old_value",
    )


def futures(c):
    g = c.group("concurrent.futures.Future", "x._state", "x._result")
    g.add("pending", concurrent.futures.Future)

    def done():
        made = concurrent.futures.Future()
        made.set_result([1])
        return made

    g.add("done", done)
    c.group("concurrent.futures.ThreadPoolExecutor", "x._max_workers").add(
        "fresh", lambda: concurrent.futures.ThreadPoolExecutor(3)
    )


async def sleeper(seconds, kept=None):
    await asyncio.sleep(seconds)


async def answer(value):
    return value


async def fail():
    raise ValueError("task failed")


def collect_asyncio(c):
    loop = c.keep(asyncio.new_event_loop())
    made = {}

    async def scene():
        """Makes what can only be made while a loop runs."""
        made["pending"] = loop.create_task(sleeper(3600, kept=[1]))
        made["finished"] = loop.create_task(answer("result"))
        made["failed"] = loop.create_task(fail())
        made["cancelled"] = loop.create_task(sleeper(3600))
        made["event"] = asyncio.Event()
        made["set event"] = asyncio.Event()
        made["set event"].set()
        made["event waiter"] = loop.create_task(made["event"].wait())
        made["lock"] = asyncio.Lock()
        made["held lock"] = asyncio.Lock()
        await made["held lock"].acquire()
        made["lock waiter"] = loop.create_task(made["held lock"].acquire())
        made["queue"] = asyncio.Queue(5)
        await made["queue"].put("item")
        made["condition"] = asyncio.Condition()
        made["semaphore"] = asyncio.Semaphore(2)
        await made["semaphore"].acquire()
        made["handle"] = loop.call_soon(print)
        made["handle"].cancel()
        made["timer"] = loop.call_later(3600, len, "abc")
        made["future"] = loop.create_future()
        made["result"] = loop.create_future()
        made["result"].set_result({"a": 1})
        made["exception"] = loop.create_future()
        made["exception"].set_exception(KeyError("k"))
        made["callback"] = loop.create_future()
        made["callback"].add_done_callback(len)
        made["reader"] = asyncio.StreamReader()
        made["reader"].feed_data(b"some bytes")
        made["gathered"] = asyncio.gather(made["pending"], made["future"])
        made["cancelled"].cancel()
        await asyncio.sleep(0.01)

    loop.run_until_complete(scene())
    # Otherwise their destructors complain.
    for name in ("failed", "exception"):
        made[name].exception()
    result = ("x.result()", "x.result()", "x._result")
    state = ("x._state", "x._state")
    done = ("x.done()", "x.done()", "x._state != 'PENDING'")
    error = ("str(x.exception())", "str(x.exception())", "str(x._exception)")
    kind = (
        "type(x.exception()).__name__",
        "type(x.exception()).__name__",
        "type(x._exception).__name__",
    )
    coroutine = (
        "x._coro.__qualname__"
        if hasattr(made["pending"], "_coro")
        else "x.get_coro().__qualname__",
        "x.get_coro().__qualname__",
        "x._coro.__qualname__",
    )
    g = c.group("asyncio.Future", state, done)
    g.add("pending", lambda: made["future"])
    g.add("result", lambda: made["result"], result)
    g.add("exception", lambda: made["exception"], error, kind)
    g.add("callback", lambda: made["callback"], "x._callbacks is not None")
    g.add("gathered", lambda: made["gathered"], "len(x._children)")
    g = c.group("asyncio.Task", state, done, coroutine)
    if sys.version_info >= (3, 8):
        name = (("x.get_name()", "x.get_name()", "x._name", "x.name"),)
    else:
        name = ()
    g.add("pending", lambda: made["pending"], *name)
    g.add("finished", lambda: made["finished"], result, *name)
    g.add("failed", lambda: made["failed"], error, kind)
    g.add(
        "cancelled",
        lambda: made["cancelled"],
        ("x.cancelled()", "x.cancelled()", "x._state == 'CANCELLED'"),
    )
    g.add(
        "waits",
        lambda: made["event waiter"],
        ("x._fut_waiter is not None", "x._fut_waiter is not None"),
    )
    g = c.group("asyncio.Event", method("is_set", "x._value"), "len(x._waiters)")
    g.add("waited for", lambda: made["event"])
    g.add("set", lambda: made["set event"])
    g = c.group("asyncio.Lock", method("locked", "x._locked"))
    g.add("free", lambda: made["lock"])
    g.add("held", lambda: made["held lock"], "len(x._waiters)")
    g = c.group("asyncio.Queue", "list(x._queue)", "x._maxsize", "x._unfinished_tasks")
    g.add("one", lambda: made["queue"])
    c.group("asyncio.Condition", "len(x._waiters)").add("free", lambda: made["condition"])
    c.group("asyncio.Semaphore", "x._value").add("used", lambda: made["semaphore"])
    c.group("asyncio.Handle", "x._cancelled").add("cancelled", lambda: made["handle"])
    c.group("asyncio.TimerHandle", "x._when", "x._args").add("later", lambda: made["timer"])
    c.group("asyncio.StreamReader", "bytes(x._buffer)", "x._limit").add(
        "fed", lambda: made["reader"]
    )
    g = c.group("asyncio.AbstractEventLoop", "x._closed", "x._debug", "len(x._scheduled)")
    g.add("stopped", lambda: loop)

    def closed():
        other = asyncio.new_event_loop()
        other.close()
        return other

    g.add("closed", closed)


def collect(c):
    locks(c)
    threads(c)
    queues(c)
    contexts(c)
    futures(c)
    collect_asyncio(c)
