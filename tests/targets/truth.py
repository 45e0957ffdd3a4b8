# SPDX-License-Identifier: Apache-2.0
"""A program that stands still in many places and tells the truth about itself.

Every thread blocks at a known point. When all of them do, one line of JSON goes
to standard output: threads, frames, lines, columns, locals and values, as the
interpreter itself sees them. Then it obeys lines on standard input: "check"
prints "same" when everything is as it was told, "exit" ends it in good order.

With --untouched only the readiness line is told, so that no frame object and no
f_locals mapping was ever made; the truth of another run holds.
Runs unchanged on Python 3.7 to 3.15.
"""

import _thread
import collections
import ctypes
import enum
import functools
import json
import linecache
import os
import sys
import threading
import time
import traceback
import types
import weakref

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from canon import Canon  # noqa: E402

GATE = threading.Lock()
ARRIVED = {}
NATIVE = {}
HANDLED = {}
TELLER = []


def native_id():
    if hasattr(threading, "get_native_id"):
        return threading.get_native_id()
    try:
        return ctypes.CDLL(None).gettid()
    except (AttributeError, OSError):
        return None


def arrive(handled=()):
    ident = threading.get_ident()
    NATIVE[ident] = native_id()
    HANDLED[ident] = list(handled)
    ARRIVED[ident] = True


def hold(*handled):
    """Marks the thread as arrived and blocks it until the end."""
    arrive(handled)
    GATE.acquire()  # BLOCK
    GATE.release()


# -- values ---------------------------------------------------------------


class Plain:
    kind = "plain"

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Init:
    """Attributes from __init__: split, managed or inline, by version."""

    def __init__(self, first, second):
        self.first = first
        self.second = second
        self.third = None

    def method(self, value=1):
        return value

    @staticmethod
    def static(x):
        return x

    @classmethod
    def make(cls):
        return cls(1, 2)

    @property
    def both(self):
        return self.first, self.second


class Slots:
    __slots__ = ("left", "right", "__private", "unset")

    def __init__(self, left, right):
        self.left = left
        self.right = right
        self.__private = "hidden"


class SlotsAndDict(Slots):
    def __init__(self):
        super().__init__("l", "r")
        self.extra = ["in the dict"]


class SlotsMore(Slots):
    __slots__ = ("more",)

    def __init__(self):
        super().__init__(0, 0)
        self.more = "more"


class WeakSlots:
    __slots__ = ("value", "__weakref__")

    def __init__(self, value):
        self.value = value


class DictSlot:
    __slots__ = ("__dict__", "named")

    def __init__(self):
        self.named = 1
        self.free = 2


class DictSub(dict):
    pass


class DictSlots(dict):
    __slots__ = ("tag",)


class ListSub(list):
    pass


class IntSub(int):
    pass


class StrSub(str):
    pass


class FloatSub(float):
    pass


class TupleSub(tuple):
    pass


class SetSub(set):
    pass


class FrozenSub(frozenset):
    pass


class BytesSub(bytes):
    pass


class Point(collections.namedtuple("Point", "x y")):
    __slots__ = ()


class Color(enum.Enum):
    RED = 1
    GREEN = "g"


class CustomError(ValueError):
    def __init__(self, message, code):
        super().__init__(message, code)
        self.code = code


class Meta(type):
    def __new__(mcs, name, bases, namespace):
        cls = super().__new__(mcs, name, bases, namespace)
        cls.made_by = "Meta"
        return cls


class WithMeta(metaclass=Meta):
    value = 7


class Multi(Init, DictSub):
    def __init__(self):
        Init.__init__(self, "a", "b")
        self["key"] = "value"


class Many:
    """More attributes than fit inline or than a shared-key table takes."""

    def __init__(self, count):
        for i in range(count):
            setattr(self, "attribute_%d" % i, i)


def with_attributes(obj, **attributes):
    obj.__dict__.update(attributes)
    return obj


def numbers():
    zero, one, minus_one = 0, 1, -1
    edges = [
        sign * (2**bits + delta)
        for bits in (8, 15, 29, 30, 31, 45, 60, 62, 63, 64, 90, 120, 1000)
        for delta in (-1, 0, 1)
        for sign in (1, -1)
    ]
    huge = 3**5000
    true, false, nothing = True, False, None
    floats = [0.0, -0.0, 1.5, -1e308, 5e-324, float("inf"), float("-inf")]
    nan = float("nan")
    numbers_complex = [0j, 1 + 2j, complex(float("-inf"), -0.0)]
    dots, not_implemented = Ellipsis, NotImplemented
    slices = [slice(None), slice(1, "b", [2])]
    ranges = [range(0), range(5), range(-3, 10**30, 7)]
    hold()
    return locals()


def strings():
    empty = ""
    ascii_one, ascii_long = "x", "line\n\t\0\x7f" * 50
    latin_one, latin = "\xe9", "caf\xe9 " * 9
    bmp = "\u20ac\u4e2d\u6587" * 7
    astral = "\U0001f40d and \U0010ffff"
    surrogate = "low \udc80 high \ud800 end"
    mixed_surrogate = "\ud83d\ude00 is a pair of two"
    big = "0123456789" * 20000
    big_bmp = "\u0416" * 70000
    interned = sys.intern("interned_name")
    bytes_empty, bytes_one, bytes_all = b"", b"\0", bytes(range(256))
    array_empty = bytearray()
    array = bytearray(b"abc\0def")
    array_shifted = bytearray(b"0123456789")
    del array_shifted[:3]
    hold()
    return locals()


def containers():
    empty_list, empty_dict, empty_set = [], {}, set()
    empty_tuple, empty_frozen = (), frozenset()
    shared = ["shared"]
    twice = [shared, shared, (shared,), {"k": shared}]
    cycle = [1, 2]
    cycle.append(cycle)
    cycle_dict = {}
    cycle_dict["self"] = cycle_dict
    cycle_tuple = ([],)
    cycle_tuple[0].append(cycle_tuple)
    deep = []
    for i in range(100):
        deep = [i, deep]
    deep_dict = {}
    for i in range(100):
        deep_dict = {i: deep_dict}
    holes = {i: str(i) for i in range(300)}
    for i in range(0, 300, 3):
        del holes[i]
    holes["new"] = 1
    emptied = {i: i for i in range(50)}
    emptied.clear()
    popped = dict(a=1, b=2, c=3)
    del popped["a"]
    popped["a"] = "again"
    mixed_keys = {
        1: "int",
        "s": "str",
        None: "none",
        (1, "t"): "tuple",
        2.5: "float",
        b"b": "bytes",
        True: "one as well",
        frozenset([1]): "frozen",
    }
    str_keys = {"k%d" % i: i for i in range(9)}
    was_str = {"a": 1, "b": 2}
    was_str[3] = "general now"
    # From 21846 on indices have four bytes. Tests of other things want fewer.
    large = {i: i * i for i in range(int(os.environ.get("TRUTH_LARGE") or 22000))}
    large_str = {"key%d" % i: None for i in range(3000)}
    word_index = {i: -i for i in range(200)}
    lists = [list(range(n)) for n in (1, 3, 5, 100)]
    shrunk = list(range(1000))
    del shrunk[5:]
    numbers_set = {1, "one", 2.0, None, (3, 4)}
    set_holes = set(range(400))
    set_holes -= set(range(0, 400, 2))
    set_large = set(range(5000))
    frozen = frozenset(["a", ("b", 1)])
    nested_frozen = frozenset([frozenset([1, 2]), frozenset()])
    nested = {"users": [{"id": i, "tags": ("a", "b")} for i in range(20)]}
    proxy = types.MappingProxyType({"p": 1})
    hold()
    return locals()


def instances():
    plain_empty = Plain()
    plain = Plain(a=1, b=[2])
    odd_names = Plain(**{"not an identifier": 1, "": 2, "\u00fc": 3})
    init = Init("one", {"two": 2})
    init_deleted = Init(1, 2)
    del init_deleted.second
    init_added = Init(1, 2)
    init_added.fourth = 4
    init_dict_seen = Init(1, 2)
    seen = init_dict_seen.__dict__
    init_replaced = Init(1, 2)
    init_replaced.__dict__ = {"only": "this"}
    init_dict_only = Init(1, 2).__dict__
    init_emptied = Init(1, 2)
    init_emptied.__dict__.clear()
    other_order = Init.__new__(Init)
    other_order.third, other_order.first = 3, 1
    slots = Slots(1, [2])
    slots_and_dict = SlotsAndDict()
    slots_more = SlotsMore()
    weak_slots = WeakSlots("w")
    weak_alive = weakref.ref(weak_slots)
    weak_dead = weakref.ref(Plain())
    dict_slot = DictSlot()
    dict_sub = with_attributes(DictSub(a=1), note="n")
    dict_slots = DictSlots(b=2)
    dict_slots.tag = "t"
    list_sub = with_attributes(ListSub([1, 2]), note="n")
    int_sub = with_attributes(IntSub(2**70), unit="m")
    int_small = IntSub(5)
    str_sub = with_attributes(StrSub("text \u20ac"), note="n")
    float_sub = with_attributes(FloatSub(2.5), unit="s")
    tuple_sub = with_attributes(TupleSub((1, [2])), note="n")
    tuple_empty = TupleSub()
    set_sub = with_attributes(SetSub([1]), note="n")
    frozen_sub = FrozenSub("a")
    bytes_sub = with_attributes(BytesSub(b"b"), note="n")
    point = Point(1, "y")
    multi = Multi()
    meta, meta_class = WithMeta(), WithMeta
    many = Many(100)
    few = Many(29)
    ring = Plain(name="a")
    ring.other = Plain(name="b", other=ring)
    a_class, exception_class = Init, CustomError
    local_class = type("Local", (Plain,), {"attribute": [1]})
    local = local_class(x=1)
    hold()
    return locals()


def callables():
    cell_value = ["in a cell"]

    def closure(a, b=2, *rest, c, d=[4], **others):
        """Documented."""
        return cell_value, later

    if len(cell_value) > 5:
        later = None
    function = hold
    method = Init(1, 2).method
    static = Init.static
    class_method = Init.make
    builtin = len
    builtin_method = [].append
    string_method = "abc".join
    anonymous = lambda x=cell_value: x  # noqa: E731
    descriptors = [str.join, type.__dict__["__dict__"], int.__add__]
    prop = Init.__dict__["both"]
    raw = [Init.__dict__["static"], Init.__dict__["make"]]
    module = os
    code = closure.__code__
    hold()
    return locals()


# -- suspended ------------------------------------------------------------


def numbers_generator(limit, text="t"):
    inner = [limit]
    for i in range(limit):
        received = yield (i, text)
    return inner, received


def delegating(limit):
    outer = "outer"
    result = yield from numbers_generator(limit)
    return outer, result


@types.coroutine
def pause(value):
    got = yield value
    return got


async def inner_coroutine(depth):
    if depth:
        return await inner_coroutine(depth - 1)
    return await pause("paused")


async def outer_coroutine(argument):
    mark = {"argument": argument}
    value = await inner_coroutine(2)
    return mark, value


async def async_numbers(limit):
    step = 1
    for i in range(limit):
        yield i + step


def step(awaitable):
    try:
        awaitable.send(None)
    except StopIteration as stop:
        return stop.value


def suspended():
    created = numbers_generator(3)
    started = numbers_generator(3)
    next(started)
    deeper = delegating(4)
    next(deeper)
    next(deeper)
    finished = numbers_generator(1)
    for _ in finished:
        pass
    expression = (x * 2 for x in [1, 2, 3])
    next(expression)
    coroutine = outer_coroutine("arg")
    step(coroutine)
    coroutine_new = outer_coroutine("new")
    agen_new = async_numbers(3)
    agen = async_numbers(3)
    first = step(agen.__anext__())
    hold()
    coroutine.close()
    coroutine_new.close()
    return locals()


# -- frames ---------------------------------------------------------------


def arguments(a, b=2, *args, c, d="d", **kwargs):
    local = a, b
    hold()
    return local, args, c, d, kwargs


def cells(argument, plain):
    local = [argument]
    late = None
    del late

    def inner(own):
        nonlocal local
        seen = (argument, own)
        hold()
        return late, seen

    local.append(plain)
    return inner("own")


def unset_locals(flag):
    set_before = 1
    deleted = 2
    del deleted
    if flag:
        never = 3
    for loop in ():
        pass
    try:
        raise KeyError("gone after the handler")
    except KeyError as error:
        text = str(error)
    with_value = (lambda: text)()
    hold()
    set_after = set_before
    return never, loop, set_after, with_value


def consume():
    total = 0
    for value in producing("p"):
        total += value
    return total


def producing(prefix):
    yield from producing_inner(prefix + "q")


def producing_inner(prefix):
    count = len(prefix)
    hold()
    yield count


def key_function(item):
    doubled = item * 2
    if item == 3:
        hold()
    return -doubled


def sorting():
    items = [5, 3, 8]
    result = sorted(items, key=key_function)
    return result


def mapping_callback():
    bound = functools.partial(arguments, 1, c="partial")
    return list(map(bound, ["x", "y"]))


def class_body():
    outside = "outside"

    class Body:
        attribute = [1]
        copied = outside

        def method(self):
            return self.attribute

        hold()

    return Body


def comprehensions():
    rows = [[1, 2], [3]]
    return [
        {cell: hold() if cell == 3 else index for cell in row}
        for index, row in enumerate(rows)
    ]


def generator_expression():
    base = "base"
    return sum(len(base) + (hold() or 0) for _ in range(2))


class Hooks:
    def __init__(self):
        self.entered = False

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, kind, value, trace):
        hold(value)
        return True

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        asked = name
        hold()
        return asked

    def __iter__(self):
        return self

    def __next__(self):
        hold()
        raise StopIteration


def attribute_hook():
    hooks = Hooks()
    return hooks.whatever


def iteration_hook():
    for _ in Hooks():
        pass


def exit_hook():
    with Hooks() as hooks:
        note = "about to fail"
        raise CustomError(note, hooks.entered)


def failing(depth):
    mark = "depth %d" % depth
    if depth:
        return failing(depth - 1)
    return {}[mark]


def handler():
    try:
        try:
            failing(3)
        except KeyError as error:
            raise CustomError("wrapped", 42) from error
    except CustomError as caught:
        try:
            int("no number")
        except ValueError as second:
            hold(second)
    return "done"


def implicit_context():
    try:
        try:
            failing(0)
        finally:
            [].pop()
    except IndexError as error:
        note = "context, no cause"
        hold(error)
        return note


def finally_block():
    try:
        raise_system_errors()
    finally:
        in_finally = True
        hold(sys.exc_info()[1])
        del in_finally


def raise_system_errors():
    try:
        raise OSError(2, "no file", "a name")
    except OSError as error:
        error.added = "attribute"
        raise RuntimeError("from none") from None


def recursion(depth):
    if depth == 0:
        hold()
        return 0
    return recursion(depth - 1) + 1


def many_locals():
    a00 = a01 = a02 = a03 = a04 = a05 = a06 = a07 = a08 = a09 = "many"
    b00 = b01 = b02 = b03 = b04 = b05 = b06 = b07 = b08 = b09 = ["alias"]
    hold()
    return a00, a01, a02, a03, a04, a05, a06, a07, a08, a09, b00 is b09, (
        b01,
        b02,
        b03,
        b04,
        b05,
        b06,
        b07,
        b08,
    )


def long_expression():
    table = {"a": {"b": [1, 2, 3]}}
    return (
        table["a"]["b"][0]
        + len(
            [
                table,
                hold() or 1,
            ]
        )
        + 5
    )


def coroutine_thread():
    async def innermost():
        local = "await"
        hold()
        return local

    async def middle(value):
        return await innermost(), value

    return step(middle([1]))


def direct():
    """Blocks in its own frame, not in hold()."""
    value = {"direct": True}
    arrive()
    GATE.acquire()  # BLOCK
    GATE.release()
    return value


# Text that lives in linecache only, a module body, and what old Pythons
# cannot parse.
MODULE_TEXT = """\
import sys
module_list = [1, 2, 3]
def module_function(x):
    in_function = x
    hold()
    return in_function
class ModuleClass:
    attribute = module_list
result = module_function(module_list)
"""
POSONLY_TEXT = """\
def positional(a, b, /, c, *, d):
    inside = a, b
    hold()
    return inside, c, d
"""


def module_body():
    name = "<module in linecache>"
    lines = MODULE_TEXT.splitlines(True)
    linecache.cache[name] = len(MODULE_TEXT), None, lines, name
    namespace = {"__name__": "in_memory", "hold": hold}
    exec(compile(MODULE_TEXT, name, "exec"), namespace)


def positional_only():
    if sys.version_info < (3, 8):
        return hold()
    name = "<positional only>"
    lines = POSONLY_TEXT.splitlines(True)
    linecache.cache[name] = len(POSONLY_TEXT), None, lines, name
    namespace = {"__name__": "__main__", "hold": hold}
    exec(compile(POSONLY_TEXT, name, "exec"), namespace)
    return namespace["positional"](1, [2], 3, d="kw")


def exec_with_locals():
    space = {"seen": 1}
    exec("here = [seen]\nhold()", {"hold": hold, "__name__": "x"}, space)


SHARED = {"shared": ["by", "threads"]}


def sharing(own):
    everyone = SHARED
    hold()
    return everyone, own


THREADS = [
    ("numbers", numbers, ()),
    ("strings", strings, ()),
    ("containers", containers, ()),
    ("instances", instances, ()),
    ("callables", callables, ()),
    ("suspended", suspended, ()),
    ("arguments", functools.partial(arguments, "a", c=3, z=26), (1, 2, 3)),
    ("cells", cells, ("arg", "plain")),
    ("unset locals", unset_locals, (False,)),
    ("consume", consume, ()),
    ("sorting", sorting, ()),
    ("map", mapping_callback, ()),
    ("class body", class_body, ()),
    ("comprehensions", comprehensions, ()),
    ("generator expression", generator_expression, ()),
    ("getattr", attribute_hook, ()),
    ("next", iteration_hook, ()),
    ("exit", exit_hook, ()),
    ("handler", handler, ()),
    ("implicit context", implicit_context, ()),
    ("finally", finally_block, ()),
    ("recursion", recursion, (60,)),
    ("many locals", many_locals, ()),
    ("long expression", long_expression, ()),
    ("coroutine", coroutine_thread, ()),
    ("direct", direct, ()),
    ("module body", module_body, ()),
    ("positional only", positional_only, ()),
    ("exec", exec_with_locals, ()),
    ("sharing 1", sharing, (1,)),
    ("sharing 2", sharing, (2,)),
    ("n\u00e4me \u20ac \U0001f40d", recursion, (1,)),
]
NOT_DAEMON = {"sharing 1", "cells"}


# -- the truth -------------------------------------------------------------


def columns(frame):
    """end line, first and last column of the instruction, from 3.11 on."""
    positions = getattr(frame.f_code, "co_positions", None)
    if positions is None:
        return None
    _, end_line, col, end_col = list(positions())[frame.f_lasti // 2]
    return [end_line, col, end_col]


def tell_frame(frame):
    code = frame.f_code
    scope = "function"
    values = {}
    if frame.f_locals is frame.f_globals:
        scope = "module"
        values = {k: v for k, v in frame.f_globals.items() if k.startswith("module_")}
    elif not code.co_flags & 1:  # CO_OPTIMIZED
        scope = "namespace"
        values = dict(frame.f_locals)
    else:
        values = dict(frame.f_locals)
    return {
        "name": code.co_name,
        "qualname": getattr(code, "co_qualname", None),
        "file": code.co_filename,
        "line": frame.f_lineno,
        "columns": columns(frame),
        "firstlineno": code.co_firstlineno,
        "scope": scope,
        # Each one has a numbering of its own: one wrong value, one message.
        "locals": {k: Canon().of(v) for k, v in values.items()},
        "ids": {k: id(v) for k, v in values.items()},
    }


def tell_thread(ident, frame):
    info = threading._active.get(ident)
    told = {
        "ident": ident,
        "native_id": NATIVE.get(ident),
        "name": info.name if info else None,
        "daemon": info.daemon if info else None,
        "thread": id(info) if info else 0,
        "handled": [Canon().of(e) for e in HANDLED.get(ident, ())],
        "teller": ident in TELLER,
        "main": ident == threading.main_thread().ident,
        "frames": [],
    }
    while frame is not None and not told["teller"]:
        told["frames"].append(tell_frame(frame))
        frame = frame.f_back
    return told


def blocked(frames, lines):
    """Every thread that is awaited stands on a line marked BLOCK."""
    if len(ARRIVED) < len(THREADS) + 2:
        return None
    state = []
    for ident, frame in sorted(frames.items()):
        if ident in TELLER:
            continue
        if frame.f_lineno not in lines or frame.f_code.co_filename != __file__:
            return None
        state.append((ident, frame.f_lasti))
    return state


def wait_until_blocked():
    """Until nothing moved over several of our own time slices."""
    with open(__file__, encoding="utf-8") as source:
        lines = {n for n, text in enumerate(source, 1) if "# BLOCK" in text}
    last, same = None, 0
    untouched = "--untouched" in sys.argv
    while same < (15 if untouched else 3):
        if untouched:
            # No frame objects: arrival is all there is, then a while.
            state = len(ARRIVED) >= len(THREADS) + 2 or None
        else:
            state = blocked(sys._current_frames(), lines)
        same = same + 1 if state is not None and state == last else 0
        last = state
        time.sleep(0.02)


def tell():
    threads = [
        tell_thread(ident, frame) for ident, frame in sys._current_frames().items()
    ]
    threads.sort(key=lambda told: (not told["main"], told["ident"]))
    return {
        "version": list(sys.version_info[:3]),
        "hex": sys.hexversion,
        "pid": os.getpid(),
        "file": __file__,
        "debug": hasattr(sys, "gettotalrefcount"),
        "threads": threads,
    }


def digest(told):
    """What must be the same before and after a dump."""
    return json.dumps(told["threads"], sort_keys=True)


def teller():
    try:
        tell_and_obey()
    except BaseException:
        traceback.print_exc()
        os._exit(3)


def tell_and_obey():
    TELLER.append(threading.get_ident())
    wait_until_blocked()
    untouched = "--untouched" in sys.argv
    truth = {"pid": os.getpid()} if untouched else tell()
    print(json.dumps(truth), flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command == "check":
            same = untouched or digest(tell()) == digest(truth)
            print("same" if same else "changed", flush=True)
        elif command == "exit":
            break
    GATE.release()


def main(argument="main argument"):
    started = []
    # The canonicaliser recurses.
    sys.setrecursionlimit(20000)
    GATE.acquire()
    for name, function, args in THREADS:
        thread = threading.Thread(target=function, args=args, name=name)
        thread.daemon = name not in NOT_DAEMON
        thread.start()
        started.append(thread.name)
    # One that the threading module does not know.
    _thread.start_new_thread(recursion, (2,))
    threading.stack_size(64 << 20)
    threading.Thread(target=teller, name="teller", daemon=True).start()
    threading.stack_size(0)
    arrive()
    GATE.acquire()  # BLOCK
    GATE.release()
    # A daemon thread that still prints when the interpreter ends aborts it.
    for thread in threading.enumerate():
        if thread.name != "teller" and thread is not threading.main_thread():
            thread.join()
    return argument, len(started)


if __name__ == "__main__":
    main()
    print("bye", flush=True)
