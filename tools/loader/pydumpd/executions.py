# SPDX-License-Identifier: Apache-2.0
"""Surrogates of code, frames, tracebacks, generators and coroutines."""

import struct
import types
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from .marks import Placeholder, printable
from .meta import refuse
from .native import Getter, Native, field, text_field
from .records import Record
from .refs import Ref

if TYPE_CHECKING:
    from .objects import Graph


def ints(data: bytes, n: int) -> Tuple[int, ...]:
    """n little-endian i32; missing ones are -1."""
    have = min(len(data) // 4, n)
    return struct.unpack_from("<%di" % have, data) + (-1,) * (n - have)


class CodeNames:
    """The variables of a code object, in the order of its frames' values."""

    def __init__(self, graph: "Graph", rec: Record) -> None:
        self.argcount, self.posonly, self.kwonly = ints(rec.data, 3)
        self.flags = ints(rec.data, 6)[5]
        self.firstlineno = ints(rec.data, 7)[6]
        self.nargs = max(self.argcount, 0) + max(self.kwonly, 0)
        self.nargs += bool(self.flags & 4) + bool(self.flags & 8)
        #: (name, kind): "local", "cell", "free", "hidden"
        self.all: List[Tuple[str, str]] = []
        names = graph.strings(rec.field("localsplusnames"))
        kinds_rec = graph.record(rec.field("localspluskinds"))
        if names and kinds_rec is not None:
            kinds = kinds_rec.data
            for i, name in enumerate(names):
                k = kinds[i] if i < len(kinds) else 0x20
                if k & 0x10:
                    what = "hidden"
                elif k & 0x80:
                    what = "free"
                elif k & 0x40:
                    what = "cell"
                else:
                    what = "local"
                self.all.append((name, what))
            self.varnames = [n for i, n in enumerate(names) if i >= len(kinds) or kinds[i] & 0x20]
            self.cellvars = [n for n, k in zip(names, kinds) if k & 0x40]
            self.freevars = [n for n, k in zip(names, kinds) if k & 0x80]
        else:
            self.varnames = graph.strings(rec.field("varnames"))
            self.cellvars = graph.strings(rec.field("cellvars"))
            self.freevars = graph.strings(rec.field("freevars"))
            self.all = [(n, "local") for n in self.varnames]
            self.all += [(n, "cell") for n in self.cellvars]
            self.all += [(n, "free") for n in self.freevars]

    @property
    def args(self) -> List[str]:
        """The names of the arguments."""
        return self.varnames[: self.nargs]


def code_names(graph: "Graph", addr: int) -> Optional[CodeNames]:
    """The variables of the code object at addr."""
    if addr not in graph.codes:
        rec = graph.record(addr)
        is_code = rec is not None and rec.kind.name == "code"
        graph.codes[addr] = CodeNames(graph, rec) if rec is not None and is_code else None
    return graph.codes[addr]


class Code(Native):
    __slots__ = ()
    real = types.CodeType

    @staticmethod
    def names(ref: Ref) -> CodeNames:
        if ref.extra is None:
            ref.extra = CodeNames(ref.graph, ref.rec)
        return ref.extra

    @staticmethod
    def show(ref: Ref) -> str:
        return '<code object %s at %#x, file "%s", line %d>' % (
            printable(text_field(ref, "name")),
            ref.rec.addr,
            printable(text_field(ref, "filename")),
            Code.names(ref).firstlineno,
        )


def _code_int(i: int) -> Getter:
    return lambda r: ints(r.rec.data, 7)[i]


Code.table = {
    "co_name": lambda r: text_field(r, "name"),
    "co_qualname": lambda r: text_field(r, "qualname", text_field(r, "name")),
    "co_filename": lambda r: text_field(r, "filename"),
    "co_argcount": _code_int(0),
    "co_posonlyargcount": _code_int(1),
    "co_kwonlyargcount": _code_int(2),
    "co_nlocals": _code_int(3),
    "co_stacksize": _code_int(4),
    "co_flags": _code_int(5),
    "co_firstlineno": _code_int(6),
    "co_code": lambda r: _bytecode(r),
    "co_varnames": lambda r: tuple(Code.names(r).varnames),
    "co_cellvars": lambda r: tuple(Code.names(r).cellvars),
    "co_freevars": lambda r: tuple(Code.names(r).freevars),
    "co_names": field("names"),
    "co_consts": field("consts"),
}


def _bytecode(ref: Ref) -> Any:
    return ref.rec.data[28:] or Placeholder("not dumped: bytecode", ref.rec.addr)


class FrameData:
    """What a frame or generator record says of a frame."""

    def __init__(self, graph: "Graph", rec: Record) -> None:
        self.graph, self.rec = graph, rec
        nums = ints(rec.data, 8)
        self.state, self.lasti, self.line = nums[:3]
        self.end_line, self.col, self.end_col = nums[3:6]
        slots = rec.rest()
        count = min(max(nums[6], 0), len(slots))
        self.slots = slots[:count]
        self.stack: Optional[List[int]] = list(slots[count:]) if nums[7] >= 0 else None
        self.code = graph.record(rec.field("code"))
        if self.code is not None and self.code.kind.name != "code":
            self.code = None

    @property
    def optimized(self) -> bool:
        """Whether the variables are the frame's own, as a function's are. What
        such a frame has as `locals` is what locals() once gave."""
        return self.code is not None and bool(ints(self.code.data, 6)[5] & 1)

    def text(self, name: str, default: str = "?") -> str:
        """A str field of the code."""
        if self.code is None:
            return default
        found = self.graph.string(self.code.field(name))
        return default if found is None else found

    @property
    def lineno(self) -> Optional[int]:
        return self.line if self.line > 0 else None

    def variables(self) -> List[Tuple[str, str, int]]:
        """(name, kind, reference) of the set variables."""
        if self.code is None:
            return []
        names = CodeNames(self.graph, self.code)
        return [(n, k, ref) for (n, k), ref in zip(names.all, self.slots) if ref]

    def locals(self) -> Dict[str, Any]:
        """name -> value, cells opened, on top of a module's or class's own."""
        out: Dict[str, Any] = {}
        at = self.rec.field("locals")
        if at and not self.optimized:
            own = self.graph.get(at)
            if isinstance(own, dict):
                out.update(own)
        for name, kind, ref in self.variables():
            if kind in ("cell", "free"):
                found, value = open_cell(self.graph, ref)
                if not found:
                    continue
                out[name] = value
            else:
                out[name] = self.graph.get(ref)
        return out


def open_cell(graph: "Graph", ref: int) -> Tuple[bool, Any]:
    """(whether it holds something, what) of the cell at ref. What is no cell
    stands for itself: a variable that has not been moved into its cell yet."""
    rec = graph.record(ref)
    if rec is None or rec.kind.name != "cell":
        return True, graph.get(ref)
    inner = rec.field("contents")
    return (True, graph.get(inner)) if inner else (False, None)


class Frame(Native):
    __slots__ = ()
    real = types.FrameType

    @staticmethod
    def data(ref: Ref) -> FrameData:
        if ref.extra is None:
            ref.extra = FrameData(ref.graph, ref.rec)
        return ref.extra

    @staticmethod
    def show(ref: Ref) -> str:
        data = Frame.data(ref)
        return "<frame at %#x, file '%s', line %s, code %s>" % (
            ref.rec.addr,
            printable(data.text("filename")),
            data.lineno,
            printable(data.text("name")),
        )

    @staticmethod
    def locals(ref: Ref) -> Any:
        at = ref.rec.field("locals")
        if at and not Frame.data(ref).optimized and not Frame.data(ref).variables():
            return ref.graph.get(at)
        if ref.dict is None:
            ref.dict = Frame.data(ref).locals()
        return ref.dict

    def clear(self) -> None:
        raise refuse("frame.clear()")


Frame.table = {
    "f_back": field("back"),
    "f_code": field("code"),
    "f_globals": field("globals"),
    "f_builtins": field("builtins"),
    "f_locals": Frame.locals,
    "f_lineno": lambda r: Frame.data(r).lineno,
    "f_lasti": lambda r: Frame.data(r).lasti,
    "f_trace": field("trace"),
    "f_trace_lines": lambda r: True,
    "f_trace_opcodes": lambda r: False,
    "f_generator": field("generator"),
    "clear": lambda r: lambda: (_ for _ in ()).throw(refuse("frame.clear()")),
}


class Traceback(Native):
    __slots__ = ()
    real = types.TracebackType
    table = {
        "tb_frame": field("frame"),
        "tb_next": field("next"),
        "tb_lasti": lambda r: ints(r.rec.data, 2)[0],
        "tb_lineno": lambda r: ints(r.rec.data, 2)[1],
    }

    @staticmethod
    def show(ref: Ref) -> str:
        return "<traceback object at %#x>" % ref.rec.addr


class GeneratorFrame(Frame):
    """The frame of a generator that has no frame object of its own."""

    __slots__ = ()

    @staticmethod
    def show(ref: Ref) -> str:
        data = Frame.data(ref)
        return "<frame of generator at %#x, file '%s', line %s, code %s>" % (
            ref.rec.addr,
            printable(data.text("filename")),
            data.lineno,
            printable(data.text("name")),
        )

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return types.FrameType
        return Native.__getattribute__(self, name)


GeneratorFrame.table = dict(Frame.table)
GeneratorFrame.table["f_back"] = lambda r: None
GeneratorFrame.table["f_trace"] = lambda r: None
GeneratorFrame.table["f_generator"] = lambda r: r.graph.get(r.rec.addr)


class Generator(Native):
    __slots__ = ()
    word = "generator"

    @staticmethod
    def state(ref: Ref) -> int:
        return ints(ref.rec.data, 1)[0]

    @staticmethod
    def frame(ref: Ref) -> Any:
        if Generator.state(ref) == 3:
            return None
        if ref.rec.field("frame"):
            return ref.graph.get(ref.rec.field("frame"))
        if ref.extra is None:
            ref.extra = GeneratorFrame(ref.graph, ref.rec)
        return ref.extra

    @staticmethod
    def show(ref: Ref) -> str:
        return "<%s object %s at %#x>" % (
            ref.rec.kind.name,
            printable(text_field(ref, "qualname", text_field(ref, "name"))),
            ref.rec.addr,
        )


def generator_class(prefix: str, real: type, awaiting: str) -> type:
    table: Dict[str, Getter] = {
        "__name__": lambda r: text_field(r, "name"),
        "__qualname__": lambda r: text_field(r, "qualname", text_field(r, "name")),
        prefix + "_frame": Generator.frame,
        prefix + "_code": field("code"),
        prefix + "_running": lambda r: Generator.state(r) == 2,
        prefix + "_suspended": lambda r: Generator.state(r) == 1,
        prefix + awaiting: field("awaiting"),
    }
    if prefix == "cr":
        table["cr_origin"] = field("origin")
    return type(real.__name__, (Generator,), {"__slots__": (), "table": table, "real": real})
