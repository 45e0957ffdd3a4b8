# SPDX-License-Identifier: Apache-2.0
"""Surrogates of the interpreter's own objects: functions, methods, code,
frames, tracebacks, generators, modules, cells, properties and so on.

Each answers for the attributes that people look at, claims the builtin type
by `__class__`, prints as the original did, and refuses to be called.
"""

import struct
import types
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from .dumpfile import Record, utf8
from .marks import Placeholder, describe, printable
from .refs import KEY, Ref, find_ref, ref_of
from .surrogates import header, lookup, refuse

if TYPE_CHECKING:
    from .objects import Graph

Getter = Callable[[Ref], Any]


class Native:
    """Common to all. Attributes come from `table`, then from the dump."""

    __slots__ = (KEY, "__weakref__")
    table: Dict[str, Getter] = {}
    real: type = object

    def __init__(self, graph: "Graph", rec: Record) -> None:
        object.__setattr__(self, KEY, Ref(graph, rec))

    def __getattribute__(self, name: str) -> Any:
        ref = object.__getattribute__(self, KEY)
        cls = type(self)
        if name == "__class__":
            made = ref.graph.classes.get(ref.rec.type) if ref.rec.type else cls.real
            return made if ref.graph.classes.info(ref.rec.type)[1] else cls.real
        getter = cls.table.get(name)
        if getter is not None:
            return getter(ref)
        attrs = ref.attributes()
        if name in attrs:
            return ref.graph.get(attrs[name])
        at = ref.rec.field("dict")
        if at:
            names = ref.graph.namespace(at)
            if name in names:
                return ref.graph.get(names[name])
            if name == "__dict__":
                return ref.graph.get(at)
        if name == "__dict__" or ref.graph.classes.overrides(ref.rec.type, name):
            return lookup(self, ref, name)
        if name in vars(object) or name == "__call__":
            return object.__getattribute__(self, name)
        raise AttributeError("%r object has no attribute %r" % (cls.real.__name__, name))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an object of a dump cannot be changed")

    def __dir__(self) -> List[str]:
        ref = ref_of(self)
        names = set(type(self).table) | set(ref.attributes()) | {"__class__"}
        if ref.rec.field("dict"):
            names |= set(ref.graph.namespace(ref.rec.field("dict")))
        return sorted(names)

    def __repr__(self) -> str:
        ref = ref_of(self)
        note = describe(ref.rec.mark) if ref.rec.mark else ""
        try:
            out = type(self).show(ref)
        except (struct.error, RecursionError):
            out = header(self)
        return "%s <%s>" % (out, note) if note else out

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")

    @staticmethod
    def show(ref: Ref) -> str:
        """The repr."""
        name = ref.graph.classes.name(ref.rec.type) or ref.rec.kind.name
        return "<%s object at %#x>" % (name, ref.rec.addr)


def _get(field: str) -> Getter:
    """A getter of a field; None when it is NULL."""

    def get(ref: Ref) -> Any:
        at = ref.rec.field(field)
        return ref.graph.get(at) if at else None

    return get


def _str(ref: Ref, field: str, default: str = "?") -> str:
    s = ref.graph.string(ref.rec.field(field))
    return default if s is None else s


def _value(ref: Ref) -> str:
    return utf8(ref.rec.data)


def _type_name(graph: "Graph", addr: int) -> str:
    rec = graph.record(addr)
    return graph.classes.name(rec.type) if rec else "?"


# -- functions


def _qualname(ref: Ref) -> str:
    return _str(ref, "qualname", _value(ref) or "?")


class Function(Native):
    __slots__ = ()
    real = types.FunctionType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % _qualname(ref_of(self)))

    @staticmethod
    def show(ref: Ref) -> str:
        return "<function %s at %#x>" % (printable(_qualname(ref)), ref.rec.addr)

    @staticmethod
    def _dict(ref: Ref) -> Any:
        return _get("dict")(ref) if ref.rec.field("dict") else {}

    @staticmethod
    def _annotations(ref: Ref) -> Any:
        found = _get("annotations")(ref)
        if isinstance(found, dict) or found is None:
            return {} if found is None else found
        # A flat tuple of names and values is how 3.10 on keeps them.
        if isinstance(found, tuple) and len(found) % 2 == 0:
            return dict(zip(found[::2], found[1::2]))
        return found


Function.table = {
    "__name__": lambda r: _str(r, "name", _qualname(r).rpartition(".")[2]),
    "__qualname__": _qualname,
    "__module__": _get("module"),
    "__doc__": _get("doc"),
    "__defaults__": _get("defaults"),
    "__kwdefaults__": _get("kwdefaults"),
    "__closure__": _get("closure"),
    "__code__": _get("code"),
    "__globals__": _get("globals"),
    "__builtins__": _get("builtins"),
    "__annotations__": Function._annotations,
    "__dict__": Function._dict,
}


class BoundMethod:
    """A bound method: dumped, or made here from a class attribute."""

    __slots__ = (KEY, "__func__", "__self__", "__weakref__")

    def __init__(self, func: Any, self_: Any, ref: Optional[Ref] = None) -> None:
        object.__setattr__(self, "__func__", func)
        object.__setattr__(self, "__self__", self_)
        object.__setattr__(self, KEY, ref)

    @property
    def __class__(self) -> type:  # type: ignore
        return types.MethodType

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "__func__"), name)

    @property
    def __doc__(self) -> Any:  # type: ignore
        return getattr(self.__func__, "__doc__", None)

    @property
    def __module__(self) -> Any:  # type: ignore
        return getattr(self.__func__, "__module__", None)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an object of a dump cannot be changed")

    def __eq__(self, other: Any) -> Any:
        if type(other) is not BoundMethod:
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % self._name())

    def _name(self) -> str:
        func = object.__getattribute__(self, "__func__")
        for name in ("__qualname__", "__name__"):
            try:
                return printable(str(getattr(func, name)))
            except AttributeError:
                continue
        return "?"

    def __repr__(self) -> str:
        owner = object.__getattribute__(self, "__self__")
        ref = find_ref(owner)
        if ref is not None and not isinstance(owner, type):
            shown = header(owner)
        else:
            from .render import text

            shown = text(owner, 200)
        return "<bound method %s of %s>" % (self._name(), shown)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")


def _make_method(graph: "Graph", rec: Record) -> Any:
    return BoundMethod(
        graph.get(rec.field("func")), graph.get(rec.field("self")), Ref(graph, rec)
    )


class Builtin(Native):
    __slots__ = ()
    real = types.BuiltinFunctionType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % _value(ref_of(self)))

    @staticmethod
    def show(ref: Ref) -> str:
        name, owner = printable(_value(ref)), ref.rec.field("self")
        if not owner or ref.graph.kind_of(owner) == "module":
            return "<built-in function %s>" % name
        return "<built-in method %s of %s object at %#x>" % (
            name,
            _type_name(ref.graph, owner),
            owner,
        )


Builtin.table = {
    "__name__": _value,
    "__qualname__": _value,
    "__self__": _get("self"),
    "__module__": _get("module"),
    "__doc__": lambda r: None,
}


class Descriptor(Native):
    __slots__ = ()
    real = types.MethodDescriptorType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % Descriptor.name(ref_of(self)))

    @staticmethod
    def name(ref: Ref) -> str:
        return _value(ref).partition("\0")[2] or _str(ref, "name")

    @staticmethod
    def show(ref: Ref) -> str:
        what = _value(ref).partition("\0")[0]
        word = {"getset": "attribute", "wrapper": "slot wrapper", "classmethod": "method"}
        return "<%s '%s' of '%s' objects>" % (
            word.get(what, printable(what)),
            printable(Descriptor.name(ref)),
            ref.graph.classes.name(ref.rec.field("owner")) or "?",
        )


Descriptor.table = {
    "__name__": Descriptor.name,
    "__qualname__": lambda r: _str(r, "qualname", Descriptor.name(r)),
    "__objclass__": _get("owner"),
    "__doc__": lambda r: None,
}


class MethodWrapper(Native):
    __slots__ = ()
    real = type("".__len__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(repr(self))

    @staticmethod
    def name(ref: Ref) -> str:
        rec = ref.graph.record(ref.rec.field("descr"))
        return Descriptor.name(Ref(ref.graph, rec)) if rec else "?"

    @staticmethod
    def show(ref: Ref) -> str:
        owner = ref.rec.field("self")
        return "<method-wrapper '%s' of %s object at %#x>" % (
            printable(MethodWrapper.name(ref)),
            _type_name(ref.graph, owner),
            owner,
        )


MethodWrapper.table = {
    "__name__": MethodWrapper.name,
    "__self__": _get("self"),
    "__objclass__": lambda r: getattr(r.graph.get(r.rec.field("descr")), "__objclass__", None),
}


class Property(Native):
    __slots__ = ()
    real = property
    table = {
        "fget": _get("fget"),
        "fset": _get("fset"),
        "fdel": _get("fdel"),
        "__doc__": _get("doc"),
    }


class Wrapping(Native):
    """staticmethod or classmethod."""

    __slots__ = ()
    table = {"__func__": _get("callable"), "__wrapped__": _get("callable")}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(repr(self))

    @staticmethod
    def show(ref: Ref) -> str:
        if ref.graph.python < (3, 10):
            return "<%s object at %#x>" % (ref.rec.kind.name, ref.rec.addr)
        inner = ref.graph.record(ref.rec.field("callable"))
        if inner is not None and inner.kind.name == "function":
            shown = Function.show(Ref(ref.graph, inner))
        else:
            at = ref.rec.field("callable")
            shown = "<%s object at %#x>" % (_type_name(ref.graph, at), at)
        return "<%s(%s)>" % (ref.rec.kind.name, shown)


class StaticMethod(Wrapping):
    __slots__ = ()
    real = staticmethod


class ClassMethod(Wrapping):
    __slots__ = ()
    real = classmethod


# -- code, frames, tracebacks


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
            self.varnames = [
                n for i, n in enumerate(names) if i >= len(kinds) or kinds[i] & 0x20
            ]
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
    rec = graph.record(addr)
    if rec is None or rec.kind.name != "code":
        return None
    return CodeNames(graph, rec)


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
            printable(_str(ref, "name")),
            ref.rec.addr,
            printable(_str(ref, "filename")),
            Code.names(ref).firstlineno,
        )


def _code_int(i: int) -> Getter:
    return lambda r: ints(r.rec.data, 7)[i]


Code.table = {
    "co_name": lambda r: _str(r, "name"),
    "co_qualname": lambda r: _str(r, "qualname", _str(r, "name")),
    "co_filename": lambda r: _str(r, "filename"),
    "co_argcount": _code_int(0),
    "co_posonlyargcount": _code_int(1),
    "co_kwonlyargcount": _code_int(2),
    "co_nlocals": _code_int(3),
    "co_stacksize": _code_int(4),
    "co_flags": _code_int(5),
    "co_firstlineno": _code_int(6),
    "co_code": lambda r: r.rec.data[28:],
    "co_varnames": lambda r: tuple(Code.names(r).varnames),
    "co_cellvars": lambda r: tuple(Code.names(r).cellvars),
    "co_freevars": lambda r: tuple(Code.names(r).freevars),
    "co_names": _get("names"),
    "co_consts": _get("consts"),
}


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
        if at:
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
        if at and not Frame.data(ref).variables():
            return ref.graph.get(at)
        if ref.dict is None:
            ref.dict = Frame.data(ref).locals()
        return ref.dict

    def clear(self) -> None:
        raise refuse("frame.clear()")


Frame.table = {
    "f_back": _get("back"),
    "f_code": _get("code"),
    "f_globals": _get("globals"),
    "f_builtins": _get("builtins"),
    "f_locals": Frame.locals,
    "f_lineno": lambda r: Frame.data(r).lineno,
    "f_lasti": lambda r: Frame.data(r).lasti,
    "f_trace": _get("trace"),
    "f_trace_lines": lambda r: True,
    "f_trace_opcodes": lambda r: False,
    "f_generator": _get("generator"),
    "clear": lambda r: lambda: (_ for _ in ()).throw(refuse("frame.clear()")),
}


class Traceback(Native):
    __slots__ = ()
    real = types.TracebackType
    table = {
        "tb_frame": _get("frame"),
        "tb_next": _get("next"),
        "tb_lasti": lambda r: ints(r.rec.data, 2)[0],
        "tb_lineno": lambda r: ints(r.rec.data, 2)[1],
    }

    @staticmethod
    def show(ref: Ref) -> str:
        return "<traceback object at %#x>" % ref.rec.addr


# -- generators


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
            printable(_str(ref, "qualname", _str(ref, "name"))),
            ref.rec.addr,
        )


def _generator(prefix: str, real: type, awaiting: str) -> type:
    table: Dict[str, Getter] = {
        "__name__": lambda r: _str(r, "name"),
        "__qualname__": lambda r: _str(r, "qualname", _str(r, "name")),
        prefix + "_frame": Generator.frame,
        prefix + "_code": _get("code"),
        prefix + "_running": lambda r: Generator.state(r) == 2,
        prefix + "_suspended": lambda r: Generator.state(r) == 1,
        prefix + awaiting: _get("awaiting"),
    }
    if prefix == "cr":
        table["cr_origin"] = _get("origin")
    return type(
        real.__name__, (Generator,), {"__slots__": (), "table": table, "real": real}
    )


# -- the rest


class Module(Native):
    __slots__ = ()
    real = types.ModuleType

    @staticmethod
    def show(ref: Ref) -> str:
        graph = ref.graph
        names = graph.namespace(ref.rec.field("dict"))
        name = graph.string(names.get("__name__", 0)) or _value(ref)
        file = graph.string(names.get("__file__", 0))
        if file is not None:
            return "<module %r from %r>" % (name, file)
        spec = graph.record(names.get("__spec__", 0))
        origin = graph.string(graph.attributes(spec).get("origin", 0)) if spec else None
        return "<module %r%s>" % (name, " (%s)" % printable(origin) if origin else "")


class Cell(Native):
    __slots__ = ()
    real = types.CellType

    @staticmethod
    def contents(ref: Ref) -> Any:
        at = ref.rec.field("contents")
        if not at:
            raise ValueError("Cell is empty")
        return ref.graph.get(at)

    @staticmethod
    def show(ref: Ref) -> str:
        at = ref.rec.field("contents")
        inner = "%s object at %#x" % (_type_name(ref.graph, at), at) if at else "empty"
        return "<cell at %#x: %s>" % (ref.rec.addr, inner)


Cell.table = {"cell_contents": Cell.contents}


class Proxy(Native):
    """A mappingproxy: reads through to its mapping."""

    __slots__ = ()
    real = types.MappingProxyType

    @staticmethod
    def show(ref: Ref) -> str:
        from .render import text

        return "mappingproxy(%s)" % text(ref.graph.get(ref.rec.field("mapping")))

    def _inner(self) -> Any:
        ref = ref_of(self)
        return ref.graph.get(ref.rec.field("mapping"))

    def __getitem__(self, key: Any) -> Any:
        return Proxy._inner(self)[key]

    def __len__(self) -> int:
        return len(Proxy._inner(self))

    def __iter__(self) -> Any:
        return iter(Proxy._inner(self))

    def __contains__(self, key: Any) -> bool:
        return key in Proxy._inner(self)

    def __eq__(self, other: Any) -> Any:
        return self is other or Proxy._inner(self) == other

    __hash__ = None  # type: ignore


def _proxied(name: str) -> Getter:
    return lambda r: getattr(r.graph.get(r.rec.field("mapping")), name)


Proxy.table = {n: _proxied(n) for n in ("keys", "values", "items", "get", "copy")}


class Weakref(Native):
    __slots__ = ()
    real = weakref.ref

    def __call__(self) -> Any:
        return _get("object")(ref_of(self))

    @staticmethod
    def show(ref: Ref) -> str:
        at = ref.rec.field("object")
        if not at:
            return "<weakref at %#x; dead>" % ref.rec.addr
        return "<weakref at %#x; to '%s' at %#x>" % (
            ref.rec.addr,
            _type_name(ref.graph, at),
            at,
        )


Weakref.table = {"__callback__": _get("callback")}


class Super(Native):
    __slots__ = ()
    real = super
    table = {
        "__thisclass__": _get("type"),
        "__self__": _get("obj"),
        "__self_class__": lambda r: getattr(_get("obj")(r), "__class__", None),
    }

    @staticmethod
    def show(ref: Ref) -> str:
        cls = ref.graph.classes.name(ref.rec.field("type")) or "?"
        at = ref.rec.field("obj")
        obj = "<%s object>" % _type_name(ref.graph, at) if at else "NULL"
        return "<super: <class '%s'>, %s>" % (cls, obj)


_MAKERS: Dict[str, Callable[["Graph", Record], Any]] = {
    "function": Function,
    "method": _make_method,
    "builtin": Builtin,
    "descriptor": Descriptor,
    "methodwrapper": MethodWrapper,
    "property": Property,
    "staticmethod": StaticMethod,
    "classmethod": ClassMethod,
    "code": Code,
    "frame": Frame,
    "traceback": Traceback,
    "generator": _generator("gi", types.GeneratorType, "_yieldfrom"),
    "coroutine": _generator("cr", types.CoroutineType, "_await"),
    "async_generator": _generator("ag", types.AsyncGeneratorType, "_await"),
    "module": Module,
    "cell": Cell,
    "mappingproxy": Proxy,
    "weakref": Weakref,
    "super": Super,
}


def make(graph: "Graph", rec: Record) -> Any:
    """The surrogate for a record of one of the interpreter's own kinds."""
    maker = _MAKERS.get(rec.kind.name)
    if maker is None:
        return Placeholder(
            "%s of a kind that this loader does not know: %s"
            % (graph.classes.name(rec.type) or "object", rec.kind.name),
            rec.addr,
        )
    return maker(graph, rec)
