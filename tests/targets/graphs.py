# SPDX-License-Identifier: Apache-2.0
"""Random object graphs from seeds, told as canonical JSON, one graph a line.

graphs.py FIRST COUNT: the graphs of the seeds FIRST to FIRST + COUNT - 1 hang in
the local "graphs" of the function hold_graphs(); a last line "ready" ends them.
Waits for the end of standard input. Runs on Python 3.7 to 3.15.
"""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import io
import json
import os
import pathlib
import random
import sys
import threading
import types
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from canon import Canon  # noqa: E402


class Node:
    pass


class Fixed:
    def __init__(self, a, b, c):
        self.a = a
        self.b = b
        self.c = c


class Slotted:
    __slots__ = ("first", "second", "third")


class SlottedMore(Slotted):
    __slots__ = ("fourth", "__dict__")


class Mapping(dict):
    pass


class Sequence(list):
    pass


class Number(int):
    pass


class Octets(bytes):
    pass


class Members(set):
    __slots__ = ("label", "__dict__")


class Row(collections.deque):
    pass


class Moment(datetime.datetime):
    pass


class Text(str):
    pass


Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Item:
    name: str
    content: object = None
    tags: list = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = 1
    GREEN = "green"
    BLUE = (3, None)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 1000


class Perm(enum.Flag):
    R = 4
    W = 2


class SlottedFailure(ValueError):
    __slots__ = ("code",)


class Record(tuple):
    pass


class Failure(Exception):
    pass


ALPHABETS = ["abcXYZ_09 \n", "\x00\x7f\xe9\xff", "\u0100\u20ac\uffff", "\U0001f40d\ud800a"]


class Builder:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.made = []  # containers and instances, for sharing and cycles

    def text(self):
        r = self.random
        alphabet = "".join(r.sample(ALPHABETS, r.randint(1, len(ALPHABETS))))
        length = r.choice([0, 1, 2, 5, 20, 300])
        return "".join(r.choice(alphabet) for _ in range(length))

    def atom(self):
        r = self.random
        kind = r.randrange(11)
        if kind == 0:
            return None
        if kind == 1:
            return r.random() < 0.5
        if kind == 2:
            return r.randint(-10, 300)
        if kind == 3:
            return r.choice([1, -1]) * r.getrandbits(r.randint(1, 400))
        if kind == 4:
            return r.choice([1, -1]) * (2 ** r.randint(0, 130) + r.randint(-1, 1))
        if kind == 5:
            return r.choice([0.0, -0.0, float("inf"), float("nan"), r.random()])
        if kind == 6:
            return complex(r.random(), -r.random())
        if kind in (7, 8):
            return self.text()
        if kind == 9:
            return bytes(r.getrandbits(8) for _ in range(r.randint(0, 40)))
        return r.choice([Ellipsis, NotImplemented, len, Node, int, slice(1, None, 2)])

    def hashable(self, depth):
        r = self.random
        kind = r.randrange(8)
        if kind == 0 and depth > 0:
            items = [self.hashable(depth - 1) for _ in range(r.randint(0, 3))]
            return r.choice([tuple, frozenset])(items)
        if kind == 1:
            return Number(r.getrandbits(40))
        if kind < 5:
            return self.text()
        if kind == 5:
            return r.choice([self.date, self.span, self.fraction, self.uuid, self.path])()
        value = self.atom()
        while isinstance(value, (slice, float)):
            value = self.atom()
        return value

    def keep(self, value):
        self.made.append(value)
        return value

    def value(self, depth):
        r = self.random
        if self.made and r.random() < 0.15:
            return r.choice(self.made)
        if depth == 0 or r.random() < 0.25:
            return self.atom()
        return r.choice(self.MAKERS)(self, depth - 1)

    def count(self):
        return self.random.choice([0, 1, 2, 3, 5, 9])

    def make_list(self, depth):
        made = self.keep([])
        made.extend(self.value(depth) for _ in range(self.count()))
        return made

    def make_tuple(self, depth):
        return self.keep(tuple(self.value(depth) for _ in range(self.count())))

    def fill(self, made, depth, strings):
        for _ in range(self.count()):
            key = self.text() if strings else self.hashable(2)
            made[key] = self.value(depth)
        for key in list(made):
            if self.random.random() < 0.2:
                del made[key]
        return made

    def make_dict(self, depth):
        return self.fill(self.keep({}), depth, self.random.random() < 0.5)

    def make_mapping(self, depth):
        made = self.fill(self.keep(Mapping()), depth, False)
        if self.random.random() < 0.5:
            made.note = self.value(depth)
        return made

    def make_set(self, depth):
        made = self.keep(set(self.hashable(2) for _ in range(self.count())))
        for item in list(made):
            if self.random.random() < 0.2:
                made.discard(item)
        return made

    def make_node(self, depth):
        made = self.keep(Node())
        for _ in range(self.count()):
            name = self.random.choice("abcdefghijkl")
            setattr(made, name, self.value(depth))
        if self.random.random() < 0.2:
            self.fill(made.__dict__, depth, True)
        return made

    def make_fixed(self, depth):
        made = self.keep(Fixed(1, 2, 3))
        made.b = self.value(depth)
        made.c = self.value(depth)
        if self.random.random() < 0.2:
            del made.a
        if self.random.random() < 0.2:
            made.d = self.value(depth)
        return made

    def make_slotted(self, depth):
        made = self.keep(self.random.choice([Slotted, SlottedMore])())
        for name in ("first", "second", "third"):
            if self.random.random() < 0.8:
                setattr(made, name, self.value(depth))
        if isinstance(made, SlottedMore):
            made.extra = self.value(depth)
        return made

    def make_sequence(self, depth):
        made = self.keep(Sequence())
        made.extend(self.value(depth) for _ in range(self.count()))
        made.owner = self.value(depth)
        return made

    def make_text(self, depth):
        made = self.keep(Text(self.text()))
        made.note = self.value(depth)
        return made

    def make_record(self, depth):
        made = self.keep(Record(self.value(depth) for _ in range(self.count())))
        made.note = self.value(depth)
        return made

    def make_failure(self, depth):
        made = self.keep(Failure(self.value(depth), self.atom()))
        made.detail = self.value(depth)
        if self.random.random() < 0.5:
            made.__cause__ = Failure(self.value(depth))
        return made

    def make_function(self, depth):
        free = self.value(depth)

        def function(a, b=self.value(depth), *, c=self.value(depth)):
            return free

        return self.keep(function)

    def make_method(self, depth):
        return self.make_list(depth).append

    def make_generator(self, depth):
        def generator(argument):
            local = [argument]
            yield local
            yield argument

        made = self.keep(generator(self.value(depth)))
        for _ in range(self.random.randrange(3)):
            next(made)
        return made

    def make_bytearray(self, depth):
        made = self.keep(bytearray(self.random.getrandbits(8) for _ in range(20)))
        del made[: self.random.randrange(5)]
        return made

    # -- the standard library's

    def date(self):
        r = self.random
        return datetime.date(r.randint(1, 9999), r.randint(1, 12), r.randint(1, 28))

    def moment(self):
        r = self.random
        micro = r.choice([0, 1, 999999, r.randrange(10**6)])
        clock = r.randrange(24), r.randrange(60), r.randrange(60), micro
        zone = r.choice([None, None, datetime.timezone.utc, self.zone()])
        date = self.date()
        cls = r.choice([datetime.datetime, datetime.datetime, Moment])
        made = cls(date.year, date.month, date.day, *clock, tzinfo=zone, fold=r.choice([0, 0, 1]))
        kind = r.randrange(4)
        if kind == 0:
            return date
        if kind == 1:
            return made.timetz()
        if cls is Moment:
            made.note = self.text()
        return made

    def zone(self):
        minutes = self.random.randint(-1439, 1439)
        return datetime.timezone(datetime.timedelta(minutes=minutes))

    def span(self):
        r = self.random
        return datetime.timedelta(
            r.randint(-(10**6), 10**6), r.randrange(86400), r.randrange(10**6)
        )

    def decimal(self):
        r = self.random
        digits = "".join(r.choice("0123456789") for _ in range(r.choice([1, 5, 18, 19, 20, 60])))
        text = "{}{}E{}".format(r.choice(["", "-"]), digits, r.randint(-300, 300))
        special = ["NaN", "-Infinity", "sNaN12", "-0", "0E-10"]
        return decimal.Decimal(r.choice(special) if r.random() < 0.2 else text)

    def fraction(self):
        r = self.random
        return fractions.Fraction(r.getrandbits(r.randint(1, 200)), 1 + r.getrandbits(70))

    def uuid(self):
        return uuid.UUID(int=self.random.getrandbits(128))

    def path(self):
        r = self.random
        parts = [self.text().replace("\0", "") for _ in range(r.randint(0, 3))]
        cls = r.choice([pathlib.PurePosixPath, pathlib.PosixPath, pathlib.PureWindowsPath])
        made = cls(*parts)
        if r.random() < 0.5:
            made.parts  # may be kept
            str(made)
        return made

    def member(self):
        return self.random.choice([Color.RED, Color.GREEN, Color.BLUE, Level.HIGH, Perm.R])

    STANDARD = [date, moment, moment, zone, span, decimal, decimal, fraction, uuid, path, member]

    def make_standard(self, depth):
        return self.keep(self.random.choice(self.STANDARD)(self))

    def make_deque(self, depth):
        r = self.random
        room = r.choice([None, None, 0, 3, 100])
        made = self.keep(r.choice([collections.deque, Row])(maxlen=room))
        for _ in range(self.count() * r.choice([1, 1, 30])):
            value = self.atom() if len(made) > 9 else self.value(depth)
            if r.random() < 0.7:
                made.append(value)
            else:
                made.appendleft(value)
        made.rotate(r.randint(-5, 5))
        if isinstance(made, Row):
            made.note = self.value(depth)
        return made

    def make_ordered(self, depth):
        made = self.fill(self.keep(collections.OrderedDict()), depth, False)
        for key in list(made):
            if self.random.random() < 0.3:
                made.move_to_end(key, self.random.random() < 0.5)
        if self.random.random() < 0.2:
            made.note = self.value(depth)
        return made

    def make_default(self, depth):
        factory = self.random.choice([None, list, Node, functools.partial(int, "5")])
        return self.fill(self.keep(collections.defaultdict(factory)), depth, False)

    def make_counter(self, depth):
        made = self.keep(collections.Counter())
        for _ in range(self.count()):
            made[self.hashable(1)] += self.random.randint(-3, 3)
        return made

    def make_pair(self, depth):
        return self.keep(Pair(self.value(depth), self.value(depth)))

    def make_item(self, depth):
        made = self.keep(Item(self.text()))
        made.content = self.value(depth)
        made.tags.append(self.value(depth))
        return made

    def make_namespace(self, depth):
        made = self.keep(types.SimpleNamespace())
        for name in "abc"[: self.random.randrange(4)]:
            setattr(made, name, self.value(depth))
        return made

    def make_partial(self, depth):
        arguments = [self.value(depth) for _ in range(self.random.randrange(3))]
        made = functools.partial(self.random.choice([len, Node]), *arguments)
        if self.random.random() < 0.5:
            made = functools.partial(made, k=self.value(depth))
        if self.random.random() < 0.3:
            made.note = self.value(depth)
        return self.keep(made)

    def make_array(self, depth):
        r = self.random
        code = r.choice("bBhHiIlLqQfd")
        numbers = (r.randrange(100) for _ in range(r.choice([0, 1, 7, 300])))
        made = self.keep(array.array(code, numbers))
        if len(made) > 3:
            made.pop()
        return made

    def make_buffer(self, depth):
        r = self.random
        if r.random() < 0.5:
            made = io.BytesIO(self.text().encode("utf-8", "surrogatepass"))
        else:
            made = io.StringIO(self.text().replace("\r", ""))
        made.read(r.randrange(4))
        if r.random() < 0.5:
            made.seek(0, 2)
            made.write("more" if isinstance(made, io.StringIO) else b"more")
        return self.keep(made)

    def make_octets(self, depth):
        made = self.keep(Octets(self.text().encode("utf-8", "surrogatepass")))
        made.note = self.value(depth)
        return made

    def make_members(self, depth):
        made = self.keep(Members(self.hashable(1) for _ in range(self.count())))
        made.label = self.value(depth)
        made.note = self.value(depth)
        return made

    def make_slotted_failure(self, depth):
        made = self.keep(SlottedFailure(self.value(depth)))
        made.code = self.value(depth)
        return made

    def make_group(self, depth):
        if sys.version_info < (3, 11):
            return self.make_failure(depth)
        inner = [self.make_failure(depth) for _ in range(self.random.randint(1, 3))]
        made = self.keep(ExceptionGroup(self.text(), inner))  # noqa: F821
        for _ in range(self.random.randrange(3)):
            made.add_note(self.text())
        return made

    def make_iterator(self, depth):
        r = self.random
        values = [self.value(depth) for _ in range(r.randint(1, 6))]
        kind = r.randrange(6)
        if kind == 0:
            made = iter(values)
        elif kind == 1:
            made = reversed(values)
        elif kind == 2:
            made = iter(tuple(values))
        elif kind == 3:
            made = iter({self.text(): v for v in values}.items())
        elif kind == 4:
            made = iter(range(r.randint(1, 9), r.randint(10, 50), r.randint(1, 4)))
        else:
            made = iter(self.text() + "z")
        for _ in range(r.randint(0, 7)):
            next(made, None)
        return self.keep(made)

    MAKERS = [
        make_list,
        make_list,
        make_tuple,
        make_dict,
        make_dict,
        make_mapping,
        make_set,
        make_node,
        make_node,
        make_fixed,
        make_slotted,
        make_sequence,
        make_text,
        make_record,
        make_failure,
        make_function,
        make_method,
        make_generator,
        make_bytearray,
        make_standard,
        make_standard,
        make_standard,
        make_deque,
        make_ordered,
        make_default,
        make_counter,
        make_pair,
        make_item,
        make_namespace,
        make_partial,
        make_array,
        make_buffer,
        make_octets,
        make_members,
        make_slotted_failure,
        make_group,
        make_iterator,
    ]


def build(seed):
    builder = Builder(seed)
    return [builder.value(6) for _ in range(6)] + [builder.made[-1:]]


def hold_graphs(graphs):
    sys.stdin.read()
    return graphs


def main():
    first, count = int(sys.argv[1]), int(sys.argv[2])
    sys.setrecursionlimit(20000)
    graphs = [build(seed) for seed in range(first, first + count)]
    for graph in graphs:
        print(json.dumps(Canon(standard=True).of(graph)))
    print("ready", flush=True)
    hold_graphs(graphs)


if __name__ == "__main__":
    threading.stack_size(64 << 20)
    worker = threading.Thread(target=main, name="graphs")
    worker.start()
    worker.join()
