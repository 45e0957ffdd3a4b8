# SPDX-License-Identifier: Apache-2.0
"""What isinstance() and issubclass() say of a class whose metaclass answers
for itself: of abstract base classes as abc does, of others nothing."""

from typing import TYPE_CHECKING, Any, Dict, Iterator, Tuple

from .meta import refuse
from .refs import find_ref

if TYPE_CHECKING:
    from .objects import Graph

#: What the classes that look at methods look at, by where they are.
_METHODS = {
    "Hashable": "__hash__", "Iterable": "__iter__", "Iterator": "__iter__ __next__",
    "Reversible": "__reversed__ __iter__", "Sized": "__len__", "Container": "__contains__",
    "Callable": "__call__", "Collection": "__len__ __iter__ __contains__",
    "Generator": "__iter__ __next__ send throw close", "Awaitable": "__await__",
    "Coroutine": "__await__ send throw close", "AsyncIterable": "__aiter__",
    "AsyncIterator": "__anext__ __aiter__", "Buffer": "__buffer__",
    "AsyncGenerator": "__aiter__ __anext__ asend athrow aclose",
    "AbstractContextManager": "__enter__ __exit__",
    "AbstractAsyncContextManager": "__aenter__ __aexit__", "PathLike": "__fspath__",
}  # fmt: skip
_HOMES = ("collections.abc", "contextlib", "os")
#: Classes that are looked at for one answer.
_MOST = 2000


def instance_of(cls: Any, obj: Any) -> bool:
    """isinstance(obj, cls), where it is no object of that very class."""
    from .scope import class_of

    return _answer(cls, class_of(obj), "__instancecheck__")


def subclass_of(cls: Any, sub: Any) -> bool:
    """issubclass(sub, cls)."""
    return _answer(cls, sub, "__subclasscheck__")


def _answer(cls: Any, sub: Any, hook: str) -> bool:
    nominal = isinstance(sub, type) and type.__subclasscheck__(cls, sub)
    ref = find_ref(cls)
    if ref is None:
        return nominal
    graph = ref.graph
    found = graph.classes.find(ref.rec.type, hook)[0]
    if not found:
        return nominal
    func = graph.record(found)
    home = graph.string(func.field("module")) if func and func.kind.name == "function" else ""
    if not isinstance(sub, type):
        raise TypeError("issubclass() arg 1 must be a class")
    if home in ("abc", "_py_abc"):
        return _is_abstract(graph, ref.rec.addr, sub, set())
    if nominal and home == "typing":
        return True
    raise refuse("%s of %s" % (hook, graph.classes.info(ref.rec.type)[1]))


def _is_abstract(graph: "Graph", addr: int, sub: type, seen: Any) -> bool:
    """As ABCMeta.__subclasscheck__() answers for the class at addr."""
    if addr in seen:
        return False
    seen.add(addr)
    classes = graph.classes
    if len(seen) > _MOST:
        raise refuse("isinstance(), of too many classes")
    hook = classes.find(addr, "__subclasshook__")[0]
    names = _methods(graph, addr, hook)
    if names:
        if all(_has(sub, name) for name in names):
            return True
    elif hook and not _is_theirs(graph, addr, hook):
        raise refuse("%s.__subclasshook__()" % classes.info(addr)[1])
    made = classes.get(addr)
    if type.__subclasscheck__(made, sub):
        return True
    for found in _below(graph, addr):
        rec = graph.record(found)
        if rec is None or rec.kind.name != "type":
            continue
        there = classes.get(found)
        if type.__subclasscheck__(there, sub):
            return True
        if classes.overrides(rec.type, "__subclasscheck__"):
            if _is_abstract(graph, found, sub, seen):
                return True
    return False


def _methods(graph: "Graph", addr: int, hook: int) -> Tuple[str, ...]:
    """The methods that the class at addr asks for, when it is one of those
    that ask for methods."""
    module, name, _ = graph.classes.info(addr)
    rec = graph.record(addr)
    own = rec is not None and "__subclasshook__" in graph.namespace(rec.field("dict"))
    if not own or not hook or module not in _HOMES or name not in _METHODS:
        return ()
    return tuple(_METHODS[name].split())


def _is_theirs(graph: "Graph", addr: int, hook: int) -> bool:
    """Whether a hook is inherited from one of those classes: it answers for
    the class that has it alone."""
    for owner in graph.classes.mro(addr)[1:]:
        rec = graph.record(owner)
        if rec is not None and graph.namespace(rec.field("dict")).get("__subclasshook__") == hook:
            return bool(_methods(graph, owner, hook)) or graph.classes.name(owner) in (
                "typing.Protocol", "typing.Generic"
            )  # fmt: skip
    return False


def _has(sub: type, name: str) -> bool:
    """Whether a class has a method, and not None in its place."""
    ref = find_ref(sub)
    if ref is None:
        for base in type.__getattribute__(sub, "__mro__"):
            names = type.__getattribute__(base, "__dict__")
            if name in names:
                return names[name] is not None
        return False
    graph = ref.graph
    for owner in graph.classes.mro(ref.rec.addr):
        real = graph.classes.real(owner)
        if real is not None:
            if name in vars(real):
                return vars(real)[name] is not None
            continue
        rec = graph.record(owner)
        at = graph.namespace(rec.field("dict")).get(name, 0) if rec is not None else 0
        if at:
            return graph.kind_of(at) != "none"
    return False


def _below(graph: "Graph", addr: int) -> Iterator[int]:
    """What was registered for the class at addr, and the classes of its module
    that derive from it: what was registered for others is not known."""
    rec = graph.record(addr)
    names = graph.namespace(rec.field("dict")) if rec is not None else {}
    impl = graph.record(names.get("_abc_impl", 0))
    if impl is None or impl.kind.name != "record":
        raise refuse("isinstance() with %s" % graph.classes.info(addr)[1])
    for (_, field), value in zip(impl.shape, impl.values):
        registry = graph.record(value) if field == "registry" and value else None
        for weak in registry.rest() if registry is not None else ():
            entry = graph.record(weak)
            if entry is not None and entry.kind.name == "weakref" and entry.field("object"):
                yield entry.field("object")
    for at in _module(graph, addr).values():
        if at != addr and graph.kind_of(at) == "type" and addr in graph.classes.mro(at):
            yield at


def _module(graph: "Graph", addr: int) -> Dict[str, int]:
    """What the module of a class has."""
    home = graph.classes.info(addr)[0]
    for each in graph.dump.interpreters if graph.dump is not None else ():
        modules = graph.namespace(each.get("modules", 0))
        for name in (home, "_collections_abc" if home == "collections.abc" else home):
            module = graph.record(modules.get(name, 0))
            if module is not None and module.kind.name == "module":
                found = graph.namespace(module.field("dict"))
                if addr in found.values():
                    return found
    # Not known as a module: what its functions see.
    rec = graph.record(addr)
    for at in graph.namespace(rec.field("dict")).values() if rec is not None else ():
        func = graph.record(at)
        if func is not None and func.kind.name == "function":
            return graph.namespace(func.field("globals"))
    raise refuse("isinstance() with %s" % graph.classes.info(addr)[1])
