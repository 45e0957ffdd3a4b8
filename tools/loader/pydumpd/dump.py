# SPDX-License-Identifier: Apache-2.0
"""A dump as scripts and tests see it: threads, frames, locals, objects."""

from collections.abc import Mapping
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

from . import nativestacks
from .dumpfile import DumpError, DumpFile
from .executions import code_names
from .nativestacks import NativeFrame, NativeStack
from .objects import BUDGET, Graph
from .records import utf8
from .waits import Wait, Waits

ARG, LOCAL, CELL, FREE, HIDDEN, CELLARG = range(6)
#: Frames of one thread that are read; more than any real stack has.
_FRAMES_MAX = 1 << 22
_OPTIMIZED = 1


def _int(value: Any, default: Any = None) -> Any:
    return value if type(value) is int else default


def _address(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 1 << 64 else 0


def _str(value: Any, default: Any = None) -> Any:
    if isinstance(value, bytes):
        return utf8(value)
    return value if isinstance(value, str) else default


class Locals(Mapping):
    """The variables of a frame; each is decoded when it is asked for."""

    def __init__(self, frame: "Frame") -> None:
        self._graph = frame._dump.graph
        #: The mapping of a module or class body, which comes below the rest.
        self._mapping: Optional[Dict[str, int]] = None
        self._names = frame._set_variables()
        if frame.locals_address:
            self._mapping = self._graph.namespace(frame.locals_address)

    def _find(self, name: str) -> int:
        if name in self._names:
            return self._names[name]
        if self._mapping is not None and name in self._mapping:
            return self._mapping[name]
        raise KeyError(name)

    def __getitem__(self, name: str) -> Any:
        return self._graph.get(self._find(name))

    def __iter__(self) -> Iterator[str]:
        if self._mapping is not None:
            for name in self._mapping:
                if name not in self._names:
                    yield name
        yield from self._names

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def address(self, name: str) -> int:
        """The address of a variable's value."""
        return self._find(name)

    def __repr__(self) -> str:
        from .render import text

        return "{%s}" % ", ".join("%r: %s" % (k, text(self[k], 2000)) for k in self)


class Frame:
    """One frame of a thread; number 0 is the newest."""

    def __init__(self, dump: "Dump", thread: "Thread", number: int, raw: Dict[str, Any]) -> None:
        self._dump = dump
        self._raw = raw
        self.thread = thread
        self.number = number
        self.name: str = _str(raw.get("name"), "?")
        self.qualname: Optional[str] = _str(raw.get("qualname"))
        self.file: str = _str(raw.get("file"), "?")
        self.line: Optional[int] = _int(raw.get("line"))
        self.end_line: Optional[int] = _int(raw.get("end_line"))
        self.col: Optional[int] = _int(raw.get("col"))
        self.end_col: Optional[int] = _int(raw.get("end_col"))
        self.firstlineno: Optional[int] = _int(raw.get("firstlineno"))
        self.lasti: Optional[int] = _int(raw.get("lasti"))
        self.flags: int = _int(raw.get("flags"), 0)
        self.note: Optional[str] = _str(raw.get("note"))
        self.code_address = _address(raw.get("code"))
        self.globals_address = _address(raw.get("globals"))
        self.locals_address = _address(raw.get("locals"))
        if self.flags & _OPTIMIZED:  # what a function's locals() once gave
            self.locals_address = 0
        self.frame_address = _address(raw.get("frame"))
        self._locals: Optional[Locals] = None

    def variables(self) -> List[Tuple[str, int, int]]:
        """(name, variable kind, address) as the dump lists them."""
        out = []
        raw = self._raw.get("vars")
        for v in raw if isinstance(raw, list) else []:
            if isinstance(v, list) and len(v) >= 3 and type(v[1]) is int:
                out.append((_str(v[0], "?"), v[1], _address(v[2])))
        return out

    def _set_variables(self) -> Dict[str, int]:
        """name -> address of the value, cells opened, empty cells absent."""
        graph, out = self._dump.graph, {}
        for name, kind, addr in self.variables():
            if kind in (CELL, FREE, CELLARG):
                rec = graph.record(addr)
                if rec is not None and rec.kind.name == "cell":
                    addr = rec.field("contents")
            if addr:
                out[name] = addr
        return out

    @property
    def locals(self) -> Locals:
        """name -> value: arguments, locals, the contents of cells, and the
        mapping of a module or class body. Unset variables are absent."""
        if self._locals is None:
            self._locals = Locals(self)
        return self._locals

    @property
    def args(self) -> List[str]:
        """The names of the arguments, set or not."""
        names = code_names(self._dump.graph, self.code_address)
        if names is not None and names.varnames:
            return names.args
        return [n for n, k, _ in self.variables() if k in (ARG, CELLARG)]

    @property
    def stack(self) -> Optional[List[Any]]:
        """The evaluation stack, bottom first; None when not known."""
        raw = self._raw.get("stack")
        if not isinstance(raw, list):
            return None
        return [self._dump.graph.get(_address(r)) for r in raw]

    def _object(self, key: str) -> Any:
        at = _address(self._raw.get(key))
        return self._dump.graph.get(at) if at else None

    @property
    def globals(self) -> Any:
        """The dict of the module."""
        return self._object("globals")

    @property
    def code(self) -> Any:
        """The code object's surrogate."""
        return self._object("code")

    @property
    def function(self) -> Any:
        """The function's surrogate, or None when not known."""
        return self._object("function")

    @property
    def generator(self) -> Any:
        """The generator or coroutine whose frame this is, or None."""
        return self._object("generator")

    def __repr__(self) -> str:
        return "<Frame %d of thread %d: %s at %s:%s>" % (
            self.number,
            self.thread.index,
            self.qualname or self.name,
            self.file,
            self.line,
        )


class ExceptionEntry(NamedTuple):
    """An exception that a thread raises or handles."""

    role: str  # "raised" or "handled"
    #: the exception's surrogate, its class where none has been made, or None
    value: Any
    address: int
    traceback_address: int


class Thread:
    """One thread of the program."""

    def __init__(self, dump: "Dump", index: int, raw: Dict[str, Any]) -> None:
        self._dump = dump
        self._raw = raw
        self.index = index
        self.interpreter: Optional[int] = _int(raw.get("interpreter"))
        self.address = _address(raw.get("address"))
        self.ident: Optional[int] = _int(raw.get("ident"))
        self.native_id: Optional[int] = _int(raw.get("native_id"))
        self.ns_native_id: Optional[int] = _int(raw.get("ns_native_id"))
        self.name: Optional[str] = _str(raw.get("name"))
        self.os_name: Optional[str] = _str(raw.get("os_name"))
        self.state: Optional[str] = _str(raw.get("state"))
        self.gil: bool = raw.get("gil") is True
        self.nframes: int = _int(raw.get("nframes"), 0)
        self.note: Optional[str] = _str(raw.get("note"))
        self._frames: Optional[List[Frame]] = None

    @property
    def frames(self) -> List[Frame]:
        """The frames, the newest first."""
        if self._frames is None:
            raw = self._dump._frame_maps(self.index)
            self._frames = [Frame(self._dump, self, number, f) for number, f in enumerate(raw)]
        return self._frames

    @property
    def native(self) -> Optional[NativeStack]:
        """The native stack, or None when the dump has none."""
        return self._dump._native_of(self.index)

    @property
    def merged(self) -> List[Union[Frame, NativeFrame, str]]:
        """Python and native frames together, the newest first, in the order
        in which they called each other; texts stand where something is left
        out. Without a native stack, or where it is not known which native
        frames run which Python frames (`native.merged`), native frames come
        first and Python frames after them."""
        native = self.native
        if native is None:
            return list(self.frames)
        return [self.frames[e] if isinstance(e, int) else e for e in native.merge(len(self.frames))]

    @property
    def depth(self) -> int:
        """The number of its frames."""
        if self._frames is None and self._dump.complete:
            return self.nframes
        return len(self.frames)

    def newest(self, most: int) -> List[Frame]:
        """The newest frames, not more than so many; of a deep stack only these
        are read."""
        if self._frames is not None or self.nframes <= most:
            return self.frames[:most]
        raw = self._dump._frame_maps(self.index, most)[:most]
        return [Frame(self._dump, self, number, f) for number, f in enumerate(raw)]

    @property
    def thread(self) -> Any:
        """The threading.Thread object's surrogate, or None."""
        at = _address(self._raw.get("thread"))
        return self._dump.graph.get(at) if at else None

    @property
    def wait(self) -> Optional[Wait]:
        """What it waits for; None when the dump does not say."""
        return self._dump.waits.of(self.index)

    @property
    def exceptions(self) -> List[ExceptionEntry]:
        """What it raises or handles, the newest first."""
        out = []
        raw = self._raw.get("exceptions")
        for e in raw if isinstance(raw, list) else []:
            if isinstance(e, dict):
                at = _address(e.get("value"))
                known = at or _address(e.get("type"))
                out.append(
                    ExceptionEntry(
                        _str(e.get("role"), "?"),
                        self._dump.graph.get(known) if known else None,
                        at,
                        _address(e.get("traceback")),
                    )
                )
        return out

    def __repr__(self) -> str:
        return "<Thread %d: %s>" % (self.index, self.name or self.os_name or self.ident)


class FileDescriptor(NamedTuple):
    """An open file of the process."""

    fd: int
    #: a path, "socket:[INODE]", "pipe:[INODE]", ...
    target: str
    #: bytes from its beginning
    pos: Optional[int]
    #: of open(2)
    flags: Optional[int]
    #: of a socket, as the socket module names them
    family: Optional[str] = None
    type: Optional[str] = None
    state: Optional[str] = None
    #: "127.0.0.1:80", "[::1]:80", a path
    local: Optional[str] = None
    peer: Optional[str] = None


def _file_descriptor(entry: Dict[str, Any]) -> Optional[FileDescriptor]:
    fd, target = entry.get("fd"), entry.get("target")
    if isinstance(target, bytes):
        target = target.decode("utf-8", "surrogateescape")
    if not isinstance(fd, int) or not isinstance(target, str):
        return None
    sock = entry.get("socket")
    sock = sock if isinstance(sock, dict) else {}
    return FileDescriptor(
        fd,
        target,
        _int(entry.get("pos")),
        _int(entry.get("flags")),
        *(_str(sock.get(key)) for key in ("family", "type", "state", "local", "peer")),
    )


class Source(NamedTuple):
    """The text of a file, as the dump holds it."""

    file: str
    text: str
    origin: str
    truncated: Optional[int]
    #: when the file was changed, in seconds since 1970; None when not known
    mtime: Optional[int] = None


class Dump:
    """An open dump.

    >>> dump = pydumpd.open("app.pydump")
    >>> dump.threads[0].frames[0].locals["x"]
    """

    def __init__(self, path: str, budget: int = BUDGET) -> None:
        self.file = DumpFile(path)
        self.path = path
        #: The header frame, as a dict.
        self.header: Dict[str, Any] = self.file.header
        #: The end frame, as a dict; empty when the file was cut short.
        self.end: Dict[str, Any] = self.file.end
        self.graph = Graph(self.file, budget)
        self.graph.dump = self
        self._threads: Optional[List[Thread]] = None
        self._interpreters: List[Dict[str, Any]] = []
        self._sources: Optional[Dict[str, Source]] = None
        self._fds: Optional[Dict[int, FileDescriptor]] = None
        self._native: Optional[List[NativeStack]] = None
        self._native_by_thread: Dict[int, NativeStack] = {}
        self._waits: Optional[Waits] = None

    @property
    def complete(self) -> bool:
        """Whether the file is whole."""
        return self.file.complete

    def object(self, address: int) -> Any:
        """The object that was at an address (`id()` in the program)."""
        return self.graph.get(address)

    def address(self, obj: Any) -> int:
        """Where an object of this dump was, or 0."""
        return self.graph.address(obj)

    def materialise(self, obj: Any) -> Any:
        """A real builtin for a big container's stand-in."""
        return self.graph.materialise(obj)

    @property
    def threads(self) -> List[Thread]:
        """The threads, the main thread of the main interpreter first."""
        if self._threads is None:
            self._threads = []
            for frame in self.file.each("threads"):
                raw = frame.get("threads")
                for t in raw if isinstance(raw, list) else []:
                    if isinstance(t, dict):
                        self._threads.append(Thread(self, len(self._threads), t))
                more = frame.get("interpreters")
                if isinstance(more, list):
                    self._interpreters += [i for i in more if isinstance(i, dict)]
        return self._threads

    @property
    def interpreters(self) -> List[Dict[str, Any]]:
        """The interpreters, as maps."""
        self.threads  # noqa: B018  (fills it)
        return self._interpreters

    def _frame_maps(self, thread: int, most: Optional[int] = None) -> List[Dict[str, Any]]:
        """The frames of a thread, from all frames of the file that have some;
        or at least so many of the newest."""
        parts = []
        for number in self.file.frames_of_thread(thread, most):
            try:
                part = self.file.read(number)
            except DumpError:
                continue
            frames = part.get("frames")
            if part.get("thread") == thread and isinstance(frames, list):
                parts.append((_int(part.get("first"), 0), frames))
        out: List[Dict[str, Any]] = []
        for _, frames in sorted(parts, key=lambda p: p[0]):
            out += [f for f in frames if isinstance(f, dict)]
        return out[:_FRAMES_MAX]

    @property
    def sources(self) -> Dict[str, Source]:
        """file name -> its text."""
        if self._sources is None:
            self._sources = {}
            for frame in self.file.each("source"):
                name, text = _str(frame.get("file")), frame.get("text")
                if isinstance(text, bytes):
                    text = text.decode("utf-8", "replace")
                if name is None or not isinstance(text, str):
                    continue
                origin, cut = _str(frame.get("origin"), "?"), _int(frame.get("truncated"))
                self._sources[name] = Source(name, text, origin, cut, _int(frame.get("mtime")))
        return self._sources

    @property
    def native_stacks(self) -> List[NativeStack]:
        """The native stacks of all threads of the process, also of those that
        run no Python (whose `thread` is None); empty when the dump was taken
        without."""
        if self._native is None:
            self._native = nativestacks.read(self.file)
            for stack in self._native:
                if stack.thread is not None:
                    self._native_by_thread.setdefault(stack.thread, stack)
        return self._native

    def _native_of(self, thread: int) -> Optional[NativeStack]:
        self.native_stacks  # noqa: B018  (fills it)
        return self._native_by_thread.get(thread)

    @property
    def fds(self) -> Dict[int, FileDescriptor]:
        """The open files of the process by their numbers."""
        if self._fds is None:
            self._fds = {}
            for frame in self.file.each("fds"):
                entries = frame.get("fds")
                for entry in entries if isinstance(entries, list) else []:
                    found = _file_descriptor(entry) if isinstance(entry, dict) else None
                    if found is not None:
                        self._fds[found.fd] = found
        return self._fds

    @property
    def waits(self) -> Waits:
        """What the threads wait for, locks and who holds them, deadlocks."""
        if self._waits is None:
            self._waits = Waits(next(self.file.each("waits"), {}))
        return self._waits

    def close(self) -> None:
        """Closes the file; what was not decoded by then is gone."""
        self.file.close()

    def __enter__(self) -> "Dump":
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Dump %r>" % self.path
