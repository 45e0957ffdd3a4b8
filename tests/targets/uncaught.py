# SPDX-License-Identifier: Apache-2.0
"""Ends by an exception that nobody catches, in the way that is asked for."""

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


if __name__ == "__main__":
    globals()[sys.argv[1]]()
