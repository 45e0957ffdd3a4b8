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

import array
import collections
import contextvars
import decimal
import functools
import hashlib
import io
import itertools
import json
import queue
import random
import re
import shutil
import struct
import sys
import tempfile
import threading
from xml.etree import ElementTree

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


def frozen_dicts():
    try:
        made = frozendict((str(i), keep(object())) for i in range(20))
    except NameError:  # before 3.15
        return
    tell("frozendict", made, pairs=pairs(made))
    tell("empty frozendict", frozendict(), pairs=[])


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


def arrays():
    for code in "bBhHiIlLqQfdu":
        content = "a\u20ac" if code == "u" else [1, 2, 3]
        made = array.array(code, content)
        expected = {"bytes_data": made.tobytes().hex(), "int_itemsize": made.itemsize}
        tell("array " + code, made, text_typecode=code, **expected)
    made = array.array("i", range(100))
    del made[3:95]
    tell("shrunk array", made, bytes_data=made.tobytes().hex())
    tell("empty array", array.array("d"), bytes_data="")


def views():
    data = keep(bytes(range(256)))
    wide = keep(array.array("i", range(24)))
    shaped = memoryview(wide).cast("B").cast("i", (2, 3, 4))
    made = {
        "all": memoryview(data),
        "writable": memoryview(bytearray(b"abc")),
        "part": memoryview(data)[10:20],
        "turned": memoryview(data)[200:10:-7],
        "none": memoryview(b""),
        "nothing of it": memoryview(data)[5:5],
        "items": memoryview(wide)[1:20:3],
        "shaped": shaped,
        "cast": memoryview(data)[:8].cast("I"),
        "scalar": memoryview(data)[:4].cast("I").cast("B").cast("I", ()),
    }
    for name, view in made.items():
        expected = {
            "bytes_data": view.tobytes().hex(),
            "text_format": view.format,
            "int_itemsize": view.itemsize,
            "int_nbytes": view.nbytes,
            "int_ndim": view.ndim,
            "ints_shape": list(view.shape),
            "ints_strides": list(view.strides),
            "bool_readonly": view.readonly,
            "bool_released": False,
            "ref_obj": id(keep(view.obj)),
        }
        tell("memoryview " + name, view, **expected)
    view = memoryview(bytearray(b"gone"))
    view.release()
    tell("memoryview released", view, bool_released=True, none_data=None, none_obj=None)


def hashes():
    for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "shake_128"):
        try:
            made = hashlib.new(name, b"data")
        except ValueError:  # OpenSSL may refuse those that are weak
            continue
        if type(made).__module__ == "_hashlib":
            sizes = {"int_digest_size": made.digest_size, "int_block_size": made.block_size}
            if sys.version_info >= (3, 8):
                sizes["text_name"] = made.name
            tell("hash " + name, made, **sizes)


def databases():
    try:
        import sqlite3
    except ImportError:
        return
    path = FOLDER + "/data.sqlite"
    for name in (path, ":memory:"):
        made = sqlite3.connect(name)
        made.execute("create table t (a, b)")
        made.execute("insert into t values (1, 'two')")
        tell("sqlite " + name[:2], made, text_path=name)
        tell("sqlite closed", closed(sqlite3.connect(name)), none_path=None)
    # Has no name; of a file that is not in the file system.
    tell("sqlite temporary", sqlite3.connect(""), none_path=None)


def closed(made):
    made.close()
    return made


def elements():
    root = ElementTree.fromstring("<a x='1'>t<b/>tail<c><d/></c> end</a>")
    if type(root).__init__ is object.__init__ or not hasattr(root, "makeelement"):
        return
    empty = ElementTree.Element("lonely")
    many = ElementTree.Element("many")
    many.extend([keep(ElementTree.Element("e%d" % i)) for i in range(50)])
    empty.text = "t"
    ref = {"ref_tag": id(keep(empty.tag)), "ref_text": id(empty.text), "ref_tail": id(None)}
    tell("element", empty, items=[], **ref)
    tell("elements", many, items=[id(e) for e in many])
    tell("parsed", root, items=[id(keep(e)) for e in root], ref_attrib=id(keep(root.attrib)))


def locks():
    for held in (False, True):
        made = threading.Lock()
        if held:
            made.acquire()
        tell("lock", made, bool_locked=held)
        made = threading.RLock()
        for _ in range(3 if held else 0):
            made.acquire()
        count = "int_count" if sys.version_info < (3, 14) else "int_level"
        seen = 0 if not held else 3 if sys.version_info < (3, 14) else 2
        owner = threading.get_ident() if held else 0
        tell("RLock", made, **{"int_owner": owner, count: seen})


def thread_locals():
    one, several = threading.local(), threading.local()
    one.value = several.value = [1]
    ready, done = threading.Event(), threading.Event()
    dicts = {}

    def other():
        several.value = [2]
        dicts["other"] = several.__dict__
        ready.set()
        done.wait()

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    ready.wait()
    keep(done)
    mine, main = threading.get_ident(), keep(several.__dict__)
    # The thread that began last comes first.
    made = {"items": [id(keep(dicts["other"])), id(main)], "ints_threads": [thread.ident, mine]}
    tell("local of two threads", several, **made)
    tell("local", one, items=[id(keep(one.__dict__))], ints_threads=[mine])


def matches():
    found = re.search(r"(a+)(x)?(b)", "..aab..")
    made = {"int_pos": found.pos, "int_endpos": found.endpos, "ref_string": id(keep(found.string))}
    tell("match", found, ints_spans=[2, 5, 2, 4, -1, -1, 4, 5], **made)


def generators():
    made = random.Random(7)
    made.random()
    _, state, _ = made.getstate()
    words = struct.pack("<624I", *state[:-1])
    tell("Random", made, bytes_state=words.hex(), int_index=state[-1])


def foreign():
    try:
        import ctypes
    except ImportError:
        return

    class Point(ctypes.Structure):
        _fields_ = [("x", ctypes.c_int), ("y", ctypes.c_double)]

    pair = (Point * 2)((1, 2.5), (3, 4.5))
    for made in (ctypes.c_longlong(-5), Point(1, 2.5), pair, ctypes.c_char(b"x")):
        name = type(made).__name__
        expected = {"bytes_data": bytes(made).hex(), "int_size": ctypes.sizeof(made)}
        tell(name, made, ref_base=0, **expected)
    tell("part", pair[1], bytes_data=bytes(pair[1]).hex(), ref_base=id(pair))
    tell("c_char_p", ctypes.c_char_p(b"chars\xff"), bytes_pointee=b"chars\xff".hex())
    tell("c_wchar_p", ctypes.c_wchar_p("w\u20acs \U0001f40d"), text_pointee="w\u20acs \U0001f40d")
    tell("NULL c_char_p", ctypes.c_char_p(), none_pointee=None)
    tell("c_void_p", ctypes.c_void_p(id(pair)), none_pointee=None)
    to = ctypes.pointer(pair)
    tell("pointer", to, address_target=ctypes.addressof(pair))


def iterators():
    def after(count, made):
        for _ in range(count):
            keep(next(made))
        return made

    data = keep([object() for _ in range(5)])
    tell("list_iterator", after(2, iter(data)), ref_seq=id(data), int_index=2)
    gone = iter(keep([1]))
    list(gone)
    tell("list_iterator, gone", gone, ref_seq=0)
    made = keep({i: i for i in range(10)})
    del made[0], made[5]
    tell("dict_keyiterator", after(3, iter(made)), ref_dict=id(made), int_len=5)
    made = keep(collections.OrderedDict(z=1, y=2, x=3))
    tell("odict_iterator", after(1, iter(made)), ref_odict=id(made), ref_current=id(list(made)[1]))
    made = keep(collections.deque(range(200)))
    tell("deque iterator", after(150, iter(made)), ref_deque=id(made), int_counter=50)
    made = after(3, itertools.combinations(data, 3))
    tell("combinations", made, ints_indices=[0, 1, 4], int_r=3)
    made = after(3, itertools.product(data, "ab"))
    tell("product", made, ints_indices=[1, 0], bool_stopped=False)
    made = after(3, itertools.permutations(data, 2))
    tell("permutations", made, ints_indices=[0, 3, 1, 2, 4], ints_cycles=[5, 2])
    tell("count", after(3, itertools.count(10)), int_cnt=13, ref_long_cnt=0)
    made = after(3, itertools.islice(iter(data), 1, None, 1))
    tell("islice", made, int_stop=-1, int_step=1, int_cnt=4)
    first, second = itertools.tee(iter(data))
    after(3, first)
    tell("tee", second, int_index=0)


def main():
    ordered_dicts()
    frozen_dicts()
    deques()
    decimals()
    string_files()
    files()
    queues()
    caches()
    contexts()
    arrays()
    views()
    hashes()
    databases()
    elements()
    locks()
    thread_locals()
    matches()
    generators()
    foreign()
    iterators()
    # The files stay open; their names go.
    shutil.rmtree(FOLDER)
    print(json.dumps(TOLD), flush=True)
    hold(KEPT)


def hold(kept):
    sys.stdin.read()


if __name__ == "__main__":
    main()
