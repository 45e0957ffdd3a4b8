# SPDX-License-Identifier: Apache-2.0
"""Records that lie: fields of any type and value, under every name that is
registered, harm nobody."""

import itertools
import random

import pydumpd
import pytest
from dumpwriter import At, Remote, Unsigned, Writer
from pydumpd import standard
from pydumpd.render import pretty, text

FIELDS = sorted({
    "year", "month", "day", "hour", "minute", "second", "microsecond", "fold", "tzinfo", "days",
    "seconds", "microseconds", "offset", "name", "text", "maxlen", "default_factory", "func",
    "args", "keywords", "maxsize", "hits", "misses", "cache", "typed", "index", "seq",
    "counter", "deque",
    "dict", "used", "pos", "len", "start", "stop", "step", "mapping", "it", "saved", "cnt",
    "long_cnt", "element", "next", "source", "active", "pools", "pool", "r", "indices", "cycles",
    "result", "stopped", "pattern", "flags", "groups", "groupindex", "string", "re", "spans",
    "lastindex", "value", "closed", "fd", "readable", "writable", "created", "appending", "closefd",
    "raw", "buffer", "abs_pos", "raw_pos", "read_end", "write_end", "detached", "encoding",
    "locked", "owner", "count", "level", "vars", "root", "var", "old_value", "state", "exception",
    "callback0", "callbacks", "coro", "fut_waiter", "num_cancels_requested", "must_cancel",
    "family", "type", "proto", "timeout_ns", "data", "description", "dicts", "prec", "round",
    "Emin", "Emax", "capitals", "clamp", "trap_bits", "status_bits", "typecode", "itemsize",
    "format", "size", "shape", "strides", "ndim", "obj", "address", "access", "tag", "attrib",
    "tail", "origin", "bound", "key", "released", "delimiter_code",
})  # fmt: skip


def any_value(rng, ats):
    return rng.choice([
        lambda: At(rng.choice(ats)), lambda: At(0), lambda: At(rng.randrange(1 << 40) * 4),
        lambda: rng.randrange(-(1 << 63), 1 << 63), lambda: rng.randrange(-3, 70),
        lambda: Unsigned(rng.randrange(1 << 64)), lambda: rng.random() * 1e308,
        lambda: rng.random() < 0.5, lambda: rng.choice(["", "a", "\ud800", "1e9999999", "%d"]),
        lambda: bytes(rng.randrange(256) for _ in range(rng.randrange(9))),
        lambda: tuple(rng.randrange(-9, 9) for _ in range(rng.randrange(5))),
        lambda: Remote(rng.randrange(1 << 48)),
    ])()  # fmt: skip


ASKED = [
    dir, len, bool, hash, lambda o: list(itertools.islice(iter(o), 200)),
    lambda o: o[0], lambda o: o == o, lambda o: o == 1, lambda o: o < o, lambda o: 3 in o,
]  # fmt: skip
METHODS = [
    "getvalue", "tell", "fileno", "group", "groups", "groupdict", "span", "locked", "result",
    "exception", "done", "get_name", "cache_info", "cache_contents", "getstate", "tolist",
    "tobytes", "keys", "items", "values", "qsize", "getsockname", "gettimeout", "isoformat",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_records_that_lie(tmp_path, seed):
    rng = random.Random(seed)
    w = Writer()
    ats = [w.add(v) for v in (None, 1, "s", b"b", [1], (1, 2), {"a": 1}, {1}, len, int, 2.5)]
    made = {}
    names = [n for n in sorted(standard.registry()) if not standard.registry()[n].python]
    # All of them in turn: each may refer to each.
    for name in names[seed::4]:
        at = w.fresh()
        ats.append(at)
        made[name] = at
    for name, at in made.items():
        fields = {f: any_value(rng, ats) for f in rng.sample(FIELDS, 40)}
        items = [rng.choice(ats) for _ in range(rng.randrange(5))]
        mark = rng.choice([None, None, ("torn", None, ""), ("truncated", 9, "field value")])
        kind = rng.choice(["record", "record", "mapping"])
        w.record(name, fields, items[: len(items) // 2 * 2], kind, mark=mark, addr=at)
    dump = pydumpd.open(w.write(tmp_path / "d.pydump"))
    for at in made.values():
        got = dump.object(at)
        assert isinstance(repr(got), str) and isinstance(text(got, 3000), str)
        assert isinstance(pretty([got]), str)
        for ask in ASKED:
            try:
                ask(got)
            except Exception:  # any, but an end
                pass
        for method in METHODS:
            try:
                getattr(got, method)()
            except Exception:
                pass
