# SPDX-License-Identifier: Apache-2.0
"""Dumps whose references, kinds and types were changed at random: whatever
comes out can be looked at, and nothing but the loader's own errors come."""

import random
import traceback

import pydumpd
import pytest
from dumpwriter import Writer
from pydumpd import records, render
from pydumpd.views import Views
from test_files import lying
from test_instances import AppError, Color, Derived, DictLike, IntLike, ListLike, Point, Slotted

FINE = (AttributeError, ValueError, pydumpd.NotDumpedError)


def sample():
    """One of everything."""
    w = Writer(batch=150)
    obj = Derived()
    obj.parts = [Slotted(), DictLike(a=1), ListLike([2]), IntLike(3), Point(4, 5), Color.RED]
    obj.more = {"f": obj.method, "s": {1, (2, frozenset({3}))}, "t": (slice(1), range(2), b"x")}
    try:
        raise AppError(obj)
    except AppError as e:
        error = e
    error.__traceback__ = None
    here = {"obj": obj, "error": error, "list": [obj, [1.5, 2j, None]], "cls": Derived}
    w.thread(
        [w.frame("f%d" % i, variables=here, globals=here, locals=i % 2 and w.add(here))
         for i in range(6)],
        exceptions=[{"role": "raised", "value": w.add(error), "type": 0, "traceback": 0}],
    )  # fmt: skip
    return w


def mutation(rng):
    def mutate(frame):
        if frame["kind"] != "objects":
            return frame
        often = ["refs", "node", "type", "values", "shape"] * 2
        for name in rng.sample([*often, "addr", "nrefs", "nattrs", "vlen"], 2):
            column = bytearray(frame[name])
            for _ in range(rng.choice([1, 5, 60]) if column else 0):
                i = rng.randrange(len(column))
                if name == "node":
                    column[i] = rng.randrange(42)
                elif name == "refs":
                    # Shuffled: the k-th bytes of all elements stand together.
                    n = len(column) // 8
                    a, b = rng.randrange(n), rng.randrange(n)
                    column[a::n] = column[b::n]
                else:
                    column[i] ^= 1 << rng.randrange(8)
            frame[name] = bytes(column)
        return frame

    return mutate


def look(obj, rng):
    """Does what people do with an object."""
    repr(obj)
    render.pretty(obj)
    names = dir(obj)
    for name in rng.sample(names, min(len(names), 8)):
        try:
            repr(getattr(obj, name))
        except FINE:
            pass
    if isinstance(obj, BaseException):
        try:
            traceback.format_exception(type(obj), obj, obj.__traceback__)
        except pydumpd.NotDumpedError:
            pass


@pytest.mark.parametrize("seed", range(30))
def test_mutated(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    if seed % 2:  # as where many objects are asked for
        for name in ("_LOOKS", "_RECORDS", "_REFERRED"):
            monkeypatch.setattr(records, name, 3)
    path = tmp_path / "d"
    path.write_bytes(lying(sample(), mutation(rng)))
    dump = pydumpd.open(str(path), budget=300)
    views = Views(dump)
    for thread in dump.threads:
        shown = views.of_thread(thread)
        assert len(shown.stack) == 6
        traceback.format_tb(shown.traceback)
        for entry in thread.exceptions:
            views.of_exception(thread, entry)
        for frame in thread.frames:
            for name in frame.locals:
                look(frame.locals[name], rng)
    addresses = list(dump.file.addresses())
    for at in rng.sample(addresses, min(len(addresses), 400)):
        look(dump.object(at), rng)
