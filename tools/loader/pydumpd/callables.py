# SPDX-License-Identifier: Apache-2.0
"""Surrogates of functions, methods, builtins, descriptors and properties."""

import types
from typing import TYPE_CHECKING, Any, List, Optional

from .marks import Placeholder, printable
from .meta import refuse
from .native import Native, field, text_field, type_name, value_text
from .records import Record
from .refs import KEY, Ref, find_ref, ref_of
from .surrogates import header

if TYPE_CHECKING:
    from .objects import Graph


def _qualname(ref: Ref) -> str:
    return text_field(ref, "qualname", value_text(ref) or "?")


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
        return field("dict")(ref) if ref.rec.field("dict") else {}

    @staticmethod
    def _annotations(ref: Ref) -> Any:
        found = field("annotations")(ref)
        if isinstance(found, dict) or found is None:
            return {} if found is None else found
        # A flat tuple of names and values is how 3.10 on keeps them.
        if isinstance(found, tuple) and len(found) % 2 == 0:
            return dict(zip(found[::2], found[1::2]))
        return found


Function.table = {
    "__name__": lambda r: text_field(r, "name", _qualname(r).rpartition(".")[2]),
    "__qualname__": _qualname,
    "__module__": field("module"),
    "__doc__": field("doc"),
    "__defaults__": field("defaults"),
    "__kwdefaults__": field("kwdefaults"),
    "__closure__": field("closure"),
    "__code__": field("code"),
    "__globals__": field("globals"),
    "__builtins__": field("builtins"),
    "__annotations__": Function._annotations,
    "__dict__": Function._dict,
}


class BoundMethod:
    """A bound method: dumped, or made here from a class attribute."""

    __slots__ = (KEY, "_parts", "__weakref__")

    def __init__(self, func: Any, self_: Any, ref: Optional[Ref] = None) -> None:
        object.__setattr__(self, "_parts", (func, self_))
        object.__setattr__(self, KEY, ref)

    @property
    def __func__(self) -> Any:
        ref = object.__getattribute__(self, KEY)
        if ref is None:
            return object.__getattribute__(self, "_parts")[0]
        return ref.graph.get(ref.rec.field("func"))

    @property
    def __self__(self) -> Any:
        ref = object.__getattribute__(self, KEY)
        if ref is None:
            return object.__getattribute__(self, "_parts")[1]
        return ref.graph.get(ref.rec.field("self"))

    @property
    def __class__(self) -> type:  # type: ignore
        return types.MethodType

    def __getattr__(self, name: str) -> Any:
        func = self.__func__
        for _ in range(16):
            if type(func) is not BoundMethod:
                return getattr(func, name)
            func = func.__func__
        raise AttributeError(name)  # a method of a method of ...

    @property
    def __doc__(self) -> Any:  # type: ignore
        return getattr(self.__func__, "__doc__", None)

    @property
    def __module__(self) -> Any:  # type: ignore
        return getattr(self.__func__, "__module__", None)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an object of a dump cannot be changed")

    def __dir__(self) -> List[str]:
        names = {"__func__", "__self__", "__class__", "__doc__", "__module__"}
        func = self.__func__
        return sorted(names | set(dir(func)) if isinstance(func, Native) else names)

    def __eq__(self, other: Any) -> Any:
        if type(other) is not BoundMethod:
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % self._name())

    def _name(self) -> str:
        func = self.__func__
        for name in ("__qualname__", "__name__"):
            try:
                return printable(str(getattr(func, name)))
            except AttributeError:
                continue
        return "?"

    def __repr__(self) -> str:
        owner = self.__self__
        ref = find_ref(owner)
        if ref is not None and not isinstance(owner, type):
            shown = header(owner)
        else:
            from .render import text

            shown = text(owner, 200)
        return "<bound method %s of %s>" % (self._name(), shown)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")


def make_method(graph: "Graph", rec: Record) -> Any:
    """A dumped bound method."""
    return BoundMethod(None, None, Ref(graph, rec))


class Builtin(Native):
    __slots__ = ()
    real = types.BuiltinFunctionType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % value_text(ref_of(self)))

    @staticmethod
    def show(ref: Ref) -> str:
        name, owner = printable(value_text(ref)), ref.rec.field("self")
        if not owner or ref.graph.kind_of(owner) == "module":
            return "<built-in function %s>" % name
        return "<built-in method %s of %s object at %#x>" % (
            name,
            type_name(ref.graph, owner),
            owner,
        )


def _method_class(ref: Ref) -> int:
    """The class that a builtin method is of; 0 for a function of a module."""
    graph, at = ref.graph, ref.rec.field("self")
    rec = graph.record(at)
    if rec is None or rec.kind.name == "module":
        return 0
    return at if rec.kind.name == "type" else rec.type


def _builtin_qualname(ref: Ref) -> str:
    owner = _method_class(ref)
    if not owner:
        return value_text(ref)
    return "%s.%s" % (ref.graph.classes.info(owner)[1], value_text(ref))


Builtin.table = {
    "__name__": value_text,
    "__qualname__": _builtin_qualname,
    "__self__": field("self"),
    "__module__": field("module"),
    "__doc__": lambda r: Placeholder("what C code says of itself, not in the dump"),
}


class Descriptor(Native):
    __slots__ = ()
    real = types.MethodDescriptorType

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse("%s()" % Descriptor.name(ref_of(self)))

    @staticmethod
    def name(ref: Ref) -> str:
        return value_text(ref).partition("\0")[2] or text_field(ref, "name")

    @staticmethod
    def show(ref: Ref) -> str:
        what = value_text(ref).partition("\0")[0]
        word = {"getset": "attribute", "wrapper": "slot wrapper", "classmethod": "method"}
        return "<%s '%s' of '%s' objects>" % (
            word.get(what, printable(what)),
            printable(Descriptor.name(ref)),
            ref.graph.classes.c_name(ref.rec.field("owner")) or "?",
        )


def _descriptor_qualname(ref: Ref) -> str:
    owner = ref.graph.classes.info(ref.rec.field("owner"))[1] or "?"
    return text_field(ref, "qualname", "%s.%s" % (owner, Descriptor.name(ref)))


Descriptor.table = {
    "__name__": Descriptor.name,
    "__qualname__": _descriptor_qualname,
    "__objclass__": field("owner"),
    "__doc__": lambda r: Placeholder("what C code says of itself, not in the dump"),
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
            type_name(ref.graph, owner),
            owner,
        )


MethodWrapper.table = {
    "__name__": MethodWrapper.name,
    "__qualname__": lambda r: getattr(r.graph.get(r.rec.field("descr")), "__qualname__", "?"),
    "__self__": field("self"),
    "__objclass__": lambda r: getattr(r.graph.get(r.rec.field("descr")), "__objclass__", None),
}


class Property(Native):
    __slots__ = ()
    real = property
    table = {
        "fget": field("fget"),
        "fset": field("fset"),
        "fdel": field("fdel"),
        "__doc__": lambda r: _doc(r),
    }


def _doc(ref: Ref) -> Any:
    # A subclass has it in the dict of the instance.
    own = ref.attributes().get("__doc__", 0)
    at = ref.rec.field("doc") or own
    return ref.graph.get(at) if at else None


class Wrapping(Native):
    """staticmethod or classmethod."""

    __slots__ = ()
    table = {"__func__": field("callable"), "__wrapped__": field("callable")}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(repr(self))

    @staticmethod
    def show(ref: Ref) -> str:
        if ref.graph.python < (3, 10):
            return "<%s object at %#x>" % (type_name(ref.graph, ref.rec.addr), ref.rec.addr)
        from .render import text

        inner = ref.graph.get(ref.rec.field("callable"))
        return "<%s(%s)>" % (ref.rec.kind.name, text(inner, 2000))


class StaticMethod(Wrapping):
    __slots__ = ()
    real = staticmethod


class ClassMethod(Wrapping):
    __slots__ = ()
    real = classmethod
