# SPDX-License-Identifier: Apache-2.0
"""Python and C that call each other, for test_native.py.

native.py LIBRARY. Prints {"merged": [names, the newest first]} of the main
thread: functions of Python and of the library alone, in the order of calls.
"""

import ctypes
import json
import sys
import threading

library = ctypes.CDLL(sys.argv[1])
libc = ctypes.CDLL(None)
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
COMPARE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)
)


def deepest():
    print(
        json.dumps(
            {
                "merged": [
                    "deepest", "generator", "callback", "native_inner", "native_outer",
                    "called", "__getattr__", "compare", "sort", "key", "middle",
                    "__init__", "main", "<module>",
                ],
                "waiting": ["wait"],
            }
        ),
        flush=True,
    )  # fmt: skip
    sys.stdin.readline()
    return 1


def generator():
    yield 0
    yield deepest()


def callback(n):
    return sum(generator()) + n


def called():
    return library.native_outer(CALLBACK(callback), 1)


class Asked:
    def __getattr__(self, name):
        return called()


def compare(a, b):
    return 0 * Asked().anything


def sort():
    array = (ctypes.c_int * 2)(2, 1)
    libc.qsort(array, 2, ctypes.sizeof(ctypes.c_int), COMPARE(compare))


def key(x):
    sort()
    return x


def middle():
    return sorted([1], key=key)


class Made:
    def __init__(self):
        self.made = middle()


def main():
    return Made()


held = threading.Lock()
held.acquire()
ready = threading.Semaphore(0)


def wait():
    ready.release()
    held.acquire()


threading.Thread(target=wait, daemon=True).start()
ready.acquire()
library.native_start.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
create = ctypes.cast(libc.pthread_create, ctypes.c_void_p)
assert library.native_start(create, ctypes.cast(libc.pause, ctypes.c_void_p)) == 0
main()
