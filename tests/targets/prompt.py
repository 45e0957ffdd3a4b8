# SPDX-License-Identifier: Apache-2.0
"""A program to look at from a prompt, and what its own pdb shows there.

It is told commands as one line of JSON, gives each to a pdb of its own on its
own frame, and tells what came of it: that is what the prompt on the dump has to
show.
Runs unchanged on Python 3.7 to 3.15.
"""

import abc
import collections.abc  # noqa: F401  (for commands)
import functools
import io
import json
import os
import pdb
import sys
from numbers import Number  # noqa: F401

LIMIT = 7
__version__ = "1.2"


class Shape:
    """A shape."""

    sides = 0
    names = ["shape"]

    def __init__(self, name):
        self.name = name
        self.tags = {"a": 1}

    @property
    def area(self):
        raise SystemExit("ran")

    def grow(self, by, *more, factor=2, **rest):
        return by, more, factor, rest

    @staticmethod
    def unit(x, y=1):
        return x, y

    @classmethod
    def make(cls, name):
        return cls(name)


class Square(Shape):
    sides = 4


class Names(list):
    pass


class Table(dict):
    def __missing__(self, key):
        raise SystemExit("ran")


class Text(str):
    pass


class Count(int):
    pass


class Pair(tuple):
    pass


class Bag(set):
    pass


class Blob(bytes):
    pass


class Ratio(float):
    pass


class Weak(int):
    """Differs from the int that it is."""

    def __bool__(self):
        return False

    def __eq__(self, other):
        return True

    def __str__(self):
        return "weak"

    __hash__ = None


class Short(list):
    def __len__(self):
        return 42

    def __iter__(self):
        return iter("zz")


class Many(type):
    def __len__(cls):
        return 3

    def __eq__(cls, other):
        return True

    def __instancecheck__(cls, obj):
        return True

    __hash__ = type.__hash__


class Thing(metaclass=Many):
    pass


class Port(abc.ABC):
    @abc.abstractmethod
    def send(self):
        pass


class Serial:
    pass


class Wire(Port):
    def send(self):
        pass


Port.register(Serial)


class Loud:
    """Tells when anything of it runs."""

    def _ran(self, *args):
        os.write(2, b"RAN\n")
        raise SystemExit("ran")

    __eq__ = __lt__ = __len__ = __iter__ = __getitem__ = __contains__ = _ran
    __bool__ = __hash__ = __index__ = __call__ = __repr__ = __str__ = _ran
    __add__ = __radd__ = __int__ = __enter__ = __format__ = __dir__ = _ran

    def __getattr__(self, name):
        self._ran()


class AppError(ValueError):
    def __init__(self, message, code):
        super().__init__(message, code)
        self.code = code


def plain(a, b=2, *args, c, d=4, **kw):
    return a


def annotated(a: int, b: "str" = "x") -> list:
    """Has a doc."""
    return [a, b]


def counter(start):
    total = start

    def add(n):
        nonlocal total
        total += n
        return total

    return add


def squares(upto):
    for n in range(upto):
        double = n * 2
        yield n, double


async def job(name):
    await job(name)


def failing():
    try:
        try:
            {}["k"]
        except KeyError as e:
            raise AppError("no key", 17) from e
    except AppError as e:
        if sys.version_info >= (3, 11):
            e.add_note("a note")
        else:
            e.__notes__ = ["a note"]
        raise RuntimeError("outer") from None


def nested(kind, depth=10000):
    value = kind()
    for _ in range(depth):
        value = [value] if kind is list else {"k": value} if kind is dict else (value,)
    return value


def run(commands):
    numbers = [3, 1, 2]
    words = ("b", "a")
    table = {"x": 1, "y": [1, 2], 3: None}
    plain_data = {"s": "t", "n": [1, 2.5, None, True], "d": {"e": []}}
    bag, frozen = {1, 2, 3}, frozenset([4])
    text, blob, array = "héllo", b"\0abc", bytearray(b"it's")
    whole, half, imaginary = 10**30, 0.5, 1 + 2j
    true, nothing, dots = True, None, ...
    span, cut = range(2, 20, 3), slice(1, 5, None)
    names = Names([1, "two"])
    names.note = "n"
    dicted = Table(k="v")
    dicted.note = "d"
    string, count, pair = Text("words"), Count(41), Pair((1, 2))
    bagged, blobbed, ratio = Bag([9]), Blob(b"b"), Ratio(1.5)
    square = Square("sq")
    loud = Loud()
    weak, short, wire, serial = Weak(5), Short([1]), Wire(), Serial()
    add, grow = counter(5), square.grow
    gone = 1
    sys._getframe().f_locals  # noqa: B018  (up to 3.12 a copy that stays)
    del gone
    generator = squares(5)
    next(generator)
    fresh, done = squares(2), squares(0)
    list(done)
    coroutine = job("j")
    lambda_ = lambda x, y=1: x + y  # noqa: E731
    big_list = list(range(30000))
    big_dict = {str(i): i for i in range(30000)}
    big_set = set(range(30000))
    big_tuple = tuple(big_list)
    big_nested = [[i, str(i)] for i in range(20000)]
    deep_list, deep_dict, deep_tuple = nested(list), nested(dict), nested(tuple)
    deep_twin, deep_dict_twin = nested(list), nested(dict)
    cyclic = [1]
    cyclic.append(cyclic)
    twin = [numbers, numbers]
    cell = 1
    partial = functools.partial(plain, 1)
    reader = lambda: cell  # noqa: E731
    error = None
    try:
        failing()
    except RuntimeError as e:
        error = e
        tell(sys._getframe(), commands)
        sys.stdin.readline()
    return locals()


def tell(frame, commands):
    """What this Python's own pdb shows for the commands."""
    shown = []
    for command in commands:
        out = io.StringIO()
        own = pdb.Pdb(stdin=io.StringIO(), stdout=out, nosigint=True, readrc=False)
        own.use_rawinput = False
        own.reset()
        own.setup(frame, None)
        try:
            own.onecmd(command)
            shown.append(out.getvalue())
        except RecursionError:
            shown.append("*** RecursionError\n")
    frame.f_locals  # noqa: B018  (what pdb assigned is gone again)
    print(json.dumps({"pid": os.getpid(), "shown": shown}), flush=True)


if __name__ == "__main__":
    run(json.loads(sys.stdin.readline()))
