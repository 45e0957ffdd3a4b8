# SPDX-License-Identifier: Apache-2.0
"""Classes and instances of the program, made again at load time.

A surrogate class has the name, bases and attributes of the program's class,
but nothing of it runs: its namespace here holds our own hooks only, and what
the program's class holds is decoded when someone asks for it by name.
"""

import builtins
import types
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple

from .dumpfile import Record, utf8
from .fields import FIELD, Fields
from .marks import NotDumpedError, Placeholder, describe, printable
from .refs import KEY, Ref, find_ref, ref_of

if TYPE_CHECKING:
    from .objects import Graph

ORIGIN_INLINE, ORIGIN_SLOT, ORIGIN_DICT, ORIGIN_MEMBER, ORIGIN_GUESS = range(5)
_HEAPTYPE = 1 << 9
_IMMUTABLE = 1 << 8

#: Builtin types of the program that are the same types here. Only static
#: types are looked up, by name, in this table; nothing is imported.
REAL_TYPES: Dict[Tuple[str, str], type] = {
    ("builtins", name): obj for name, obj in vars(builtins).items() if isinstance(obj, type)
}
for _t in vars(types).values():
    if isinstance(_t, type) and _t.__module__ == "builtins":
        REAL_TYPES.setdefault(("builtins", _t.__name__), _t)
for _t in (type(None), type(NotImplemented), type(Ellipsis)):
    REAL_TYPES[("builtins", _t.__name__)] = _t

_STORAGE = (
    int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset
)  # fmt: skip
_CALL = "this is a dump: nothing of the program runs (%s)"


class DumpCallError(TypeError):
    """Something of the program was called."""


def refuse(what: str) -> DumpCallError:
    """The error for a call of something of the program."""
    return DumpCallError(_CALL % printable(what))


class SurrogateMeta(type):
    """The class of surrogate classes. Explicit attribute access is answered
    from the dump; what Python looks up by itself finds our own hooks."""

    def __getattribute__(cls, name: str) -> Any:
        ref = type.__getattribute__(cls, "__dict__").get(KEY)
        if not isinstance(ref, Ref):
            return type.__getattribute__(cls, name)
        return ref.graph.classes.attribute(cls, ref, name)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        ref = find_ref(cls)
        if ref is not None:
            # The frame's OrderedDict is as good as our own.
            entry = ref.graph.classes.entry(ref.rec.addr)
            if entry is not None and entry.mixin is not None and entry.mixin.base is not None:
                return entry.mixin.base(*args, **kwargs)
        raise refuse("%s()" % type.__getattribute__(cls, "__name__"))

    def __iter__(cls) -> Any:
        return iter([getattr(cls, n) for n in _enum_names(cls, "iterable")])

    def __reversed__(cls) -> Any:
        return reversed([getattr(cls, n) for n in _enum_names(cls, "reversible")])

    def __len__(cls) -> int:
        return len(_enum_names(cls, "sized"))

    def __bool__(cls) -> bool:
        return True

    def __contains__(cls, value: Any) -> bool:
        return any(getattr(cls, n) is value for n in _enum_names(cls, "a container"))

    def __getitem__(cls, key: Any) -> Any:
        _enum_names(cls, "subscriptable here")
        ref = ref_of(cls)
        from .standard import enum_

        found = enum_.members(ref.graph, ref.rec.addr)
        if key not in found:
            raise KeyError(key)
        return ref.graph.get(found[key])

    def __dir__(cls) -> List[str]:
        ref = find_ref(cls)
        if ref is None:
            return list(type.__dir__(cls))
        names = set(dir(object))
        for owner in ref.graph.classes.mro(ref.rec.addr):
            names.update(ref.graph.classes.names(owner))
        return sorted(names)

    def __repr__(cls) -> str:
        ref = find_ref(cls)
        full = ref.graph.classes.name(ref.rec.addr) if ref else ""
        if ref is not None:
            meta = ref.graph.classes.name(ref.rec.type)
            if full == "typing.Any" and meta == "typing._AnyMeta":
                return full
            from .standard import enum_

            if enum_.is_enum(ref.graph, ref.rec.addr):
                return ref.graph.classes.enum_repr(ref.rec.addr)
        return "<class '%s'>" % (full or printable(type.__getattribute__(cls, "__name__")))


def _enum_names(cls: Any, what: str) -> Tuple[str, ...]:
    """The names of the members of an enumeration; TypeError of other classes."""
    from .standard import enum_

    ref = find_ref(cls)
    if ref is None or not enum_.is_enum(ref.graph, ref.rec.addr):
        raise TypeError("type %r is not %s" % (type.__getattribute__(cls, "__name__"), what))
    return enum_.unique(ref.graph, ref.rec.addr)


def _clean(text: str) -> str:
    return printable(text, 1000) or "?"


class _Quiet:
    """Keeps real classes, such as random.Random, from looking at what derives
    from them while that is made."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        pass


class Classes:
    """The surrogate classes of a graph."""

    def __init__(self, graph: "Graph") -> None:
        self.graph = graph
        self._made: Dict[int, Any] = {}
        self._wrapped: Dict[type, type] = {}
        self._info: Dict[int, Tuple[str, str, int]] = {}
        self._mros: Dict[int, List[int]] = {}
        self._unknown: Dict[int, type] = {}
        self._real: Dict[int, Optional[type]] = {}
        self._entries: Dict[int, Any] = {}

    # -- what the dump says of a type

    def info(self, addr: int) -> Tuple[str, str, int]:
        """Module, qualified name, flags."""
        info = self._info.get(addr)
        if info is None:
            rec = self.graph.record(addr)
            info = ("", "", 0)
            if rec is not None and rec.kind.name == "type":
                head, _, tail = rec.data.partition(b"\0")
                name, _, nums = tail.partition(b"\0")
                flags = int.from_bytes(nums[16:24], "little") if len(nums) >= 24 else 0
                info = (utf8(head), utf8(name), flags)
            self._info[addr] = info
        return info

    def name(self, addr: int) -> str:
        """module.qualname, without the module for builtins; "" when unknown."""
        module, name, _ = self.info(addr)
        if not module or module == "builtins":
            return _clean(name) if name else ""
        return _clean("%s.%s" % (module, name))

    def c_name(self, addr: int) -> str:
        """tp_name: of a class of the program without the module."""
        flags = self.info(addr)[2]
        if flags & _HEAPTYPE and not flags & _IMMUTABLE:
            return _clean(self.info(addr)[1].rpartition(".")[2])
        return self.name(addr)

    def enum_repr(self, addr: int) -> str:
        """What the metaclass of enums says of a class."""
        what = "enum"
        if self.graph.python >= (3, 11):
            if any(self.name(base) == "enum.Flag" for base in self.mro(addr)):
                what = "flag"
        return "<%s %r>" % (what, _clean(self.info(addr)[1].rpartition(".")[2]))

    def real(self, addr: int) -> Optional[type]:
        """The builtin type that the type at addr is, if it is one."""
        if addr not in self._real:
            module, name, flags = self.info(addr)
            found = None if flags & _HEAPTYPE else REAL_TYPES.get((module, name))
            if found is None:
                entry = self.entry(addr)
                found = entry.real if entry is not None else None
            self._real[addr] = found
        return self._real[addr]

    def entry(self, addr: int) -> Any:
        """The entry of the type at addr itself among the standard types."""
        if addr not in self._entries:
            from . import standard

            entry = standard.lookup(self.name(addr))
            if entry is None:
                from .standard import classes_

                entry = classes_.detect(self.graph, addr)
            if entry is not None and entry.real and not entry.python and not self.is_c(addr):
                entry = None  # a class of the program that has that name
            self._entries[addr] = entry
        return self._entries[addr]

    def entry_of(self, addr: int) -> Any:
        """The first entry along the MRO of the type at addr."""
        for owner in self.mro(addr):
            entry = self.entry(owner)
            if entry is not None:
                return entry
        return None

    def is_c(self, addr: int) -> bool:
        """Whether the type was made by C code, not by a class statement."""
        flags = self.info(addr)[2]
        if not flags & _HEAPTYPE or flags & _IMMUTABLE:
            return True
        rec = self.graph.record(addr)
        names = self.graph.namespace(rec.field("dict")) if rec is not None else {}
        for at in names.values():
            inner = self.graph.record(at)
            if inner is not None and inner.kind.name == "descriptor":
                if inner.data.startswith(b"wrapper\0") and inner.field("owner") == addr:
                    return True
        return False

    def mro(self, addr: int) -> List[int]:
        """The addresses of the method resolution order."""
        mro = self._mros.get(addr)
        if mro is None:
            mro = []
            rec = self.graph.record(addr)
            if rec is not None and rec.kind.name == "type":
                for name in ("mro", "bases"):
                    tup = self.graph.record(rec.field(name))
                    if tup is not None and tup.kind.name == "tuple":
                        mro = [r for r in tup.rest() if r and r & 3 != 3]
                        break
            if not mro or mro[0] != addr:
                mro = [addr] + [a for a in mro if a != addr]
            self._mros[addr] = mro
        return mro

    def names(self, addr: int) -> List[str]:
        """The names in a type's own namespace."""
        real = self.real(addr)
        if real is not None:
            return list(vars(real))
        rec = self.graph.record(addr)
        return list(self.graph.namespace(rec.field("dict"))) if rec else []

    def find(self, addr: int, name: str) -> Tuple[int, Optional[type]]:
        """Looks a class attribute up: its reference, or the real builtin type
        that has it; (0, None) when no class has it."""
        for owner in self.mro(addr):
            real = self.real(owner)
            if real is not None:
                if name in vars(real):
                    return 0, real
                continue
            entry = self.entry(owner)
            if entry is not None and entry.mixin is not None:
                if _defines(entry.mixin, name):
                    return 0, entry.mixin
                if entry.mixin.base is not None and name in vars(entry.mixin.base):
                    return 0, entry.mixin.base
            rec = self.graph.record(owner)
            if rec is not None and rec.kind.name == "type":
                ref = self.graph.namespace(rec.field("dict")).get(name)
                if ref:
                    return ref, None
        return 0, None

    def repr_owner(self, addr: int) -> int:
        """The type whose repr is not run here: the first with one of its own
        before what the loader knows to print; 0 for none."""
        if self.real(addr) is not None:
            return 0
        for owner in self.mro(addr):
            entry = self.entry(owner)
            if self.real(owner) is not None:
                return 0
            if entry is not None and (entry.mixin is None or _defines(entry.mixin, "__repr__")):
                return 0
            rec = self.graph.record(owner)
            if rec is not None and rec.kind.name == "type":
                at = self.graph.namespace(rec.field("dict")).get("__repr__")
                if at:
                    return 0 if _is_of_enum(self.graph, at) else owner
        return 0

    def overrides(self, addr: int, name: str) -> bool:
        """Whether a class of the program, not a builtin, defines name."""
        return self.find(addr, name)[0] != 0

    # -- classes

    def get(self, addr: int) -> Any:
        """The class at an address: a real builtin or a surrogate."""
        if addr in self._made:
            return self._made[addr]
        stack, active = [addr], {addr}
        while stack:
            top = stack[-1]
            missing = [b for b in self._bases(top) if b not in self._made and b not in active]
            if missing:
                stack.append(missing[0])
                active.add(missing[0])
                continue
            stack.pop()
            active.discard(top)
            if top not in self._made:
                self._made[top] = self._make(top)
        return self._made[addr]

    def _bases(self, addr: int) -> List[int]:
        if self.real(addr) is not None:
            return []
        rec = self.graph.record(addr)
        if rec is None or rec.kind.name != "type":
            return []
        tup = self.graph.record(rec.field("bases"))
        if tup is None or tup.kind.name != "tuple":
            return []
        return [r for r in tup.rest() if r and r & 3 != 3 and r != addr]

    def _make(self, addr: int) -> Any:
        real = self.real(addr)
        if real is not None:
            return real
        rec = self.graph.record(addr)
        if rec is None:
            return self.unknown(addr)
        if rec.kind.name != "type":
            return self.unknown(addr)
        bases = []
        for b in self._bases(addr):
            base = self._made.get(b, object)
            if not isinstance(base, SurrogateMeta) and not _usable(base):
                base = object
            if base not in bases:
                bases.append(base)
        entry = self.entry(addr)
        if entry is not None and entry.mixin is not None:
            base = entry.mixin.base
            if base is not None:
                bases = [b for b in bases if not issubclass(base, b)] + [base]
            if not any(issubclass(b, entry.mixin) for b in bases):
                bases.insert(0, entry.mixin)
        if len(bases) > 1 and object in bases:
            bases.remove(object)
        module, qualname, _ = self.info(addr)
        ref = Ref(self.graph, rec)
        return self._new(qualname, module, tuple(bases) or (object,), ref)

    def _new(self, qualname: str, module: str, bases: Tuple[Any, ...], ref: Any) -> Any:
        name = _clean(qualname.rpartition(".")[2])
        attempts = [bases]
        storage = [b for b in bases if storage_base(b) or issubclass(b, (BaseException, type))]
        attempts += [tuple(storage[:1]) or (object,), (object,)]
        for attempt in attempts:
            ns = dict(_HOOKS)
            ns[KEY] = ref
            ns["__module__"] = _clean(module)
            ns["__qualname__"] = _clean(qualname)
            refused = self._refusals(ref)
            for b in attempt:  # what the loader knows how to do is not refused
                if not isinstance(b, SurrogateMeta):
                    known = {n for c in b.__mro__ if c is not object for n in vars(c)}
                    refused = {n: hook for n, hook in refused.items() if n not in known}
            if not any(issubclass(b, _STORAGE + (BaseException, type)) for b in attempt):
                ns.update(refused)
            elif "__missing__" in refused and issubclass(attempt[0], dict):
                ns["__missing__"] = refused["__missing__"]
            if "__eq__" in ns or any(_hash_of(b) is None for b in attempt):
                # Unhashable here, though the program may have made it a key.
                ns["__hash__"] = object.__hash__
            if any(issubclass(b, BaseException) for b in attempt):
                ns["__str__"] = _exception_str
                ns["__setattr__"] = BaseException.__setattr__
            if any(_static(b, "__init_subclass__") for b in attempt):
                attempt = (_Quiet, *attempt)
            try:
                return SurrogateMeta(name, attempt, ns)
            except TypeError:  # layouts or orders that do not go together here
                continue
        raise AssertionError("object cannot be subclassed")

    def _refusals(self, ref: Optional[Ref]) -> Dict[str, Any]:
        """Hooks for the special methods that a class of the program has: it
        is no answer that an object has no len() here, or is equal to none."""
        if ref is None:
            return {}
        names: Iterable[str] = self.graph.namespace(ref.rec.field("dict"))
        entry = self.entry(ref.rec.addr)
        if entry is not None and entry.mixin is not None:
            names = [n for n in names if not _defines(entry.mixin, n)]
        at = self.graph.namespace(ref.rec.field("dict"))
        none = {n for n in names if n in _REFUSALS and self.graph.kind_of(at[n]) == "none"}
        return {n: None if n in none else _REFUSALS[n] for n in names if n in _REFUSALS}

    def unknown(self, addr: int) -> Any:
        """A class for objects whose type the dump does not hold."""
        cls = self._unknown.get(addr)
        if cls is None:
            cls = self._new("type at %#x, not dumped" % addr, "?", (object,), None)
            self._unknown[addr] = cls
        return cls

    def storage_class(self, rec: Record, base: type) -> type:
        """The class for an object with the storage of a builtin."""
        cls = self.get(rec.type)
        if cls is base or not isinstance(cls, SurrogateMeta):
            return base
        if issubclass(cls, base):
            return cls
        key = (base, rec.type)
        made = self._wrapped.get(key)  # type: ignore
        if made is None:
            module, qualname, _ = self.info(rec.type)
            ref = type.__getattribute__(cls, "__dict__").get(KEY)
            made = self._new(qualname or "unknown", module, (base,), ref)
            self._wrapped[key] = made  # type: ignore
        return made

    def with_items(self, rec: Record, cls: type) -> type:
        """cls for records of a type that only the dump describes, which have
        items."""
        from . import standard

        key = ("items", rec.type)
        made = self._wrapped.get(key)  # type: ignore
        if made is None:
            module, qualname, _ = self.info(rec.type)
            mixin = standard.Pairs if rec.kind.name == "mapping" else standard.Items
            ref = type.__getattribute__(cls, "__dict__").get(KEY)
            made = self._new(qualname, module, (mixin, cls), ref)
            self._wrapped[key] = made  # type: ignore
        return made

    def without_base(self, rec: Record, cls: type, mixin: Optional[type] = None) -> type:
        """cls without the real type that it derives from."""
        key = ("bare", rec.type)
        made = self._wrapped.get(key)  # type: ignore
        if made is None:
            module, qualname, _ = self.info(rec.type)
            ref = type.__getattribute__(cls, "__dict__").get(KEY)
            made = self._new(qualname, module, (mixin or object,), ref)
            self._wrapped[key] = made  # type: ignore
        return made

    def wrapped(self, real: type) -> type:
        """A subclass of a builtin exception whose attributes come from the
        dump; its instances say that they are of the builtin."""
        cls = self._wrapped.get(real)
        if cls is None:
            cls = self._new(real.__qualname__, real.__module__, (real,), None)
            self._wrapped[real] = cls
        return cls

    # -- attributes of classes

    def _member(self, addr: int, name: str) -> Any:
        """A member of an enumeration, or all of them; None if it is none."""
        from .standard import enum_

        if (name[:2] == "__" and name != "__members__") or not enum_.is_enum(self.graph, addr):
            return None
        found = enum_.members(self.graph, addr)
        if name == "__members__":
            return types.MappingProxyType({n: self.graph.get(at) for n, at in found.items()})
        return self.graph.get(found[name]) if name in found else None

    def attribute(self, cls: Any, ref: Ref, name: str) -> Any:
        """What cls.name gives."""
        graph, rec = self.graph, ref.rec
        module, qualname, _ = self.info(rec.addr)
        if name == "__name__":
            return qualname.rpartition(".")[2]
        if name == "__qualname__":
            return qualname
        if name == "__class__":
            meta = self.get(rec.type)
            mro = type.__getattribute__(meta, "__mro__")
            return meta if isinstance(meta, SurrogateMeta) and type in mro else type
        if name == "__module__" and module:
            return module  # a static type's namespace has a descriptor there
        if name == "__dict__":
            space = graph.get(rec.field("dict"))
            if isinstance(space, dict):
                return types.MappingProxyType(space)
            raise AttributeError("the namespace of %s: %r" % (qualname, space))
        if name == "__mro__":
            return tuple(map(graph.get, self.mro(rec.addr)))
        if name == "__bases__":
            return tuple(map(graph.get, self._bases(rec.addr)))
        if name == "__base__":
            bases = self._bases(rec.addr)
            return graph.get(bases[0]) if bases else object
        if name == KEY:
            raise AttributeError(name)
        member = self._member(rec.addr, name)
        if member is not None:
            return member
        found, real = self.find(rec.addr, name)
        if found:
            kind = graph.kind_of(found)
            if kind == "staticmethod":
                inner = graph.record(found)
                return graph.get(inner.field("callable")) if inner else None
            if kind == "classmethod":
                from . import callables

                inner = graph.record(found)
                func = graph.get(inner.field("callable")) if inner else None
                return callables.BoundMethod(func, cls)
            return graph.get(found)
        if name == "__module__":
            return module
        if name == "__doc__":
            return None
        if real is not None and name not in vars(type):
            return getattr(real, name)
        meta, _ = self.find(rec.type, name)
        if meta:  # the metaclass has it: cls is its instance
            return _bind(graph, cls, meta, graph.kind_of(meta), name, rec)
        try:
            return type.__getattribute__(cls, name)
        except AttributeError:
            raise AttributeError("type object %r has no attribute %r" % (qualname, name)) from None


def _usable(base: Any) -> bool:
    """Whether surrogates may have the storage of this real type."""
    from . import standard

    return isinstance(base, type) and (
        base in (object, type)
        or base in _STORAGE
        or issubclass(base, BaseException)
        or standard.is_real(base)
    )


def _defines(mixin: Any, name: str) -> bool:
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
    "__orig_bases__", "__parameters__", "__firstlineno__", "__static_attributes__",
}  # fmt: skip


def _hash_of(cls: type) -> Any:
    for base in type.__getattribute__(cls, "__mro__"):
        names = type.__getattribute__(base, "__dict__")
        if "__hash__" in names:
            return names["__hash__"]
    return None


# -- instances


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
        if d is None:
            raise AttributeError(_no_attribute(graph, rec, name))
        return d
    found, real = graph.classes.find(rec.type, name)
    kind = graph.kind_of(found) if found else ""
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
        if entry is not None and _defines(entry.mixin, name):
            return object.__getattribute__(obj, name)
    if not mine and not found and (real is not None or name not in ref.fields):
        # Items of a type that only the dump knows, or of one not made as real.
        for c in type.__getattribute__(type(obj), "__mro__")[1:3]:
            if not isinstance(c, SurrogateMeta) and _defines(c, name):
                return object.__getattribute__(obj, name)
    if mine and isinstance(_static(real, name), property):
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
        return _bind(graph, obj, found, kind, name, rec)
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


def _no_attribute(graph: "Graph", rec: Record, name: str) -> str:
    if not rec.type or graph.record(rec.type) is None:
        return "attribute %r is not known: the type was not dumped" % name
    text = "%r object has no attribute %r" % (graph.classes.info(rec.type)[1], name)
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


def _bind(graph: "Graph", obj: Any, found: int, kind: str, name: str, rec: Record) -> Any:
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
    if inner is not None and kind == "object" and graph.classes.overrides(inner.type, "__get__"):
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
        return "%s%s" % (
            printable(name) or type(self).__name__,
            "(%s)" % inner[1:-2] if len(args) == 1 and inner.endswith(",)") else inner,
        )
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


def _static(cls: Any, name: str) -> Any:
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


def _is_of_enum(graph: "Graph", at: int) -> bool:
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
        if base in _STORAGE:
            return base
    return None


def _exception_str(self: Any) -> str:
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
        if own is not None and own is not _exception_str:
            try:
                return own(self)
            except Exception as e:  # C code over attributes that are not there
                return "<no message: %s>" % e
    return ""


def _no_pickle(self: Any, protocol: Any) -> Any:
    raise TypeError("an object of a dump cannot be pickled")


def _setattr(self: Any, name: str, value: Any) -> None:
    raise AttributeError("an object of a dump cannot be changed")


_HOOKS: Dict[str, Any] = {
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


def _equal(self: Any, other: Any) -> Any:
    return True if self is other else _refusal("__eq__")(self, other)


#: Special methods that have no answer here when the program defines them.
_REFUSALS: Dict[str, Any] = {
    "__%s__" % name: _refusal("__%s__" % name)
    for name in (
        "len iter next reversed getitem contains call bool ne lt le gt ge int float complex index "
        "round neg pos abs invert add sub mul matmul truediv floordiv mod divmod pow lshift rshift "
        "and xor or radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift "
        "rand rxor ror missing enter exit setitem delitem bytes fspath length_hint await aiter "
        "anext"
    ).split()
}
_REFUSALS["__eq__"] = _equal


# -- exceptions


def exception_children(graph: "Graph", rec: Record) -> List[int]:
    """What an exception needs at once: what C code prints of it."""
    out = [rec.field("args")] if rec.field("args") else []
    out += [v for (o, n), v in zip(rec.shape, rec.values) if o == ORIGIN_MEMBER and v]
    return out


def make_exception(graph: "Graph", rec: Record) -> Any:
    """The surrogate of an exception, without its arguments."""
    cls = graph.classes.get(rec.type)
    claim = None
    if not isinstance(cls, SurrogateMeta) or not issubclass(cls, BaseException):
        if isinstance(cls, type) and issubclass(cls, BaseException):
            claim, cls = cls, graph.classes.wrapped(cls)
        else:
            module, qualname, _ = graph.classes.info(rec.type)
            cls = graph.classes._new(qualname or "unknown exception", module, (Exception,), None)
    obj = _new_exception(cls)
    if obj is None:
        module, qualname, _ = graph.classes.info(rec.type)
        cls = graph.classes._new(qualname, module, (Exception,), None)
        obj = _new_exception(cls)
    return adopt(obj, graph, rec, claim)


def _new_exception(cls: type) -> Any:
    group = getattr(builtins, "BaseExceptionGroup", None)
    args: Tuple[Any, ...] = ()
    if group is not None and issubclass(cls, group):
        args = ("", [Exception()])
    for base in type.__getattribute__(cls, "__mro__"):
        if not isinstance(base, SurrogateMeta):
            try:
                return base.__new__(cls, *args)
            except Exception:
                return None
    return None


def fill_exception(graph: "Graph", obj: Any, rec: Record) -> None:
    """Gives an exception its arguments and C attributes."""
    at = rec.field("args")
    args = graph.get(at) if at else ()
    if isinstance(args, tuple):
        try:
            _SET(obj, "args", tuple(args))
        except NotDumpedError as e:
            _SET(obj, "args", (Placeholder(str(e)),))
    numbers = Fields(graph, rec)
    for (origin, name), value in zip(rec.shape, rec.values):
        if name in _SPECIAL or origin < ORIGIN_MEMBER or origin in (ORIGIN_GUESS, FIELD):
            continue
        if origin == ORIGIN_MEMBER and not value:
            continue
        try:
            _SET(obj, name, graph.get(value) if origin == ORIGIN_MEMBER else numbers[name])
        except (AttributeError, TypeError):
            pass  # read from the dump by name in any case


_SET = BaseException.__setattr__
_SPECIAL = {"args", KEY, "__class__", "__dict__", "__traceback__", "__cause__", "__context__"}
