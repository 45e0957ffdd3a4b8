# SPDX-License-Identifier: Apache-2.0
"""Says "ready" with its process id in its own namespace and waits.

simple.py dlopen FILE: maps FILE, a second libpython, first.
simple.py subinterpreter: a thread runs code of a second interpreter.
Ends with the line "bye" when standard input ends. Python 3.7 to 3.15.
"""

import json
import os
import sys
import threading

INNER = """
import os
def in_subinterpreter():
    marker = ["sub", 2]
    os.write(%d, b"x")
    os.read(%d, 1)
in_subinterpreter()
"""


def subinterpreter():
    """A daemon thread blocks in it; some versions hang when they finish it."""
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    arrived, end = os.pipe(), os.pipe()
    code = INNER % (arrived[1], end[0])
    identity = interpreters.create()
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    if sys.version_info < (3, 13):
        run = interpreters.run_string
    thread = threading.Thread(target=run, args=(identity, code), daemon=True)
    thread.start()
    os.read(arrived[0], 1)


def hold_simple(marker):
    print(json.dumps({"pid": os.getpid(), "id": id(marker)}), flush=True)
    sys.stdin.read()


def main():
    keep = None
    if sys.argv[1:2] == ["dlopen"]:
        import ctypes

        keep = ctypes.CDLL(sys.argv[2])
    elif sys.argv[1:2] == ["subinterpreter"]:
        subinterpreter()
    hold_simple(["simple", {"n": 1}])
    return keep


if __name__ == "__main__":
    main()
    print("bye", flush=True)
    os._exit(0)
