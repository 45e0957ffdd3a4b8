# SPDX-License-Identifier: Apache-2.0
"""Many objects of the commonest types, in all the forms that they take.

common.py N. Runs under CPython 3.7 and later.
"""

import array
import collections
import random
import sys

rnd = random.Random(7)


class P:
    def __init__(self, i):
        self.i, self.name, self.v = i, "n%d" % i, i * 1.5


class Q(P):
    pass


class Slots(object):
    __slots__ = ("a", "b", "__dict__")


class Bare(object):
    __slots__ = ("a", "b", "c", "__weakref__")


class Int(int):
    pass


class SlimInt(int):
    __slots__ = ()


class Float(float):
    pass


class Str(str):
    pass


class SlimStr(str):
    __slots__ = ()


class Bytes(bytes):
    pass


class List(list):
    pass


class Tuple(tuple):
    pass


class SlimTuple(tuple):
    __slots__ = ()


class Dict(dict):
    pass


class SlimDict(dict):
    __slots__ = ("x",)


Row = collections.namedtuple("Row", "a b c")


def text(most, low, high):
    return "".join(chr(rnd.randint(low, high)) for _ in range(rnd.randint(0, most)))


def instances(i):
    """With attributes that are missing, more, or in a dict of their own."""
    p, q, s, b = P(i), Q(i), Slots(), Bare()
    if i % 3 == 0:
        del p.name
    if i % 5 == 0:
        q.extra, q.more = i, str(i)
    if i % 7 == 0:
        del q.i
        q.i = 4
    if i % 11 == 0:
        p.__dict__.get("i")
    if i % 13 == 0:
        p.__dict__["odd%d" % i] = 1
    if i % 17 == 0:
        vars(q)[5] = 6
    s.a = i
    if i % 2:
        s.z = i
    if i % 4:
        b.a, b.c = b, i
    return p, q, s, b, object()


def derived(i):
    return (
        Int(i * 10**9), SlimInt(-i), Float(i / 7), Str("st%d" % i), SlimStr("s" * (i % 30)),
        Bytes(b"by%d" % i), List([i, None]), Tuple((i, i)), SlimTuple((1, i)), Dict(a=i),
        SlimDict(b=i), Row(i, 2, "x"),
    )  # fmt: skip


def numbers(i):
    large = rnd.getrandbits(rnd.randint(1, 200)), -rnd.getrandbits(rnd.randint(1, 70))
    edges = 2**30 * i, 2**60 + i, -(2**60) + i, -(2**62) - i, 255 + i, -129 - i, i % 2 == 0
    return large, edges, rnd.random(), float("inf"), complex(i, 2)


def texts(i):
    return (
        text(60, 32, 126), text(40, 160, 255), text(40, 0x400, 0x4FF), text(40, 0x1F600, 0x1F640),
        text(3, 0xD800, 0xDFFF), bytes(rnd.randint(0, 255) for _ in range(i % 50)),
        bytearray(b"x" * (i % 9)), "long " * (4000 if i % 300 == 0 else 1),
    )  # fmt: skip


def containers(i):
    d = {"id": i, "name": "u%d" % i, "score": i * 0.5}
    if i % 3 == 0:
        d.pop("name")
    if i % 4 == 0:
        d[1, i] = i
    if i % 9 == 0:
        d.clear()
    popped = list(range(i % 10))
    while popped and i % 3:
        popped.pop()
    return (
        d, {}, {i: i + 1 for i in range(i % 40)}, popped, [], [i] * (i % 20), (),
        {str(k): k for k in range(i % 700 if i % 50 == 0 else 3)}, tuple(range(i % 30)),
        {i, "a", 2.5}, frozenset((i,)), [None] * (3000 if i % 500 == 0 else 1),
        collections.OrderedDict(a=i), collections.deque([i]), slice(i, None), range(i),
        array.array("i", [i]), lambda i=i: i, (k for k in (i,)),
    )  # fmt: skip


# In the namespace of the module, which no limit cuts.
for number in range(int(sys.argv[1])):
    globals()["made_%d" % number] = [
        make(number) for make in (instances, derived, numbers, texts, containers)
    ]
print("ready", flush=True)
sys.stdin.read()
