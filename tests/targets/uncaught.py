# SPDX-License-Identifier: Apache-2.0
"""Ends by an exception that nobody catches, in the way that is asked for.

With "all" and names each is a child, one after the other; then prints a JSON
object: way -> [pid, exit status, dumps that there are to be].
"""

import os
import sys
import threading


class Problem(ValueError):
    pass


def fail(number):
    inside = ["of fail", number]
    raise Problem("no %d" % number)


def work(number):
    around = {"number": number}
    try:
        {}["nothing"]
    except KeyError:
        fail(number)


def in_main():
    work(1)


def in_main_hooked():
    sys.excepthook = lambda *_: print("hook", file=sys.stderr)
    work(1)


def in_thread():
    thread = threading.Thread(target=work, args=(1,), name="worker")
    thread.start()
    thread.join()
    print("on")


def in_thread_hooked():
    threading.excepthook = lambda *_: print("hook", file=sys.stderr)
    in_thread()


def in_raw_thread():
    import _thread

    done = _thread.allocate_lock()
    done.acquire()

    class Last:
        def __del__(self):
            done.release()

    def run(last):
        work(1)

    _thread.start_new_thread(run, (Last(),))
    done.acquire()
    print("on")


def in_executor():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor:
        executor.submit(work, 1).result()


def in_asyncio():
    import asyncio

    async def main():
        await asyncio.sleep(0)
        work(1)

    asyncio.run(main())


def in_fork():
    in_process("fork")


def in_daemon():
    """Of a process whose parent has ended before it runs."""
    reader, writer = os.pipe()
    if not os.fork():
        os.setsid()
        if os.fork():
            os._exit(0)
        os.close(reader)
        work(1)
    os.close(writer)
    os.wait()
    os.read(reader, 1)


def fork_in_thread():
    """Its main thread is a copy of a thread of threading."""

    def run():
        child = os.fork()
        if not child:
            work(1)
        os.waitpid(child, 0)

    thread = threading.Thread(target=run, name="worker")
    thread.start()
    thread.join()


def in_spawn():
    in_process("spawn")


def in_process(method):
    import multiprocessing

    process = multiprocessing.get_context(method).Process(target=work, args=(1,), name="p")
    process.start()
    process.join()
    sys.exit(process.exitcode)


def in_subprocess():
    import subprocess

    sys.exit(subprocess.call([sys.executable, __file__, "in_main"]))


def in_forkserver():
    in_process("forkserver")


def caught():
    try:
        work(1)
    except Problem:
        import traceback

        traceback.print_exc()
    sys.last_value = None
    sys.last_type = Problem
    print(sys.exc_info())


def by_exit():
    sys.exit("bye")


def by_interrupt():
    raise KeyboardInterrupt


# Ways that are not tests of what is in the dump: each with the number of dumps.
ODD = {}


def dumps(number, since=(3, 7)):
    def add(function):
        if sys.version_info >= since:
            ODD[function.__name__] = number
        return function

    return add


@dumps(0)
def exit_subclass():
    class Bye(SystemExit):
        pass

    leave(3, Bye)


def leave(status, kind=None):
    inside = ["of leave", status]
    if kind:
        raise kind(status)
    sys.exit(*inside[1:])


def exits():
    leave(3)


def exits_by_itself():
    leave(None)


def exits_in_asyncio():
    import asyncio

    async def main():
        await asyncio.sleep(0)
        leave(3)

    asyncio.run(main())


def flushes():
    """What SystemExit leaves behind when somebody catches it, and fflush()."""
    import ctypes

    c = ctypes.CDLL(None)
    for number in range(20):
        try:
            leave(number)
        except SystemExit:
            c.fflush(None)


@dumps(1)
def included():
    class Stop(KeyboardInterrupt):
        pass

    raise Stop


@dumps(0)
def interrupt_subclass():
    class Other(KeyboardInterrupt):
        pass

    raise Other


class Left(ValueError):
    pass


@dumps(0)
def excluded():
    class Derived(Left):
        pass

    raise Derived


@dumps(1)
def included_of_excluded():
    class Stop(Left):
        pass

    class Derived(Stop):
        pass

    raise Derived


@dumps(0)
def excluded_by_the_second_base():
    class Derived(ArithmeticError, Left):
        pass

    raise Derived


@dumps(1)
def named_like_exit():
    class SystemExit(Exception):
        pass

    raise SystemExit("no exit")


@dumps(1, (3, 11))
def group():
    raise BaseExceptionGroup("of", [SystemExit(3), Problem("a")])  # noqa: F821


@dumps(0)
def in_del():
    class Last:
        def __del__(self):
            fail(1)

    thread = threading.Thread(target=Last)
    thread.start()
    thread.join()
    Last()


@dumps(0)
def in_atexit():
    import atexit

    atexit.register(fail, 1)


@dumps(1)
def in_generator():
    def made():
        yield 1
        fail(1)

    print(list(made()))


@dumps(1)
def hook_fails():
    def hook(*_):
        raise KeyError("hook")

    sys.excepthook = hook
    fail(1)


@dumps(1)
def hook_deleted():
    del sys.excepthook
    fail(1)


@dumps(1, (3, 8))
def thread_hook_fails():
    def hook(*_):
        raise KeyError("hook")

    threading.excepthook = hook
    in_thread()


@dumps(0)
def thread_exits():
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()


@dumps(3)
def three_at_once():
    barrier = threading.Barrier(3)

    def run():
        barrier.wait()
        fail(1)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@dumps(0)
def nobody_asks():
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    async def main():
        asyncio.ensure_future(asyncio.sleep(0)).add_done_callback(fail)
        await asyncio.sleep(0.01)

    with ThreadPoolExecutor(1) as executor:
        executor.submit(fail, 1)
    asyncio.run(main())


@dumps(1, (3, 11))
def task_group():
    import asyncio

    async def task():
        fail(1)

    async def main():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(task())

    asyncio.run(main())


def keep_last():
    try:
        fail(1)
    except Problem as e:
        sys.last_type, sys.last_value, sys.last_traceback = Problem, e, e.__traceback__
        if sys.version_info >= (3, 12):
            sys.last_exc = e
    sys.another_key = 1


@dumps(0)
def keeps_last():
    keep_last()


@dumps(1)
def keeps_last_and_fails():
    keep_last()
    fail(2)


@dumps(0)
def in_subinterpreter():
    try:
        import _interpreters as interpreters
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            return
    number = interpreters.create()
    try:
        interpreters.run_string(number, "raise ValueError(5)")
    except Exception as e:
        print(e)


@dumps(1)
def without_stderr():
    sys.stderr = None
    fail(1)


@dumps(1)
def broken_type():
    class Meta(type):
        def __getattribute__(cls, name):
            raise RuntimeError

    class Odd(Exception, metaclass=Meta):
        def __str__(self):
            raise RuntimeError

    raise Odd


@dumps(1)
def recursion():
    recursion()


@dumps(1)
def memory_error():
    return bytearray(1 << 62)


@dumps(1)
def hook_exits():
    sys.excepthook = lambda *_: os._exit(7)
    fail(1)


@dumps(0)
def interrupted_thread():
    def run():
        raise KeyboardInterrupt

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@dumps(0)
def in_generator_that_ends():
    def made():
        try:
            yield 1
        finally:
            fail(1)

    next(made())


@dumps(1)
def in_closed_generator():
    def made():
        try:
            yield 1
        finally:
            fail(1)

    kept = made()
    next(kept)
    kept.close()


# These import much, which the others would tear down when they end.
LARGE = ("in_executor", "in_asyncio", "exits_in_asyncio", "in_fork", "in_forkserver", "in_spawn")
LARGE += ("nobody_asks", "task_group")


def children(ways):
    """True in each child, with its way."""
    import gc
    import json
    import traceback  # noqa: F401

    told = {}
    gc.freeze()
    for way in sorted(ways, key=LARGE.__contains__):
        if way in LARGE:
            import asyncio  # noqa: F401
            import concurrent.futures.thread  # noqa: F401
            import multiprocessing.popen_fork  # noqa: F401

            gc.freeze()
        pid = os.fork()
        if not pid:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            return way
        told[way] = [pid, os.waitpid(pid, 0)[1], ODD.get(way)]
    print(json.dumps(told), flush=True)
    return None


if __name__ == "__main__":
    WAY = sys.argv[1]
    if WAY == "all":
        WAY = children(sys.argv[2:] + list(ODD))
    elif WAY == "some":
        WAY = children(sys.argv[2:])
    if WAY:
        globals()[WAY]()
