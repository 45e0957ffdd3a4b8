# SPDX-License-Identifier: Apache-2.0
"""Instances of the program: how they are made, what attribute access and repr
find, and the hooks that their classes have for that."""

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from .marks import NotDumpedError, Placeholder, describe, printable
from .meta import SurrogateMeta, asked, refuse
from .records import Record
from .refs import KEY, Ref, find_ref, ref_of
from .swift import plain_attribute

if TYPE_CHECKING:
    from .objects import Graph

ORIGIN_INLINE, ORIGIN_SLOT, ORIGIN_DICT, ORIGIN_MEMBER, ORIGIN_GUESS = range(5)
STORAGE = (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset
)  # fmt: skip


def adopt(obj: Any, graph: "Graph", rec: Record, cls: Any = None) -> Any:
    """Makes obj the surrogate for a record."""
    object.__setattr__(obj, KEY, Ref(graph, rec, cls))
    return obj


def make_instance(graph: "Graph", rec: Record) -> Any:
    """The surrogate of an object without a builtin's storage, or the real
    object of a standard type."""
    from . import standard

    cls = graph.classes.get(rec.type)
    claim = None
    entry = graph.classes.entry_of(rec.type)
    if entry is not None and entry.make is not None:
        made = standard.make(graph, rec, cls, entry)
        if made is not None:
            if isinstance(type(made), SurrogateMeta):
                adopt(made, graph, rec)
            return made
        if isinstance(cls, SurrogateMeta) and not entry.python:  # not to be made as real
            claim, cls = cls, graph.classes.without_base(rec, cls, entry.mixin)
    elif (entry is None or entry.mixin is None) and (rec.kind.name == "mapping" or len(rec.rest())):
        if isinstance(cls, SurrogateMeta):
            claim, cls = cls, graph.classes.with_items(rec, cls)
    if entry is not None and entry.container is not None:
        claim, cls = cls, graph.classes.without_base(rec, cls, entry.container.mixin)
    if not isinstance(cls, SurrogateMeta):
        if cls is type or storage_base(cls) or issubclass(cls, BaseException):
            return _without_storage(graph, rec)
        # An instance of a builtin type that the loader has no kind for.
        key = ("opaque", rec.type)
        made = graph.classes._wrapped.get(key)  # type: ignore
        if made is None:
            bases = (object,) if entry is None or entry.mixin is None else (entry.mixin,)
            made = graph.classes._new(cls.__qualname__, cls.__module__, bases, None)
            graph.classes._wrapped[key] = made  # type: ignore
        claim, cls = cls, made
    base = None
    if entry is not None and entry.container is None and entry.make is None:
        base = entry.mixin.base if entry.mixin is not None else entry.real
    try:
        obj = (base or object).__new__(cls)
    except (TypeError, ValueError, AttributeError):
        if entry is None or storage_base(cls) or issubclass(cls, BaseException):
            return _without_storage(graph, rec)
        # Of a real standard type, but not to be made as one.
        claim, cls = cls, graph.classes.without_base(rec, cls)
        obj = object.__new__(cls)
    return adopt(obj, graph, rec, claim)


def _without_storage(graph: "Graph", rec: Record) -> Placeholder:
    name = graph.classes.name(rec.type)
    return Placeholder("corrupt: %s at %#x without its storage" % (name, rec.addr), rec.addr)


def lookup(obj: Any, ref: Ref, name: str) -> Any:
    """What obj.name gives, for an instance; AttributeError when nothing."""
    graph, rec = ref.graph, ref.rec
    if name == "__class__":
        return ref.cls or type(obj)
    if name == "__dict__":
        d = ref.instance_dict()
        if d is None and graph.classes.gives_dict(rec.type):
            d = ref.dict = {}  # not made yet
        if d is None:
            raise AttributeError(_no_attribute(graph, rec, name))
        return d
    inline = plain_attribute(graph, obj, rec, name)
    if inline is not None:
        return graph.get(inline)
    found, real, kind = graph.classes.resolve(rec.type, name)
    attrs = ref.attributes()
    if found and kind == "descriptor" and isinstance(obj, tuple):
        from .standard import classes_

        have, value = classes_.member_value(obj, ref, name)
        if have:
            return value
    if found and kind in ("object", "record", "property") and isinstance(obj, tuple):
        index = _tuple_field(graph, rec, found, name)
        if index is not None and index < len(obj):
            return obj[index]
    if kind == "property":
        return not_run(graph, "property", name, rec)
    if found and kind in ("object", "record"):
        from .standard import ctypes_

        if ctypes_.is_field(graph, found) and isinstance(obj, ctypes_.CData):
            return ctypes_.CData._get(obj, found)
    fields = ref.fields
    # By storage: a stand-in claims the class of what it stands for.
    mine = real is not None and real in type.__getattribute__(type(obj), "__mro__")
    if kind == "descriptor" and name not in fields:
        entry = graph.classes.entry_of(rec.type)
        if entry is not None and defines(entry.mixin, name):
            return object.__getattribute__(obj, name)
    if not mine and not found and (real is not None or name not in ref.fields):
        # Items of a type that only the dump knows, or of one not made as real.
        for c in type.__getattribute__(type(obj), "__mro__")[1:3]:
            if not isinstance(c, SurrogateMeta) and defines(c, name):
                return object.__getattribute__(obj, name)
    if mine and isinstance(static(real, name), property):
        return object.__getattribute__(obj, name)
    if kind == "descriptor" and name in fields:  # before the instance's own
        return fields[name]
    if name in attrs:
        return graph.get(attrs[name])
    if mine and real is not object:
        return object.__getattribute__(obj, name)
    if name in fields:
        return fields[name]
    if found:
        return bind(graph, obj, found, kind, name, rec)
    if mine:
        return object.__getattribute__(obj, name)
    if real is not None and not issubclass(real, BaseException):
        return not_run(graph, "attribute", name, rec)
    if name in vars(object):
        return object.__getattribute__(obj, name)
    for (origin, slot), value in zip(rec.shape, rec.values):
        if origin == ORIGIN_GUESS and slot == name and value:
            return graph.get(value)
    raise AttributeError(_no_attribute(graph, rec, name))


def _tuple_field(graph: "Graph", rec: Record, found: int, name: str) -> Optional[int]:
    """The position of a field of a named tuple, when found is its getter."""
    getter = graph.record(found)
    if getter is None:
        return None
    if getter.kind.name == "property":
        if graph.python >= (3, 8):  # where these are no properties
            return None
    elif graph.classes.name(getter.type).lstrip("_") != "collections._tuplegetter":
        return None
    at = graph.classes.find(rec.type, "_fields")[0]
    fields = graph.strings(at) if at else []
    return fields.index(name) if name in fields else None


def defines(mixin: Any, name: str) -> bool:
    """Whether a mixin of a standard type answers for an attribute."""
    if mixin is None or name in _NOT_PUBLIC:
        return False
    if name[:1] == "_" and name[:2] != "__" and name not in getattr(mixin, "_public", ()):
        return False
    if name == "__repr__":
        name = "_shown"
    return not isinstance(mixin, SurrogateMeta) and any(name in vars(c) for c in mixin.__mro__[:-1])


_NOT_PUBLIC = {
    "base", "_shown", "__module__", "__doc__",
    "__dict__", "__slots__", "__weakref__", "__qualname__",
    "__orig_bases__", "__parameters__", "__annotations__", "__annotate__",
    "__firstlineno__", "__static_attributes__",
}  # fmt: skip


def _no_attribute(graph: "Graph", rec: Record, name: str) -> str:
    if not rec.type or graph.record(rec.type) is None:
        return "attribute %r is not known: the type was not dumped" % name
    text = "%r object has no attribute %r" % (graph.classes.c_name(rec.type), name)
    spaces = [value for (origin, _), value in zip(rec.shape, rec.values) if origin == ORIGIN_DICT]
    for owner in graph.classes.mro(rec.type):
        cls = graph.record(owner)
        if graph.classes.real(owner) is None and cls is not None:
            spaces.append(cls.field("dict"))
    if any(map(graph.missing, spaces)):
        return "attribute %r is not known: not all names are in the dump" % name
    if graph.classes.overrides(rec.type, "__getattr__"):
        text += " in the dump (its __getattr__ is not run)"
    return text


def not_run(graph: "Graph", what: str, name: str, rec: Record) -> Placeholder:
    """What stands for a value that only code could tell."""
    cls = graph.classes.info(rec.type)[1].rpartition(".")[2] or "?"
    return Placeholder("%s %s of %s, not run" % (what, name, cls))


#: Types of callables that bind as functions do.
_BINDING = {"functools._lru_cache_wrapper", "functools.partial", "cython_function_or_method"}


def bind(graph: "Graph", obj: Any, found: int, kind: str, name: str, rec: Record) -> Any:
    from . import callables

    inner = graph.record(found)
    if kind == "function":
        return callables.BoundMethod(graph.get(found), obj)
    if kind == "property":
        return not_run(graph, "property", name, rec)
    if kind == "staticmethod" and inner:
        return graph.get(inner.field("callable"))
    if kind == "classmethod" and inner:
        return callables.BoundMethod(graph.get(inner.field("callable")), graph.get(rec.type))
    if kind == "descriptor" and inner:
        what = inner.data.partition(b"\0")[0]
        if what == b"member":
            raise AttributeError(name)
        if what == b"getset":
            return not_run(graph, "attribute", name, rec)
        return callables.BoundMethod(graph.get(found), obj)
    described = inner is not None and kind in ("object", "record")
    if described and graph.classes.overrides(inner.type, "__get__"):  # type: ignore
        if graph.classes.name(inner.type) in _BINDING:  # type: ignore
            return callables.BoundMethod(graph.get(found), obj)
        return not_run(graph, "descriptor", name, rec)
    return graph.get(found)


def _exception_getattribute(self: Any, ref: Ref, name: str) -> Any:
    graph, rec = ref.graph, ref.rec
    if name == "__traceback__":
        if ref.extra is None:
            from . import frames

            ref.extra = frames.traceback_of(graph, rec.field("traceback")) or False
        return ref.extra or None
    if name in ("__cause__", "__context__"):
        at = rec.field(name.strip("_"))
        cause = graph.get(at) if at else None
        if cause is None or isinstance(cause, BaseException):
            return cause
        # What prints tracebacks takes nothing else here: say it as one.
        return NotDumpedError("%r" % (cause,))
    if name == "__suppress_context__":
        return rec.data[:1] == b"\1"
    if name == "__notes__":
        at = rec.field("notes") or graph.namespace(rec.field("dict")).get(name, 0)
        if at:
            return graph.get(at)
        raise AttributeError(_no_attribute(graph, rec, name))
    if name == "__dict__":
        d = ref.instance_dict()
        return {} if d is None else d
    if name == "args":
        return BaseException.__getattribute__(self, name)
    extra = graph.namespace(rec.field("dict"))
    if name in extra:
        return graph.get(extra[name])
    return lookup(self, ref, name)


def _getattribute(self: Any, name: str) -> Any:
    ref = object.__getattribute__(self, KEY)
    if not isinstance(ref, Ref):
        return object.__getattribute__(self, name)
    if issubclass(type(self), BaseException) and name != "__class__":
        return _exception_getattribute(self, ref, name)
    return lookup(self, ref, name)


def _dir(self: Any) -> List[str]:
    ref = find_ref(self)
    if ref is None:
        return list(object.__dir__(self))
    names = set(ref.attributes()) | set(dir(ref.cls or type(self))) | set(ref.fields)
    names.update(n for (o, n), v in zip(ref.rec.shape, ref.rec.values) if o == ORIGIN_GUESS and v)
    if issubclass(type(self), BaseException):
        names.update(ref.graph.namespace(ref.rec.field("dict")))
    return sorted(names)


def header(obj: Any) -> str:
    """<module.Class object at 0x...> for a surrogate."""
    ref = ref_of(obj)
    name = ref.graph.classes.name(ref.rec.type)
    if not name:
        name = "object of a type that was not dumped (%#x)," % ref.rec.type
    note = " " + describe(ref.rec.mark) if ref.rec.mark else ""
    return "<%s object at %#x%s>" % (name, ref.rec.addr, note)


def _repr(self: Any) -> str:
    ref = find_ref(self)
    if ref is None:
        return object.__repr__(self)
    if issubclass(type(self), BaseException):
        name = ref.graph.classes.info(ref.rec.type)[1].rpartition(".")[2]
        from .render import text

        args = BaseException.__getattribute__(self, "args")
        inner = text(args)
        shown = inner[1:-2] if len(args) == 1 and inner.endswith(",)") else inner[1:-1]
        if issubclass(type(self), ImportError) and ref.graph.python >= (3, 15):
            more = [(n, getattr(self, n, None)) for n in ("name", "path")]
            parts = ["%s=%s" % (n, text(v)) for n, v in more if v is not None]
            shown = ", ".join([shown, *parts] if shown else parts)
        return "%s(%s)" % (printable(name) or type(self).__name__, shown)
    from .render import text

    if _has_shown(type(self), ref):
        return text(self)
    base = storage_base(type(self))
    if base is None:
        return header(self)
    if base in (list, tuple, dict, set, frozenset):
        from .render import text

        return text(self)
    before, after = repr_frame(ref)
    return before + base.__repr__(self) + after


def static(cls: Any, name: str) -> Any:
    """What a real class has under a name, without any descriptor at work."""
    for base in type.__getattribute__(cls, "__mro__"):
        if base is not object and name in type.__getattribute__(base, "__dict__"):
            return type.__getattribute__(base, "__dict__")[name]
    return None


def shown_of(value: Any) -> Any:
    """How an object of a standard type prints: text, a Shown, or None."""
    cls = type(value)
    from . import standard

    if not isinstance(cls, SurrogateMeta):
        show = standard.REAL_SHOWN.get(cls)
        return None if show is None else show(value)
    ref = find_ref(value)
    if ref is None:
        return None
    out: Any = None
    for owner in type.__getattribute__(cls, "__mro__"):
        own = type.__getattribute__(owner, "__dict__").get("_shown")
        own = own or standard.REAL_SHOWN.get(owner)
        if own is not None:
            out = standard.shown_or_generic(own, value)
            break
    if out is None and ref.rec.kind.name in ("record", "mapping"):
        real = next((b for b in type.__getattribute__(cls, "__mro__") if b in standard.REALS), None)
        if real is not None and real.__repr__ is object.__repr__:
            return header(value)
        out = real.__repr__(value) if real is not None else standard.generic(value)
    if out is None:
        return None
    out = standard.with_mark(out, ref)
    before, after = repr_frame(ref)
    if isinstance(out, str):
        return before + out + after
    return out._replace(before=before + out.before, after=out.after + after)


def _has_shown(cls: type, ref: Ref) -> bool:
    """Whether shown_of() has a way, without going it."""
    from . import standard

    if ref.rec.kind.name in ("record", "mapping"):
        return True
    for owner in type.__getattribute__(cls, "__mro__"):
        if "_shown" in type.__getattribute__(owner, "__dict__") or owner in standard.REAL_SHOWN:
            return True
    return False


def repr_frame(ref: Ref) -> Tuple[str, str]:
    """What goes around the builtin repr of a subclass: its name and address,
    when the program gave it a repr of its own, which is not run."""
    rec, classes = ref.rec, ref.graph.classes
    owner = classes.repr_owner(rec.type)
    if not owner or (rec.kind.name in ("record", "mapping") and classes.is_c(owner)):
        return "", ""
    return "<%s object at %#x: " % (classes.name(rec.type), rec.addr), ">"


def is_of_enum(graph: "Graph", at: int) -> bool:
    """Whether a function is one of enum's, which it puts into classes."""
    rec = graph.record(at)
    if rec is None or rec.kind.name != "function":
        return False
    return graph.string(rec.field("module")) == "enum"


def native_base(cls: type, base: type) -> Any:
    """The builtin, or type of the standard library, of which cls is made."""
    for found in type.__getattribute__(cls, "__mro__"):
        if not isinstance(found, SurrogateMeta) and issubclass(found, base):
            return found
    return base


def storage_base(cls: type) -> Optional[type]:
    """The builtin whose storage the class has, or None."""
    for base in type.__getattribute__(cls, "__mro__"):
        if base in STORAGE:
            return base
    return None


def exception_str(self: Any) -> str:
    ref = find_ref(self)
    if ref is not None:
        found = ref.graph.classes.find(ref.rec.type, "__str__")[0]
        if ref.graph.kind_of(found) == "function":
            args = BaseException.__getattribute__(self, "args")
            from .render import text

            shown = args[0] if len(args) == 1 and isinstance(args[0], str) else text(args, 2000)
            return "%s <its __str__ is not run>" % (shown if args else "")
    if ref is not None and "exceptions" in ref.attributes():
        group = ref.graph.get(ref.attributes()["exceptions"])
        message = ref.graph.get(ref.attributes().get("message", 0))
        n = len(group) if isinstance(group, tuple) else 0
        return "%s (%d sub-exception%s)" % (message, n, "" if n == 1 else "s")
    for base in type.__getattribute__(type(self), "__mro__"):
        own = type.__getattribute__(base, "__dict__").get("__str__")
        if own is not None and own is not exception_str:
            try:
                return own(self)
            except Exception as e:  # C code over attributes that are not there
                return "<no message: %s>" % e
    return ""


def _no_pickle(self: Any, protocol: Any) -> Any:
    raise TypeError("an object of a dump cannot be pickled")


def _setattr(self: Any, name: str, value: Any) -> None:
    raise AttributeError("an object of a dump cannot be changed")


HOOKS: Dict[str, Any] = {
    "__getattribute__": _getattribute,
    "__dir__": _dir,
    "__repr__": _repr,
    "__setattr__": _setattr,
    "__reduce_ex__": _no_pickle,
    "__doc__": None,
}


def _refusal(name: str) -> Any:
    def refusing(self: Any, *args: Any, **kwargs: Any) -> Any:
        cls = ref_of(self).graph.classes.info(ref_of(self).rec.type)[1]
        raise refuse("%s.%s()" % (cls, name))

    return refusing


def _native(obj: Any, name: str) -> Any:
    """What the builtin that an object derives from has under a name."""
    for base in type.__getattribute__(type(obj), "__mro__"):
        if not isinstance(base, SurrogateMeta):
            found = type.__getattribute__(base, "__dict__").get(name)
            if found is not None:
                return found
    return None


def guard(name: str, gone: bool) -> Any:
    """The hook for a special method that a class of the program has instead of
    a builtin's: the loader itself goes on with the builtin's, all others are
    refused. gone: the class has None there."""

    def guarding(self: Any, *args: Any, **kwargs: Any) -> Any:
        if asked():
            cls = ref_of(self).graph.classes.info(ref_of(self).rec.type)[1]
            if gone:
                raise TypeError("%s of %r is None" % (name, printable(cls)))
            raise refuse("%s.%s()" % (cls, name))
        found = _native(self, name)
        if found is not None:
            return found(self, *args, **kwargs)
        if name == "__bool__":
            found = _native(self, "__len__")
            return found is None or found(self) != 0
        return _refusal(name)(self)

    return guarding


def hashed(self: Any) -> int:
    """The hash of what the program compares its own way, or cannot hash: for
    the loader, which keeps it in dicts where the program did, by identity."""
    if not asked():
        return object.__hash__(self)
    ref = ref_of(self)
    graph = ref.graph
    found, real = graph.classes.find(ref.rec.type, "__hash__")
    gone = graph.kind_of(found) == "none" if found else static(real, "__hash__") is None
    if gone and (found or real in STORAGE):
        name = graph.classes.c_name(ref.rec.type)
        raise TypeError("unhashable type: %r" % name)
    if found and graph.kind_of(found) == "function" and not is_library(graph, found):
        raise refuse("%s.__hash__()" % graph.classes.info(ref.rec.type)[1])
    return object.__hash__(self)


def is_library(graph: "Graph", at: int) -> bool:
    """Whether a function is of a library that the loader knows types of."""
    from .standard.areas import AREAS, package_of

    rec = graph.record(at)
    if rec is None or rec.kind.name != "function":
        return True
    package = package_of(graph.string(rec.field("module")) or "")
    return package == "abc" or any(package in words.split() for words in AREAS.values())


def _equal(self: Any, other: Any) -> Any:
    return True if self is other else _refusal("__eq__")(self, other)


#: Special methods that have no answer here when the program defines them.
REFUSALS: Dict[str, Any] = {
    "__%s__" % name: _refusal("__%s__" % name)
    for name in (
        "len iter next reversed getitem contains call bool ne lt le gt ge int float complex index "
        "round neg pos abs invert add sub mul matmul truediv floordiv mod divmod pow lshift rshift "
        "and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift "
        "rand rxor ror missing enter exit setitem delitem bytes fspath length_hint await aiter "
        "anext instancecheck subclasscheck"
    ).split()
}
REFUSALS["__eq__"] = _equal
