# SPDX-License-Identifier: Apache-2.0
"""Random object graphs from seeds, told as canonical JSON, one graph a line.

graphs.py FIRST COUNT: the graphs of the seeds FIRST to FIRST + COUNT - 1 hang in
the local "graphs" of the function hold_graphs(); a last line "ready" ends them.
Waits for the end of standard input. Runs on Python 3.7 to 3.15.
"""

import json
import os
import random
import sys
import threading

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


class Text(str):
    pass


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
        print(json.dumps(Canon().of(graph)))
    print("ready", flush=True)
    hold_graphs(graphs)


if __name__ == "__main__":
    threading.stack_size(64 << 20)
    worker = threading.Thread(target=main, name="graphs")
    worker.start()
    worker.join()
