# SPDX-License-Identifier: Apache-2.0
"""A thread that changes containers by a plan: what they hold is known by how far
it is. test_replay.py computes the same again. Runs on Python 3.7 to 3.15.
"""

import array
import collections
import sys
import threading


class Thing:
    pass


class Slotted:
    __slots__ = ("a", "b", "c")


def fresh():
    return {
        "list": [], "dict": {}, "numbers": {}, "mixed": {}, "set": set(), "big": 1,
        "deque": collections.deque(), "ordered": collections.OrderedDict(),
        "bytes": bytearray(), "array": array.array("q"), "thing": Thing(), "slots": Slotted(),
    }  # fmt: skip


def step(state, x):
    """What is to be done: one call of C code, and its arguments."""
    v, w = (x >> 40) % 997, (x >> 20) % 60
    row, thing, name = state["list"], state["thing"], "a%d" % w
    ordered, mixed, queue = state["ordered"], state["mixed"], state["deque"]
    calls = [
        lambda: (row.append, (v,)),
        lambda: (row.append, ("text %d" % v,)),
        lambda: (row.pop, ()) if row else (row.append, (None,)),
        lambda: (row.clear, ()) if len(row) > 2000 else (row.append, (w,)),
        lambda: (state["dict"].__setitem__, ("k%d" % v, v)),
        lambda: (state["dict"].pop, ("k%d" % v, None)),
        lambda: (state["numbers"].__setitem__, (v, float(v))),
        lambda: (state["numbers"].pop, (v, None)),
        lambda: (mixed.__setitem__, (v if w % 9 == 0 else "m%d" % v, (v,))),
        lambda: (mixed.popitem, ()) if mixed else (mixed.__setitem__, ("z", 0)),
        lambda: (state["set"].add, (v,)),
        lambda: (state["set"].discard, (v,)),
        lambda: (queue.append, (v,)),
        lambda: (queue.popleft, ()) if len(queue) > 90 else (queue.appendleft, (v,)),
        lambda: (ordered.__setitem__, (w, v)),
        lambda: (ordered.move_to_end, (w,)) if w in ordered else (ordered.pop, (w, None)),
        lambda: (ordered.pop, (w, None)),
        lambda: (state["bytes"].append, (v & 255,)),
        lambda: (state["array"].append, (x >> 10 & 0xFFFFFF,)),
        lambda: (setattr, (thing, name, v)),
        lambda: (delattr, (thing, name)) if hasattr(thing, name) else (setattr, (thing, name, v)),
        lambda: (setattr, (state["slots"], "abc"[w % 3], v)),
        lambda: (state.__setitem__, ("big", state["big"] * (v + 3) % (1 << 5000))),
    ]
    return calls[(x >> 33) % len(calls)]()


def following(x):
    return (x * 6364136223846793005 + 1442695040888963407) % (1 << 64)


def change(seed):
    state, x, begun, done = fresh(), seed, 0, 0
    while True:
        x = following(x)
        call, arguments = step(state, x)
        begun += 1
        call(*arguments)
        done = begun


def values(state):
    """All of it as builtins; an attribute that is not set is left out."""
    told = {k: list(state[k]) for k in ("list", "deque", "array")}
    told.update((k, list(dict(state[k]).items())) for k in ("dict", "numbers", "mixed"))
    told["ordered"] = list(state["ordered"].items())
    told["set"] = sorted(state["set"])
    told["bytes"], told["big"] = bytes(state["bytes"]), state["big"]
    told["thing"] = dict(vars(state["thing"]))
    told["slots"] = {n: getattr(state["slots"], n) for n in "abc" if hasattr(state["slots"], n)}
    return told


if __name__ == "__main__":
    for number in (1, 2):
        threading.Thread(target=change, args=(number,), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.readline()
