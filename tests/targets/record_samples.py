# SPDX-License-Identifier: Apache-2.0
"""Objects of many C types, and what their fields must be.

For record_facts.py. It must run on every version, so that it uses no new
syntax.
"""

import ctypes
import io
import os
import struct
import sys
import threading


class Absent(object):
    """A NULL on the way, or a condition that is not met."""

    def __repr__(self):
        return "ABSENT"


ABSENT = Absent()


class Same(object):
    """An expected object, which must be the very same."""

    def __init__(self, obj):
        self.obj = obj

    def __repr__(self):
        return "the object %r" % (self.obj,)


def samples(m):
    """Objects with what their fields must be, and what keeps them alive."""
    import collections
    import contextvars
    import datetime
    import functools
    import itertools
    import operator
    import re
    import select
    import socket
    import tempfile
    import types

    new = sys.version_info >= (3, 13)
    facts, keep = [], []

    def fact(_sample, **expected):
        facts.append((_sample, expected))
        keep.append(_sample)
        return _sample

    def same(**objects):
        return dict((k, Same(v)) for k, v in objects.items())

    # datetime
    fact(datetime.date(2024, 2, 29), year=2024, month=2, day=29)
    utc = datetime.timezone.utc
    zone = fact(datetime.timezone(datetime.timedelta(hours=2), "Zone"))
    facts[-1] = (zone, same(offset=zone.utcoffset(None), name=zone.tzname(None)))
    fact(datetime.datetime(2023, 12, 31, 23, 59, 58, 987654, tzinfo=utc, fold=1),
         year=2023, month=12, day=31, hour=23, minute=59, second=58,
         microsecond=987654, fold=1, tzinfo=Same(utc))
    fact(datetime.datetime(1, 1, 1), year=1, month=1, day=1, tzinfo=ABSENT, fold=0)
    fact(datetime.time(1, 2, 3, 4, tzinfo=zone), hour=1, minute=2, second=3,
         microsecond=4, fold=0, tzinfo=Same(zone))
    fact(datetime.time(23, 0), hour=23, minute=0, tzinfo=ABSENT)
    fact(datetime.timedelta(-3, 4, 5), days=-3, seconds=4, microseconds=5)
    # collections, functools
    fact(collections.deque([1, 2], 7), **{".maxlen": 7})
    deque = fact(collections.deque([1, 2, 3]), **{".maxlen": -1})
    it = iter(deque)
    next(it)
    fact(it, deque=Same(deque), counter=2)
    fact(collections.defaultdict(list), default_factory=Same(list))
    od = fact(collections.OrderedDict([("a", 1), ("b", 2)]))
    fact(iter(od), odict=Same(od), size=2, current=Same("a"))
    fact(od.keys(), mapping=Same(od))
    fact(functools.partial(max, 1, key=len), func=Same(max), args=(1,), keywords={"key": len})

    def cached(x):
        return x

    lru = functools.lru_cache(maxsize=5, typed=True)(cached)
    lru(1)
    lru(1)
    lru("two")
    fact(lru, func=Same(cached), maxsize=5, typed=True, hits=1, misses=2)
    fact(functools.cmp_to_key(cached), cmp=Same(cached), obj=ABSENT)
    # decimal
    if "_decimal" in m:
        import decimal

        fact(decimal.Decimal("-12.50"), **{".flags": 49, ".exp": -2, ".digits": 4, ".len": 1})
        fact(decimal.Decimal(10) ** 40, **{".digits": 28, ".exp": 13})
        fact(decimal.Context(prec=7, Emin=-5, Emax=6, capitals=0, clamp=1,
                             rounding=decimal.ROUND_HALF_UP),
             prec=7, Emin=-5, Emax=6, capitals=0, clamp=1, round=4)
    # io
    bio = fact(io.BytesIO(b"hello world"), pos=3, value=b"hello world", exports=0)
    bio.seek(3)
    bio2 = fact(io.BytesIO(), value=b"abc")
    bio2.write(b"abcdef")
    bio2.truncate(3)
    sio = fact(io.StringIO("text\u20ac", newline=""), pos=2, closed=False,
               **{".string_size": 5, ".state": 1})
    sio.seek(2)
    acc = fact(io.StringIO(), **{".state": 2})
    acc.write("one")
    acc.write("two")
    path = tempfile.mkstemp()[1]
    raw = fact(open(path, "wb", 0), created=False, readable=False, writable=True,
               appending=False, closefd=True)
    facts[-1][1]["fd"] = raw.fileno()
    buffered = fact(open(path, "rb+", 5000), ok=True, detached=False, readable=True,
                    writable=True, buffer_size=5000, abs_pos=0)
    facts[-1][1].update(same(raw=buffered.raw))
    text = fact(open(path, "a", encoding="utf-8", errors="replace", buffering=1),
                line_buffering=True, write_through=False, encoding="utf-8",
                errors="replace", ok=True, chunk_size=8192, detached=False)
    facts[-1][1].update(same(buffer=text.buffer))
    r, w = os.pipe()
    pair = io.BufferedRWPair(open(r, "rb", 0), open(w, "wb", 0))
    fact(pair)
    os.unlink(path)
    # threads
    lock = fact(threading.Lock(), locked=True)
    lock.acquire()
    fact(threading.Lock(), locked=False)
    rlock = fact(threading.RLock(), owner=threading.get_ident())
    rlock.acquire()
    rlock.acquire()
    facts[-1][1].update({"level": 1} if sys.version_info >= (3, 14) else {"count": 2})
    local = fact(threading.local())
    local.x = 1
    if "_queue" in m:
        q = fact(m["_queue"].SimpleQueue())
        for i in range(5):
            q.put(i)
        q.get()
        if new:
            facts[-1][1].update({".buf_count": 4})
        else:
            facts[-1][1].update({".list_pos": 1})
    var = fact(contextvars.ContextVar("var", default=deque), name="var", default=Same(deque))
    token = fact(var.set(1), var=Same(var), used=False, old_value=ABSENT)
    fact(var.set(2), old_value=1)
    ctx = fact(contextvars.copy_context(), entered=False, prev=ABSENT)
    keep.append(ctx.keys())
    # re
    pattern = fact(re.compile("(?P<x>a)(b)?", re.I), pattern="(?P<x>a)(b)?", flags=34,
                   groups=2, groupindex={"x": 1}, isbytes=False)
    match = pattern.search("xxA")
    fact(match, string="xxA", re=Same(pattern), pos=0, endpos=3, lastindex=1,
         spans=[2, 3, 2, 3, -1, -1])
    fact(pattern.scanner("abab", 1), pattern=Same(pattern), string="abab", pos=1, endpos=4)
    # itertools, operator
    items = [1, 2, 3]
    it = iter(items)
    fact(itertools.islice(it, 1, 9, 2), it=Same(it), next=1, stop=9, step=2, cnt=0)
    fact(itertools.count(5), cnt=5, step=1)
    fact(itertools.count(5, 3), long_cnt=5, step=3)
    fact(itertools.repeat(items, 4), element=Same(items), cnt=4)
    cycle = fact(itertools.cycle([1, 2]), saved=[1])
    next(cycle)
    fact(itertools.chain(items, it), active=ABSENT)
    group = fact(itertools.groupby([1, 1], len), keyfunc=Same(len), currkey=ABSENT)
    perm = fact(itertools.permutations("abc", 2), pool=("a", "b", "c"), r=2,
                indices=[0, 2, 1], cycles=[3, 1], stopped=False, result=("a", "c"))
    next(perm)
    next(perm)
    fact(itertools.combinations("abc", 2), pool=("a", "b", "c"), r=2, indices=[0, 1],
         result=ABSENT)
    fact(itertools.combinations_with_replacement("abc", 2), indices=[0, 0], r=2)
    prod = fact(itertools.product("ab", [1, 2]), indices=[0, 1], stopped=False,
                pools=(("a", "b"), (1, 2)))
    next(prod)
    next(prod)
    acc = fact(itertools.accumulate([1, 2, 3]), total=3, binop=ABSENT)
    next(acc)
    next(acc)
    fact(itertools.compress("ab", [1]))
    fact(itertools.starmap(len, it), func=Same(len), it=Same(it))
    fact(itertools.takewhile(len, it), func=Same(len), it=Same(it), stop=0)
    fact(itertools.dropwhile(len, it), func=Same(len), it=Same(it), start=0)
    fact(itertools.filterfalse(len, it), func=Same(len), it=Same(it))
    fact(itertools.zip_longest("a", [1], fillvalue=items), numactive=2, fillvalue=Same(items))
    one, two = itertools.tee(it)
    next(one)
    fact(one, index=1)
    fact(operator.itemgetter(3), nitems=1, item=3)
    fact(operator.attrgetter("a.b", "c"), nattrs=2, attr=(("a", "b"), "c"))
    fact(operator.methodcaller("go", 1, x=2), name="go", kwds={"x": 2})
    # built-in iterators and views
    it2 = fact(iter(items), seq=Same(items), index=1)
    next(it2)
    fact(reversed(items), seq=Same(items), index=2)
    gone = fact(iter([]), seq=ABSENT)
    list(gone)
    fact(iter((1, 2)), seq=(1, 2), index=0)
    fact(iter("\u20ac"), seq="\u20ac", index=0)
    fact(iter("a"), seq="a")
    fact(iter(b"ab"), seq=b"ab", index=0)
    fact(iter(bytearray(b"ab")), seq=bytearray(b"ab"), index=0)
    ri = fact(iter(range(3, 30, 4)), step=4)
    next(ri)
    if sys.version_info >= (3, 12):
        facts[-1][1].update(start=7, len=6)
    else:
        facts[-1][1].update(start=3, len=7, index=1)
    fact(iter(range(0, 2 ** 70, 3)), start=0, step=3)
    aset, adict = {1, 2}, {"k": 1, "l": 2}
    fact(iter(aset), set=Same(aset), used=2, len=2)
    fact(iter(adict), dict=Same(adict), used=2, len=2, pos=0)
    fact(iter(adict.items()), dict=Same(adict))
    fact(iter(adict.values()), dict=Same(adict))
    fact(adict.keys(), mapping=Same(adict))
    fact(adict.values(), mapping=Same(adict))
    fact(adict.items(), mapping=Same(adict))
    if sys.version_info >= (3, 8):
        fact(reversed(adict), dict=Same(adict), pos=1)
    fact(iter(len, 3), callable=Same(len), sentinel=3)

    class Old(object):
        def __getitem__(self, i):
            return i

        def __len__(self):
            return 3

    old = Old()
    fact(iter(old), seq=Same(old), index=0)
    fact(reversed(old), seq=Same(old), index=2)
    en = fact(enumerate(it, 5), index=5, sit=Same(it), longindex=ABSENT)
    fact(map(len, it), func=Same(len), iters=(it,))
    fact(filter(len, it), func=Same(len), it=Same(it))
    fact(zip(it), ittuple=(it,))
    # memory
    grid = (ctypes.c_int16 * 3 * 2)()
    fact(memoryview(grid), **{
        ".nbytes": 12, ".itemsize": 2, ".readonly": False, ".ndim": 2, ".obj": Same(grid),
        ".buf": ctypes.addressof(grid), ".flags": 2, ".mbuf_flags": 0, "c_contiguous": True})
    fact(memoryview(b"abcdef")[::2], c_contiguous=False, f_contiguous=False, **{
        ".nbytes": 3, ".itemsize": 1, ".ndim": 1, ".readonly": True, ".flags": 0})
    fact(grid, size=12, length=2, data=bytes(12), base=ABSENT)
    num = fact(ctypes.c_int(77), size=4, data=b"M\0\0\0")
    pointer = fact(ctypes.pointer(num), size=8, target=ctypes.addressof(num))

    class Pair(ctypes.Structure):
        _fields_ = [("a", ctypes.c_int8), ("b", ctypes.c_int32)]

    inner = Pair(1, 2)
    fact(inner, size=8, length=2, needsfree=True)
    fact(Pair.b, offset=4, size=4, index=1)
    fact(ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1))
    array = __import__("array").array
    fact(array("d", [1.5, 2.5]), typecode="d", itemsize=8, exports=0)
    if "mmap" in m:
        mm = fact(m["mmap"].mmap(-1, 8192), size=8192, pos=5, fd=-1, exports=0)
        mm.seek(5)
    st = __import__("struct").Struct("<ih")
    fact(st, size=6)
    rnd = fact(__import__("random").Random(3))
    facts[-1][1].update(index=rnd.getstate()[1][-1],
                        state=struct.pack("624I", *rnd.getstate()[1][:-1]))
    # types
    fact(types.SimpleNamespace(a=1))
    if sys.version_info >= (3, 9):
        fact(list[int], origin=Same(list), args=(int,))
    if sys.version_info >= (3, 10):
        fact(int | str, args=(int, str))
        fact(itertools.pairwise(it), it=Same(it))
    import typing

    if sys.version_info >= (3, 12):
        fact(typing.TypeVar("T", covariant=True), name="T", covariant=True,
             contravariant=False)
        fact(typing.ParamSpec("P"), name="P")
        fact(typing.TypeVarTuple("Ts"), name="Ts")
        fact(typing.TypeAliasType("A", list), name="A", value=Same(list))
        fact(itertools.batched(it, 2), it=Same(it), batch_size=2)
    # asyncio
    import asyncio

    loop = asyncio.new_event_loop()
    keep.append(loop)
    future = loop.create_future()
    fact(future, state=0, loop=Same(loop), result=ABSENT, callback0=Same(len),
         log_traceback=False, blocking=False)
    future.add_done_callback(len)
    done = loop.create_future()
    done.set_result(items)
    fact(done, state=2, result=Same(items))
    failed = loop.create_future()
    failed.set_exception(KeyError("x"))
    fact(failed, state=2, exception=Same(failed._exception), log_traceback=True)

    async def waits():
        await future

    coro = waits()
    task = loop.create_task(coro)
    loop.call_soon(loop.stop)
    loop.run_forever()
    fact(task, state=0, coro=Same(coro), fut_waiter=Same(future), must_cancel=False,
         loop=Same(loop))
    fact(future.__iter__(), future=Same(future))
    # system
    a, b = socket.socketpair()
    keep += [a, b]
    a.settimeout(2.5)
    fact(a, fd=a.fileno(), family=int(a.family), type=int(a.type), proto=a.proto,
         timeout_ns=2500000000)
    poll = fact(select.poll(), registered={a.fileno(): 1})
    poll.register(a, 1)
    epoll = fact(select.epoll())
    facts[-1][1]["fd"] = epoll.fileno()
    entry = next(iter(os.scandir("/")))
    fact(entry, name=entry.name, path=entry.path, inode=entry.inode())
    fact(os.scandir("/"), path="/")
    if "_ssl" in m:
        import ssl

        context = fact(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), check_hostname=True,
                       protocol=int(ssl.PROTOCOL_TLS_CLIENT))
        sock = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="host")
        fact(sock._sslobj, context=Same(context), server_hostname="host", server_side=False)
    if "_multiprocessing" in m and hasattr(m["_multiprocessing"], "SemLock"):
        import multiprocessing

        try:
            sem = multiprocessing.BoundedSemaphore(4)
        except OSError:
            pass
        else:
            sem.acquire()
            fact(sem._semlock, kind=1, maxvalue=4, count=1, value=3)
    # data formats
    import csv
    import json as json_
    import pickle

    fact(csv.reader(it, delimiter=";", quoting=csv.QUOTE_NONE), input_iter=Same(it),
         line_num=0)
    fact(csv.reader([], delimiter=";", strict=True).dialect, delimiter_code=ord(";"),
         quotechar_code=ord('"'), lineterminator="\r\n", quoting=0,
         skipinitialspace=type(csv.reader([]).dialect.strict)(0),
         strict=type(csv.reader([]).dialect.strict)(1))
    sink = io.StringIO()
    writer = fact(csv.writer(sink))
    keep.append(sink)
    decoder = json_.JSONDecoder(object_hook=dict)
    if getattr(json_.decoder.scanner, "c_make_scanner", None):
        fact(decoder.scan_once, strict=True, object_hook=Same(dict))
        encoder = json_.encoder.c_make_encoder(
            {}, len, json_.encoder.encode_basestring_ascii, None, ":", ",", True, False, True)
        fact(encoder, markers={}, default=Same(len), key_separator=":", item_separator=",",
             sort_keys=True, skipkeys=False, allow_nan=True)
    out = io.BytesIO()
    fact(pickle.Pickler(out, 2, fix_imports=False), proto=2, fix_imports=False, bin=True)
    fact(pickle.Unpickler(io.BytesIO(b"."), encoding="latin1", errors="ignore"),
         encoding="latin1", errors="ignore", fix_imports=True)
    import unicodedata

    fact(unicodedata.ucd_3_2_0, unidata_version="3.2.0")
    if "xml.etree.ElementTree" in m:
        tree = m["xml.etree.ElementTree"].XML("<a x='1'><b/><c/>tail</a>")
        fact(tree, tag="a", attrib={"x": "1"}, **{
            ".length": 2, ".text": id(None), ".tail": id(None)})
        fact(tree[0], tag="b", attrib=ABSENT, **{".children": ABSENT})
        builder = fact(m["xml.etree.ElementTree"].TreeBuilder())
        fact(m["xml.etree.ElementTree"].XMLParser(target=builder), target=Same(builder))
    if "pyexpat" in m:
        parser = m["pyexpat"].ParserCreate()
        parser.buffer_size = 4321
        parser.ordered_attributes = True
        parser.EndElementHandler = len
        parser.SkippedEntityHandler = max
        fact(parser, buffer_size=4321, ordered_attributes=True, specified_attributes=False,
             StartElementHandler=ABSENT, EndElementHandler=Same(len),
             SkippedEntityHandler=Same(max))
    # sqlite3
    if "_sqlite3" in m:
        import sqlite3

        db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level="DEFERRED",
                             detect_types=3)
        fact(db, isolation_level="DEFERRED", check_same_thread=False, detect_types=3,
             initialized=True, thread_ident=threading.get_ident())
        db.row_factory = sqlite3.Row
        cursor = db.execute("select 1 as x union select 2")
        fact(cursor, connection=Same(db), arraysize=1, rowcount=-1, closed=False,
             row_factory=Same(sqlite3.Row))
        fact(cursor.fetchone(), data=(1,))
    # compression, hashes, zones
    if "zlib" in m:
        comp = m["zlib"].decompressobj()
        comp.decompress(m["zlib"].compress(b"x" * 100) + b"rest")
        fact(comp, unused_data=b"rest", eof=True, total_out=100)
    if "_bz2" in m:
        comp = m["_bz2"].BZ2Decompressor()
        fact(comp, needs_input=True, unused_data=b"")
        fact(m["_bz2"].BZ2Compressor(), flushed=False)
    if "_lzma" in m:
        fact(m["_lzma"].LZMADecompressor(), eof=False, needs_input=True, unused_data=b"")
        fact(m["_lzma"].LZMACompressor(), flushed=False)
    hashlib = m.get("hashlib")
    for name in ("_md5", "_sha1", "_sha256", "_sha512", "_sha2", "_sha3", "_blake2"):
        if name in m:
            for what in sorted(dir(m[name])):
                made = getattr(m[name], what)
                if not what.startswith("_") and callable(made) and what[0].islower():
                    obj = made()
                    fact(obj)
                    if name in ("_sha256", "_sha512", "_sha2"):
                        facts[-1][1]["digest_size"] = obj.digest_size
    if "_blake2" in m:
        fact(m["_blake2"].blake2b(digest_size=20, key=b"k"), digest_size=20)
        fact(m["_blake2"].blake2s(digest_size=21), digest_size=21)
    if "_hashlib" in m:
        fact(hashlib.sha256())
        import hmac

        keep.append(hmac.new(b"k", b"m", "sha256"))
    if "zoneinfo" in m:
        try:
            zone = m["zoneinfo"].ZoneInfo("Europe/Vienna")
        except Exception:
            pass
        else:
            fact(zone, key="Europe/Vienna", fixed_offset=False)
    # leftovers
    fact(datetime.datetime_CAPI, name="datetime.datetime_CAPI")
    fact(sys.__stderr__)

    class Abstract(__import__("abc").ABC):
        pass

    fact(Abstract._abc_impl, registry=ABSENT)
    if sys.version_info >= (3, 13):
        fact(sys._getframe().f_locals, frame=Same(sys._getframe()))

    async def agen():
        yield 1

    gen = agen()
    fact(gen.__anext__(), gen=Same(gen), state=0, sendval=ABSENT)
    fact(gen.athrow(KeyError), gen=Same(gen), state=0)
    if sys.version_info >= (3, 10):
        code = samples.__code__
        fact(code.co_lines(), code=Same(code))
    if sys.version_info >= (3, 11):
        fact(code.co_positions(), code=Same(code))
    if "string.templatelib" in m:
        template = eval('t"a{items!r:>3}b"')
        fact(template, strings=("a", "b"))
        fact(template.interpolations[0], value=Same(items), expression="items",
             conversion="r", format_spec=">3")
    try:
        b"\xff".decode("ascii")
    except UnicodeDecodeError as exc:
        fact(exc, start=0, end=1)
    return (keep, task, gen, match, token, group, en, pointer, writer, var), facts
