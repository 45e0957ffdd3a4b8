# SPDX-License-Identifier: Apache-2.0
"""Threads that change containers all the time beside values that never change.

Prints JSON: the reprs of the locals of steady() that stay; ends with its
standard input. Runs on Python 3.7 to 3.15.
"""

import collections
import json
import sys
import threading

STOP = threading.Event()
SHARED = {"list": [], "dict": {}, "set": set(), "deque": collections.deque(maxlen=500)}


class Thing:
    pass


def churn(seed):
    n = seed
    thing = Thing()
    while not STOP.is_set():
        for i in range(200):
            n = (n * 1103515245 + 12345) % (1 << 31)
            SHARED["list"].append("value %d" % n)
            SHARED["dict"]["key %d" % (n % 997)] = [n, str(n)]
            SHARED["set"].add((n % 991, "x"))
            SHARED["deque"].append({n: n})
            setattr(thing, "attribute_%d" % (n % 50), "text " * (n % 40))
        del SHARED["list"][:100]
        if n % 5 == 0:
            SHARED["list"].clear()
            SHARED["dict"].clear()
            SHARED["set"].clear()
            thing = Thing()


def steady():
    number = 7**300
    small = -3
    real = 0.1
    text = "steady \u20ac " * 50
    raw = bytes(range(256))
    pair = (1, ("two", 3.0), None)
    frozen = frozenset([1, "one", (1,)])
    nested = tuple((i, str(i)) for i in range(300))
    told = {k: repr(v) for k, v in locals().items() if k != "frozen"}
    threads = [threading.Thread(target=churn, args=(i,)) for i in range(1, 3)]
    for thread in threads:
        thread.start()
    print(json.dumps(told), flush=True)
    sys.stdin.read()
    STOP.set()
    for thread in threads:
        thread.join()


steady()
