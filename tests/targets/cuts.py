# SPDX-License-Identifier: Apache-2.0
"""A program with large values of every kind that a limit cuts.

Prints "ready", the address of an object that no frame reaches, how many
objects the collector tracks, and waits for the end of standard input. Runs on Python 3.7 to
3.15.
"""

import collections
import gc
import sys
import threading
import types

SETTING = "in the globals"


class Job:
    kind = "class attribute"

    def __init__(self):
        self.a_long_attribute_name = "v" * 500
        self.queue = collections.deque(range(700))
        for i in range(30):
            setattr(self, "attribute_number_%d" % i, i)

    @property
    def size(self):
        return 3


class Skipped:
    def __init__(self):
        self.payload = [1, 2, 3]


class Bag(dict):
    pass


class Hidden:
    pass


def hide():
    hidden = Hidden()
    hidden.myself = hidden
    hidden.text = "found by the collector alone"
    return id(hidden)


def hold(first, *rest, **named):
    a_list = list(range(1000))
    a_tuple = tuple(range(2000, 3000))
    a_set = set(range(1000))
    a_frozenset = frozenset(range(300))
    a_dict = {"number %d" % i: i for i in range(1000)}
    alike = {"prefix-prefix-%03d" % i: i for i in range(4)}
    text = "text " * 2000
    wide = "\u20ac" * 300
    blob = bytes(range(256)) * 100
    array = bytearray(b"xyz" * 100)
    ordered = collections.OrderedDict((i, str(i)) for i in range(600))
    counter = collections.Counter(range(600))
    default = collections.defaultdict(list, {i: [i] for i in range(600)})
    bag = Bag({i: i for i in range(600)})
    bag.note = "beside"
    deque = collections.deque(range(900), maxlen=900)
    short = [1, "two", b"three", {"four": 4}]
    job = Job()
    skipped = Skipped()
    space = types.SimpleNamespace(inside=1)
    lock = threading.Lock()

    def generator():
        local_of_generator = 1
        yield local_of_generator

    waiting = generator()
    next(waiting)
    gc.freeze()
    hidden = hide()
    tracked = len(gc.get_objects()) + gc.get_freeze_count()
    print("ready", hidden, tracked, flush=True)
    sys.stdin.read()
    return locals()


gc.disable()
hold("positional", *range(600), **{"named_%d" % i: i for i in range(600)})
