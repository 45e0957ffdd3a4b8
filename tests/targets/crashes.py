# SPDX-License-Identifier: Apache-2.0
"""Children that crash, each in its own way, one after the other.

Arguments: the shared library made of crashes.c, a folder, then the ways. Each
child works in a folder WAY below it, and has a frame crash_WAY with a local
variable mark. Prints one JSON object:
way -> [pid, exit code as subprocess has it].
"""

import ctypes
import faulthandler
import json
import mmap
import os
import signal
import sys
import threading


def crash_segv(mark):
    ctypes.string_at(8)


def crash_abort_in_c(mark):
    LIB.fail()


def crash_stack(mark):
    LIB.recurse(ctypes.c_long(1 << 40))


def crash_bus(mark):
    with open(os.path.join(FOLDER, "mapped-%d" % os.getpid()), "w+b") as f:
        f.truncate(8192)
        memory = mmap.mmap(f.fileno(), 8192)
        f.truncate(0)
        memory[0]


def crash_double_free(mark):
    # What the C library says of it is not the test's.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    LIB.free_twice()


def crash_in_thread(mark):
    os.abort()


def crash_callback(mark):
    def called():
        inner = mark
        os.kill(os.getpid(), signal.SIGSEGV)
        return inner

    LIB.call(ctypes.CFUNCTYPE(None)(called))


def crash_in_process(mark):
    os.abort()


def crash_faulthandler(mark):
    faulthandler.enable(file=open(os.devnull, "w"))
    ctypes.string_at(16)


def crash_handled(mark):
    seen = []
    signal.signal(signal.SIGSEGV, lambda *_: seen.append(1))
    os.kill(os.getpid(), signal.SIGSEGV)
    os._exit(0 if seen else 1)


def crash_ignored(mark):
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    os.kill(os.getpid(), signal.SIGABRT)
    os._exit(0)


def crash_subinterpreter(mark):
    try:
        import _interpreters as interpreters
    except ImportError:
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            os._exit(98)
    number = interpreters.create()
    interpreters.run_string(
        number, "import os\ndef crash_inside(mark):\n    os.abort()\ncrash_inside('mark-inside')"
    )


def child(way):
    function = globals()["crash_" + way]
    os.mkdir(os.path.join(FOLDER, way))
    os.chdir(os.path.join(FOLDER, way))
    if way == "in_thread":
        thread = threading.Thread(target=function, args=("mark-" + way,), name="crasher")
        thread.start()
        thread.join()
    else:
        function("mark-" + way)


def in_process(way):
    """By multiprocessing, which has a child of its own."""
    import multiprocessing

    process = multiprocessing.get_context("fork").Process(target=child, args=(way,))
    process.start()
    process.join()
    return process.pid, process.exitcode


def forked(way):
    pid = os.fork()
    if not pid:
        try:
            child(way)
        finally:
            os._exit(99)
    status = os.waitpid(pid, 0)[1]
    return pid, -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


if __name__ == "__main__":
    LIB = ctypes.CDLL(sys.argv[1])
    FOLDER = sys.argv[2]
    told = {}
    for name in sys.argv[3:]:
        told[name] = in_process(name) if name == "in_process" else forked(name)
    print(json.dumps(told), flush=True)
