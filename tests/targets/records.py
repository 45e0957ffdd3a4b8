# SPDX-License-Identifier: Apache-2.0
"""Objects of C types whose contents the dumper follows chains for, and what is
in them.

records.py: prints one line of JSON, a list of [name, id, expected], and waits for
the end of standard input. expected maps "text NAME", "bytes NAME" (hex), "ints
NAME", "int NAME", "bool NAME" and "float NAME" to the field's value, "ref NAME" to
an id (0: NULL), "none NAME" to nothing (there is no such field), "items" to the
ids of what is in it, "pairs" to ids of keys and values, "mark" to the mark's
number. Runs on Python 3.7 to 3.15.
"""

import collections
import contextvars
import decimal
import functools
import io
import json
import queue
import sys
import tempfile

KEPT = []
TOLD = []
FOLDER = tempfile.mkdtemp(prefix="pydumpd-records-")


def keep(value):
    KEPT.append(value)
    return value


def tell(name, value, **expected):
    """Underscores of the first word's end stand for the blank."""
    KEPT.append(value)
    told = {key.replace("_", " ", 1): v for key, v in expected.items()}
    TOLD.append([name, id(value), told])
    return value


def ids(values):
    return [id(keep(v)) for v in values]


def pairs(mapping):
    return [[id(k), id(v)] for k, v in mapping.items()]


def ordered_dicts():
    class Named(collections.OrderedDict):
        pass

    for cls in (collections.OrderedDict, Named):
        made = cls((str(i), object()) for i in range(300))
        tell("as filled", made, pairs=pairs(made))
        made = cls((str(i), object()) for i in range(300))
        made.move_to_end("7")
        made.move_to_end("9", last=False)
        del made["0"]
        made["0"] = object()
        made["3"] = object()
        made.popitem(last=False)
        tell("moved", made, pairs=pairs(made))
    tell("empty", collections.OrderedDict(), pairs=[])
    # Written behind its back: the list does not know of the key.
    torn = collections.OrderedDict(a=1, b=2)
    dict.__setitem__(torn, "c", 3)
    TOLD.append(["torn", id(keep(torn)), {"mark": 3}])


def deques():
    made = collections.deque((object() for _ in range(500)), 400)
    made.rotate(77)
    made.popleft()
    tell("bounded", made, items=[id(x) for x in made], int_maxlen=400)
    made = collections.deque()
    tell("unbounded", made, items=[], none_maxlen=None)


NUMBERS = """0 -0 1 1.5 -1.50 0.000001 0.0000001 1E+5 12345678901234567890123456789012345678 1E0
-1.2345678901234567890123456789E-50 Infinity -Infinity NaN -NaN123 sNaN 0E-6 0E-7 0E+3 0.00 -0.0
sNaN12345678901234567890123 1E-999999 -10000000000000000000 99999999999999999999999.9 12E1 -12E-9
100000000000000000000000000000000000000 1.000000000000000000000000000000000000001 999999999999999999
10000000000000000000 1000000000000000000000000000000000000000000000000000E-50 1E-5 123E-8 123E-9"""


def decimals():
    class Mine(decimal.Decimal):
        pass

    for text in NUMBERS.split():
        for cls in (decimal.Decimal, Mine):
            made = cls(text)
            tell("Decimal " + text, made, text_text=str(made))
    made = decimal.Decimal(7**5000)
    tell("long Decimal", made, text_text=str(made))
    made = decimal.Decimal(7**5000).scaleb(-4000, decimal.Context(prec=99999))
    tell("long Decimal, point", made, text_text=str(made))


def string_files():
    def wrote(made, *texts):
        for text in texts:
            made.write(text)
        return made

    def value(name, made):
        # What getvalue() does must not be done before: it changes the state.
        copy = wrote(io.StringIO(newline=""), *TEXTS[name])
        expected = {"text_value": copy.getvalue(), "int_pos": sum(map(len, TEXTS[name]))}
        return tell("StringIO " + name, made, **expected)

    TEXTS = {
        "empty": [],
        "one": ["one"],
        "some": ["one ", "\u20ac", "\U0001f40d", "x" * 5000, "\ud800 end"],
        "many": ["line %d\n" % i for i in range(20000)],
        "latin": ["\xe9", "\xff" * 100],
    }
    for name, texts in TEXTS.items():
        value(name, wrote(io.StringIO(newline=""), *texts))
    made = io.StringIO("t\u20acxt\nmore \ud800 \U0001f40d")
    made.seek(3)
    made.write("Y")
    tell("StringIO read", made, text_value="t\u20acxY\nmore \ud800 \U0001f40d", int_pos=4)
    made = io.StringIO("0123456789")
    made.truncate(4)
    tell("StringIO truncated", made, text_value="0123", int_pos=0)
    made = io.StringIO("gone")
    made.close()
    tell("StringIO closed", made, none_value=None, bool_closed=True)
    made = io.BytesIO(b"\x00\xff" * 100)
    made.seek(150)
    made.truncate()
    made.seek(5)
    tell("BytesIO", made, bytes_value=(b"\x00\xff" * 75).hex(), int_pos=5)
    made = io.BytesIO(b"gone")
    made.close()
    tell("BytesIO closed", made, none_value=None)


def files():
    path = FOLDER + "/data"
    data = b"0123456789" * 2000
    with open(path, "wb") as file:
        file.write(data)

    def opened(name, mode, act, **expected):
        made = open(path, mode, buffering=4096)
        act(made)
        tell("file " + name, made, int_position=made.tell(), **expected)

    opened("fresh", "rb", lambda f: None, none_pending=None)
    opened("read", "rb", lambda f: f.read(7), bytes_read_ahead=data[7:4096].hex())
    opened("sought", "rb", lambda f: (f.seek(9000), f.read(2), f.seek(-1, 1)))
    opened("both", "r+b", lambda f: (f.read(3), f.write(b"XY")))
    opened("appending", "ab", lambda f: f.write(b"waiting"), bytes_pending=b"waiting".hex())
    made = open(path, "rb")
    made.close()
    tell("file closed", made, none_position=None)


def queues():
    made = queue.SimpleQueue()
    if type(made).__module__ != "_queue":
        return
    expected = collections.deque()
    for step in range(400):
        for _ in range(3):
            expected.append(keep(object()))
            made.put(expected[-1])
        if step % 10 == 9:
            for _ in range(17):
                assert made.get() is expected.popleft()
    tell("SimpleQueue", made, items=[id(x) for x in expected])
    tell("empty SimpleQueue", queue.SimpleQueue(), items=[])


def caches():
    def cached(maxsize, typed=False):
        @functools.lru_cache(maxsize=maxsize, typed=typed)
        def square(n):
            return [n]

        for n in (1, 2, 3, 2, 1, 9, 1):
            square(n)
        return square

    for maxsize in (None, 0, 3, 100):
        made = cached(maxsize)
        info = made.cache_info()
        tell("lru_cache %s" % maxsize, made, int_hits=info.hits, int_misses=info.misses)


def contexts():
    variables = [keep(contextvars.ContextVar("v%d" % i)) for i in range(2000)]

    def filled(count):
        made = contextvars.Context()

        def fill():
            for i in range(count):
                variables[i].set(keep(object()))
            for i in range(0, count, 7):
                variables[i].set(keep(object()))

        made.run(fill)
        return made

    for count in (0, 1, 2, 3, 16, 17, 100, 2000):
        made = filled(count)
        tell("Context %d" % count, made, pairs=pairs(made))


def main():
    ordered_dicts()
    deques()
    decimals()
    string_files()
    files()
    queues()
    caches()
    contexts()
    print(json.dumps(TOLD), flush=True)
    hold(KEPT)


def hold(kept):
    sys.stdin.read()


if __name__ == "__main__":
    main()
