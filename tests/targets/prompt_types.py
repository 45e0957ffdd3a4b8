# SPDX-License-Identifier: Apache-2.0
"""Objects of the standard library's types that are written in Python, and what
the program's own pdb shows of them: see prompt.py. Runs on Python 3.7 to 3.15.
"""

import argparse
import asyncio
import builtins
import collections
import concurrent.futures
import contextlib
import dataclasses
import email.message
import enum
import fractions
import functools
import ipaddress
import json
import logging
import os
import pathlib
import queue
import re
import selectors
import string
import struct
import subprocess
import sys
import tempfile
import threading
import time
import types
import typing
import uuid
import weakref

from prompt import tell

try:
    import attr
except ImportError:
    attr = None


class Users(collections.UserDict):
    kind = "users"


class Tally(collections.Counter):
    pass


class Point(collections.namedtuple("Point", "x y")):
    __slots__ = ()


class Typed(typing.NamedTuple):
    left: int
    right: str = "r"


class Renamed(collections.namedtuple("Renamed", "a b")):
    def __repr__(self):
        raise SystemExit("ran")


class Color(enum.Enum):
    RED = 1
    GREEN = "g"
    CRIMSON = 1


class Code(enum.IntEnum):
    OK = 200
    BAD = 400


class Perm(enum.Flag):
    R = 4
    W = 2
    X = 1


class Mode(enum.IntFlag):
    A = 1
    B = 2


class Named(str, enum.Enum):
    ONE = "one"


class Silent(enum.Enum):
    S = 1

    def __repr__(self):
        raise SystemExit("ran")


@dataclasses.dataclass
class Item:
    name: str
    price: float = 1.5
    hidden: str = dataclasses.field(default="s", repr=False)
    parts: list = dataclasses.field(default_factory=list)
    shared: typing.ClassVar[int] = 5


@dataclasses.dataclass(frozen=True)
class Frozen:
    at: int


@dataclasses.dataclass(repr=False)
class Quiet:
    at: int


@dataclasses.dataclass
class Custom:
    at: int

    def __repr__(self):
        raise SystemExit("ran")


@dataclasses.dataclass
class Child(Item):
    more: int = 0


class Cached:
    @functools.lru_cache(None)  # noqa: B019
    def f(self):
        return 1

    if hasattr(functools, "cached_property"):

        @functools.cached_property
        def known(self):
            return [1]

        @functools.cached_property
        def unknown(self):
            return [2]

    method = functools.partialmethod(print, 1, sep="")


class Empty:
    pass


class Thing:
    def __init__(self, n):
        self.n = n


T = typing.TypeVar("T")


class Box(typing.Generic[T]):
    def __init__(self, item):
        self.item = item


def run(commands):
    # -- collections
    chain = collections.ChainMap({"a": 1}, {"b": [2], "a": 0})
    users = Users(a=1, b=[2])
    userdict = collections.UserDict({"k": "v"})
    userlist, userstring = collections.UserList([3, 1]), collections.UserString("héllo")
    counts, tally = collections.Counter("abracadabra"), Tally(x=2)
    empty_counts = collections.Counter()
    point, typed, renamed = Point(1, [2]), Typed(5), Renamed(1, 2)
    # -- struct sequences
    stat, now, version, flags = os.stat("/"), time.gmtime(86400), sys.version_info, sys.flags
    terminal, float_info = os.terminal_size((80, 24)), sys.float_info
    # -- classes of fields
    item, frozen, twin_frozen, quiet = Item("pen", parts=[1]), Frozen(3), Frozen(3), Quiet(4)
    custom, child = Custom(5), Child("c", more=7)
    recursive = Item("me")
    recursive.parts.append(recursive)
    namespace = types.SimpleNamespace(b=1, a=[2])
    options = argparse.Namespace(verbose=True, files=["x"])
    if attr is not None:
        attrs_class = attr.make_class("Attrs", {"x": attr.ib(), "y": attr.ib(repr=False)})
        attrs = attrs_class(1, 2)
    # -- enums
    red, green, ok, named, silent = Color.RED, Color.GREEN, Code.OK, Named.ONE, Silent.S
    perm, perms, no_perm = Perm.R, Perm.R | Perm.W, Perm(0)
    mode, modes, no_mode = Mode.A, Mode.A | Mode.B, Mode(0)
    if hasattr(enum, "StrEnum"):
        word = enum.StrEnum("Word", {"HI": "hi"}).HI
    by_member = {Color.RED: "r", Code.OK: "o"}
    # -- values
    fraction, uid = fractions.Fraction(-3, 4), uuid.UUID(int=2**100 + 7)
    pure, pure_windows = (
        pathlib.PurePosixPath("/usr/../x.tar.gz"),
        pathlib.PureWindowsPath("C:/a/b"),
    )
    path, here, joined = pathlib.Path("/srv/data.txt"), pathlib.Path("."), pathlib.Path("a") / "b"
    parent, relative = path.parent, pathlib.PurePath("x//y/./z/")
    str(joined)
    ip4, ip6 = ipaddress.ip_address("10.1.2.3"), ipaddress.ip_address("fe80::1")
    net4, net6 = ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32")
    interface = ipaddress.ip_interface("192.168.1.7/24")
    template = string.Template("$a")
    # -- functools
    cached = Cached()
    if hasattr(functools, "cached_property"):
        cached.known  # noqa: B018
    partialmethod = vars(Cached)["method"]
    dispatch = functools.singledispatch(lambda x: x)
    # -- threads
    lock_condition, condition = threading.Condition(threading.Lock()), threading.Condition()
    event, event_set = threading.Event(), threading.Event()
    event_set.set()
    semaphore, bounded = threading.Semaphore(3), threading.BoundedSemaphore(2)
    barrier = threading.Barrier(2)
    thread, main = threading.Thread(target=print, name="idle"), threading.main_thread()
    worker = threading.Thread(target=event.wait, name="worker", daemon=True)
    worker.start()
    timer = threading.Timer(1000, print)
    local_queue, lifo, prio = queue.Queue(7), queue.LifoQueue(), queue.PriorityQueue()
    for q in (local_queue, lifo, prio):
        q.put(2)
        q.put(1)
    future, failed, pending = (concurrent.futures.Future() for _ in range(3))
    future.set_result(7)
    failed.set_exception(ValueError("v"))
    # -- weak references
    things = [Thing(i) for i in range(3)]
    weak_values = weakref.WeakValueDictionary((t.n, t) for t in things)
    weak_keys = weakref.WeakKeyDictionary((t, t.n) for t in things)
    weak_set = weakref.WeakSet(things)
    # -- asyncio
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    aevent, alock, asemaphore = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2)
    aevent.set()
    aqueue = asyncio.Queue(5)
    aqueue.put_nowait([1])
    # -- logging
    logger, root = logging.getLogger("app.db"), logging.getLogger()
    logger.setLevel(15)
    sublogger = logging.getLogger("app.db.pool")
    stream_handler = logging.StreamHandler(sys.stderr)
    file_handler = logging.FileHandler("/dev/null")
    null_handler = logging.NullHandler(logging.ERROR)
    record = logging.LogRecord("app", logging.WARNING, "/a.py", 7, "low %s: %d", ("disk", 5), None)
    formatter = logging.Formatter("%(message)s")
    # -- processes, selectors
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    selector = selectors.SelectSelector()
    key = selector.register(0, selectors.EVENT_READ, "data")
    # -- typing
    list_int, optional = typing.List[int], typing.Optional[str]
    callable_, union = typing.Callable[[int, str], bool], typing.Union[int, str, None]
    dict_any, any_, tuple_ = typing.Dict[str, typing.Any], typing.Any, typing.Tuple[int, ...]
    bare, forward, box = typing.List, typing.ForwardRef("Thing"), Box[int]
    var, list_var, typed_box = T, typing.List[T], Box("b")
    # -- email, environment, others
    message = email.message.Message()
    message["Subject"] = "hi"
    environ = os.environ
    stack = contextlib.ExitStack()
    spec = sys.modules["json"].__spec__
    frozen_map = getattr(builtins, "frozendict", dict)(a=1, b=[2])
    t_string = None
    if sys.version_info >= (3, 14):
        from string.templatelib import Interpolation, Template

        t_string = Template("a", Interpolation(3, "x", "r", ">3"), "", Interpolation([], "y"), "b")
    # Up to 3.10 it has a repr of its own, which is not run.
    re_flags = re.I | re.M if sys.version_info >= (3, 11) else 0
    proxy = types.MappingProxyType(collections.ChainMap({"a": 1}))
    fresh, appender, joiner, maker = Empty(), [].append, str.join, dict.fromkeys
    lengther = (5).__add__
    released, struct_form = memoryview(b"abc"), struct.Struct("<hq3s")
    released.release()
    no_module, temporary = sys.modules["io"], tempfile.TemporaryFile("w+b")  # noqa: SIM115
    import_error = ImportError("m", name="n", path="p")
    group = None
    if sys.version_info >= (3, 11):
        group = ExceptionGroup("g", [ValueError(1), KeyError("k")])  # noqa: F821
        group.add_note("n")
    tell(sys._getframe(), commands)
    sys.stdin.readline()
    event.set()
    return locals()


if __name__ == "__main__":
    run(json.loads(sys.stdin.readline()))
