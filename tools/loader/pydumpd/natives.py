# SPDX-License-Identifier: Apache-2.0
"""Surrogates of the interpreter's own objects, by node kind: those that have
no module of their own, and the table of all."""

import types
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict

from . import callables, executions
from .marks import Placeholder, printable
from .native import Getter, Native, field, type_name, value_text
from .records import Record
from .refs import Ref, ref_of

if TYPE_CHECKING:
    from .objects import Graph


class Module(Native):
    __slots__ = ()
    real = types.ModuleType

    @staticmethod
    def show(ref: Ref) -> str:
        graph = ref.graph
        names = graph.namespace(ref.rec.field("dict"))
        name = graph.string(names.get("__name__", 0)) or value_text(ref)
        loader = names.get("__loader__", 0)
        if graph.python < (3, 11):  # the importers of these say it themselves
            word = _SAY.get(graph.classes.name(loader) or _class_of(graph, loader))
            if word:
                return "<module %r (%s)>" % (name, word)
        spec = graph.record(names.get("__spec__", 0))
        facts = graph.attributes(spec) if spec is not None else {}
        if "origin" in facts and "name" in facts:
            name = graph.string(facts["name"]) or name
            origin, loader = graph.string(facts["origin"]), facts.get("loader", 0)
            if origin is not None:
                placed = graph.get(facts.get("_set_fileattr", 0)) is True
                return "<module %r %s>" % (
                    name, "from %r" % origin if placed else "(%s)" % printable(origin)
                )  # fmt: skip
        else:
            file = graph.string(names.get("__file__", 0))
            if file is not None:
                return "<module %r from %r>" % (name, file)
        if not loader or graph.kind_of(loader) == "none":
            return "<module %r>" % name
        from .render import text

        if graph.python >= (3, 12) and _class_of(graph, loader).endswith(".NamespaceLoader"):
            found = graph.attributes(graph.record(loader)).get("_path", 0)
            rec = graph.record(found)
            path = graph.attributes(rec).get("_path", 0) if rec is not None else 0
            return "<module %r (namespace) from %s>" % (name, text(graph.get(path), 2000))
        return "<module %r (%s)>" % (name, text(graph.get(loader), 200))


#: What importers up to 3.10 called their modules.
_SAY = {
    "_frozen_importlib.BuiltinImporter": "built-in",
    "_frozen_importlib.FrozenImporter": "frozen",
    "_frozen_importlib_external._NamespaceLoader": "namespace",
}


def _class_of(graph: "Graph", at: int) -> str:
    rec = graph.record(at)
    return graph.classes.name(rec.type) if rec is not None else ""


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
        inner = "%s object at %#x" % (type_name(ref.graph, at), at) if at else "empty"
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

    def __str__(self) -> str:
        return str(Proxy._inner(self))

    def __reversed__(self) -> Any:
        return reversed(Proxy._inner(self))


def _proxied(name: str) -> Getter:
    return lambda r: getattr(r.graph.get(r.rec.field("mapping")), name)


Proxy.table = {n: _proxied(n) for n in ("keys", "values", "items", "get", "copy")}


class Weakref(Native):
    __slots__ = ()
    real = weakref.ref

    def __call__(self) -> Any:
        ref = ref_of(self)
        alive = field("object")(ref)
        if any(ref.graph.classes.name(a) == "weakref.WeakMethod" for a in _mro(ref)):
            return _method(ref, alive)
        return alive

    @staticmethod
    def show(ref: Ref) -> str:
        graph, at = ref.graph, ref.rec.field("object")
        proxy = _is_proxy(graph, ref.rec)
        head = "<weak%s at %#x" % ("proxy" if proxy else "ref", ref.rec.addr)
        target = graph.record(at)
        if not at or (target is not None and target.kind.name == "none" and not proxy):
            return head + "; dead>"
        if graph.python >= (3, 13):
            # As PyType_GetFullyQualifiedName() has it.
            name = type_name(graph, at)
            if name.startswith("__main__."):
                name = name[len("__main__.") :]
        else:
            name = graph.classes.c_name(target.type) if target is not None else "?"
            if proxy:
                return head + " to %s at %#x>" % (name, at)
        return head + "; to '%s' at %#x%s>" % (name, at, Weakref._named(graph, at))

    @staticmethod
    def _named(graph: "Graph", at: int) -> str:
        """What has a __name__ shows it."""
        name = getattr(graph.get(at), "__name__", None)
        return " (%s)" % printable(name) if isinstance(name, str) else ""


Weakref.table = {"__callback__": field("callback")}


def _mro(ref: Ref) -> Any:
    return ref.graph.classes.mro(ref.rec.type)


def _method(ref: Ref, alive: Any) -> Any:
    """A WeakMethod gives the method of its object."""
    func = ref.graph.get(ref.attributes().get("_func_ref", 0))
    if alive is None or not isinstance(func, Weakref):
        return None
    return callables.BoundMethod(func(), alive)


class WeakProxy(Weakref):
    """Answers for what it stands for."""

    __slots__ = ()
    table: Dict[str, Getter] = {}

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            return Weakref.__getattribute__(self, name)
        return getattr(field("object")(ref_of(self)), name)


def _is_proxy(graph: "Graph", rec: Record) -> bool:
    return graph.classes.info(rec.type)[1].lower().endswith("proxytype") or (
        graph.classes.info(rec.type)[1].endswith("proxy")
    )


def _weak(graph: "Graph", rec: Record) -> Any:
    return WeakProxy(graph, rec) if _is_proxy(graph, rec) else Weakref(graph, rec)


class Super(Native):
    __slots__ = ()
    real = super
    table = {
        "__thisclass__": field("type"),
        "__self__": field("obj"),
        "__self_class__": lambda r: getattr(field("obj")(r), "__class__", None),
    }

    @staticmethod
    def show(ref: Ref) -> str:
        cls = ref.graph.classes.c_name(ref.rec.field("type")) or "?"
        at = ref.rec.field("obj")
        obj = ref.graph.record(at) if at else None
        shown = "<%s object>" % ref.graph.classes.c_name(obj.type) if obj else "NULL"
        return "<super: <class '%s'>, %s>" % (cls, shown)


_MAKERS: Dict[str, Callable[["Graph", Record], Any]] = {
    "function": callables.Function,
    "method": callables.make_method,
    "builtin": callables.Builtin,
    "descriptor": callables.Descriptor,
    "methodwrapper": callables.MethodWrapper,
    "property": callables.Property,
    "staticmethod": callables.StaticMethod,
    "classmethod": callables.ClassMethod,
    "code": executions.Code,
    "frame": executions.Frame,
    "traceback": executions.Traceback,
    "generator": executions.generator_class("gi", types.GeneratorType, "_yieldfrom"),
    "coroutine": executions.generator_class("cr", types.CoroutineType, "_await"),
    "async_generator": executions.generator_class("ag", types.AsyncGeneratorType, "_await"),
    "module": Module,
    "cell": Cell,
    "mappingproxy": Proxy,
    "weakref": _weak,
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
