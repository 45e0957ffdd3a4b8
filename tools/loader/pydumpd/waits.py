# SPDX-License-Identifier: Apache-2.0
"""What threads wait for: locks and who holds them, system calls, deadlocks."""

from typing import Any, Dict, List, NamedTuple, Optional


class SystemCall(NamedTuple):
    """The system call that a thread sat in."""

    #: None when the kernel had resumed it and nothing tells what it was
    number: Optional[int]
    name: str
    args: List[int]
    #: with its arguments in words
    text: str
    #: False when its arguments had to tell what it is
    sure: bool
    #: seconds until it ends by itself; None: it does not, or that is not known
    left: Optional[float]
    #: descriptor -> what it is, or None
    fds: Dict[int, Optional[str]]
    #: who outside of the process it waits for: "the end of process 7 (sleep)";
    #: None: nothing tells
    peers: Optional[str] = None


class Wait(NamedTuple):
    """What one thread of the process waits for. Numbers of threads are
    positions in `Waits.threads`: those of Python come first, in the order of
    `Dump.threads`."""

    #: position in `Dump.threads`; None: it runs no Python
    thread: Optional[int]
    native_id: Optional[int]
    os_name: Optional[str]
    syscall: Optional[SystemCall]
    #: "lock", "event", "queue", "gil", "syscall"... as doc/FORMAT.md has them
    wait: Optional[str]
    #: address of the object that it waits for, or 0
    object: int
    #: position in `Waits.locks`
    lock: Optional[int]
    #: the thread that it waits for
    on: Optional[int]
    #: whether it ends by a timeout
    timed: bool
    #: positions in `Waits.locks`
    holds: List[int]
    #: "waits for Lock x, held by ..."
    text: Optional[str]


class Lock(NamedTuple):
    """A lock that a thread waits for or is known to hold."""

    #: "lock", "rlock", "object", "mutex", "gil", "end", "other"
    kind: str
    #: its address, or 0 when it is no object
    object: int
    #: the word of memory that threads wait at
    word: int
    type: str
    #: how a person knows it
    name: Optional[str]
    locked: bool
    #: how often its owner holds it
    count: int
    #: position in `Waits.threads`; None: not known
    owner: Optional[int]
    #: more than one thread seems to hold it
    several: bool
    #: its owner is no thread of the process: it ended, or was left by a fork
    orphan: bool
    waiters: List[int]
    text: str


class Deadlock(NamedTuple):
    """Threads that wait for each other: each for the next, the last for the
    first."""

    threads: List[int]
    text: str


def _int(value: Any) -> Optional[int]:
    return value if type(value) is int else None


def _str(value: Any) -> Optional[str]:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else None


def _ints(value: Any) -> List[int]:
    return [v for v in value if type(v) is int] if isinstance(value, list) else []


def _maps(value: Any) -> List[Dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _syscall(raw: Any) -> Optional[SystemCall]:
    if not isinstance(raw, dict):
        return None
    left = _int(raw.get("left_ns"))
    fds = {f.get("fd"): _str(f.get("target")) for f in _maps(raw.get("fds"))}
    return SystemCall(
        _int(raw.get("number")),
        _str(raw.get("name")) or "?",
        _ints(raw.get("args")),
        _str(raw.get("text")) or "?",
        raw.get("sure") is True,
        None if left is None else left / 1e9,
        {fd: target for fd, target in fds.items() if type(fd) is int},
        _str(raw.get("peers")),
    )


class Waits:
    """What the threads of a dump wait for; empty when the dump has no such
    part."""

    def __init__(self, raw: Dict[str, Any]) -> None:
        self.threads: List[Wait] = [
            Wait(
                _int(t.get("thread")),
                _int(t.get("native_id")),
                _str(t.get("os_name")),
                _syscall(t.get("syscall")),
                _str(t.get("wait")),
                _int(t.get("object")) or 0,
                _int(t.get("lock")),
                _int(t.get("on")),
                t.get("timed") is True,
                _ints(t.get("holds")),
                _str(t.get("text")),
            )
            for t in _maps(raw.get("threads"))
        ]
        self.locks: List[Lock] = [
            Lock(
                _str(k.get("kind")) or "?",
                _int(k.get("object")) or 0,
                _int(k.get("word")) or 0,
                _str(k.get("type")) or "?",
                _str(k.get("name")),
                k.get("locked") is True,
                _int(k.get("count")) or 0,
                _int(k.get("owner")),
                k.get("several") is True,
                k.get("orphan") is True,
                _ints(k.get("waiters")),
                _str(k.get("text")) or "?",
            )
            for k in _maps(raw.get("locks"))
        ]
        self.deadlocks: List[Deadlock] = [
            Deadlock(_ints(d.get("threads")), _str(d.get("text")) or "?")
            for d in _maps(raw.get("deadlocks"))
        ]
        #: what all threads are to know of: a GIL that is held in C
        self.notes: List[str] = []
        if isinstance(raw.get("notes"), list):
            self.notes = [n for n in map(_str, raw["notes"]) if n]

    def of(self, thread: int) -> Optional[Wait]:
        """What thread number `thread` of the dump waits for."""
        for wait in self.threads:
            if wait.thread == thread:
                return wait
        return None

    def __repr__(self) -> str:
        return "<Waits: %d threads, %d locks, %d deadlocks>" % (
            len(self.threads),
            len(self.locks),
            len(self.deadlocks),
        )
