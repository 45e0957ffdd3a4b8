# SPDX-License-Identifier: Apache-2.0
"""Sockets, rows, capsules, thread-local values, handles of a loop."""

import socket

import pydumpd
import pytest
from dumpwriter import DICT, SLOT, At, Remote


def sock(w, closed=False, **changed):
    raw = w.c_type("_socket.socket")
    cls = w.c_type("socket.socket", [raw])
    fields = {"fd": 5, "family": 2, "type": 1, "proto": 6, "timeout_ns": 2500000000}
    return w.record(cls, {**fields, **changed}, attrs=[(SLOT, "_closed", w.add(closed))])


def test_sockets(w, load):
    plain = w.record("_socket.socket", {"fd": 4, "family": 2, "type": 2, "proto": 0,
                                        "timeout_ns": -1000000000})  # fmt: skip
    known, other = sock(w), sock(w, family=2345, type=99, fd=6)
    closed = sock(w, True, fd=-1)
    dump = load(w)
    entry = pydumpd.dump.FileDescriptor(
        5, "socket:[1]", None, None, "AF_INET", "SOCK_STREAM", "ESTABLISHED", "127.0.0.1:80",
        "10.0.0.1:999",
    )  # fmt: skip
    dump._fds = {5: entry}
    got = dump.object(plain)
    assert repr(got) == "<socket object, fd=4, family=2, type=2, proto=0>"
    assert got.gettimeout() is None and got.fileno() == 4
    got = dump.object(known)
    assert repr(got) == (
        "<socket.socket fd=5, family=2, type=1, proto=6, laddr=('127.0.0.1', 80), "
        "raddr=('10.0.0.1', 999)>"
    )
    assert got.family is socket.AF_INET and got.type is socket.SOCK_STREAM and got.timeout == 2.5
    assert got.getsockname() == ("127.0.0.1", 80) and got.getpeername() == ("10.0.0.1", 999)
    assert got.state == "ESTABLISHED"
    with pytest.raises(pydumpd.DumpCallError):
        got.recv(1)
    got = dump.object(other)
    assert got.family == 2345 and "laddr=<not dumped>" in repr(got)
    with pytest.raises(pydumpd.NotDumpedError):
        got.getpeername()
    shown = "<socket.socket [closed] fd=-1, family=2, type=1, proto=6>"
    assert repr(dump.object(closed)) == shown


def test_row_capsule_local(w, load):
    names = w.add((("a", None), ("B", None)))
    row = w.record("sqlite3.Row", {"data": At(w.add((1, "two"))), "description": At(names)})
    capsule = w.record("PyCapsule", {"name": "m.api", "pointer": Remote(0x1000)})
    bare = w.record("PyCapsule", {"pointer": Remote(0x1000)})
    one = w.record("_thread._local", {"dicts": At(w.add({1: {"value": [1]}}))})
    two = w.record("_thread._local", {"dicts": At(w.add({1: {"value": 1}, 2: {"value": 2}}))})
    dump = load(w)
    got = dump.object(row)
    assert tuple(got) == (1, "two") and got["b"] == "two" and got[0] == 1 and len(got) == 2
    assert got.keys() == ["a", "B"] and got == got
    with pytest.raises(IndexError):
        got["c"]
    assert repr(dump.object(capsule)) == '<capsule object "m.api" at %#x>' % capsule
    assert repr(dump.object(bare)) == "<capsule object NULL at %#x>" % bare
    assert dump.object(one).value == [1]
    with pytest.raises(AttributeError):  # it is another in each thread
        dump.object(two).value  # noqa: B018
    assert len(dump.object(two).dicts) == 2


def test_handles(w, load):
    base = w.type_node("Handle", "asyncio.events", [w.add(object)])
    timer = w.type_node("TimerHandle", "asyncio.events", [base])
    own = {"_callback": len, "_args": ("abc",), "_cancelled": False, "_repr": None, "_when": 2.5}
    at = w.node("object", type=timer, attrs=[(DICT, "__dict__", w.add(own))])
    gone = {**own, "_cancelled": True, "_callback": None, "_args": None}
    off = w.node("object", type=base, attrs=[(DICT, "__dict__", w.add(gone))])
    dump = load(w)
    got = dump.object(at)
    assert repr(got) == "<TimerHandle when=2.5 len('abc')>" and got.when() == 2.5
    assert repr(dump.object(off)) == "<Handle cancelled>" and dump.object(off).cancelled()


def test_arrays_that_are_not_real_here(w, load):
    text = "a\U0001f40d".encode("utf-32-le")
    wide = w.record("array.array", {"typecode": "w", "itemsize": 4, "data": text})
    other = w.record("array.array", {"typecode": "l", "itemsize": 4, "data": b"\xff" * 8})
    bad = w.record("array.array", {"typecode": "u", "itemsize": 4, "data": b"\xff" * 4})
    dump = load(w)
    got = dump.object(wide)
    assert list(got) == ["a", "\U0001f40d"] and len(got) == 2 and got.tobytes() == text
    assert repr(got) == "array('w', 'a\U0001f40d')"
    got = dump.object(other)
    assert list(got) == [-1, -1] and repr(got) == "array('l', [-1, -1])"
    assert repr(dump.object(bad)).startswith("array.array(typecode='u'")
