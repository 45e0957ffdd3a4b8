# SPDX-License-Identifier: Apache-2.0
"""Classes of the program, made again at load time.

A surrogate class has the name, bases and attributes of the program's class,
but nothing of it runs: its namespace here holds our own hooks only, and what
the program's class holds is decoded when someone asks for it by name.
"""

import builtins
import types
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple

from .meta import SurrogateMeta, clean
from .records import Record, utf8
from .refs import KEY, Ref
from .surrogates import (
    HOOKS,
    REFUSALS,
    STORAGE,
    bind,
    defines,
    exception_str,
    guard,
    hashed,
    is_library,
    is_of_enum,
    not_run,
    static,
    storage_base,
)

if TYPE_CHECKING:
    from .objects import Graph

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
        self._found: Dict[Tuple[int, str], Tuple[int, Optional[type], str]] = {}
        self._plain_names: Dict[Tuple[type, int, str], bool] = {}

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
            return clean(name) if name else ""
        return clean("%s.%s" % (module, name))

    def c_name(self, addr: int) -> str:
        """tp_name: of a class of the program without the module."""
        flags = self.info(addr)[2]
        if flags & _HEAPTYPE and not flags & _IMMUTABLE:
            return clean(self.info(addr)[1].rpartition(".")[2])
        return self.name(addr)

    def enum_repr(self, addr: int) -> str:
        """What the metaclass of enums says of a class."""
        what = "enum"
        if self.graph.python >= (3, 11):
            if any(self.name(base) == "enum.Flag" for base in self.mro(addr)):
                what = "flag"
        return "<%s %r>" % (what, clean(self.info(addr)[1].rpartition(".")[2]))

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

    def resolve(self, addr: int, name: str) -> Tuple[int, Optional[type], str]:
        """What find() gives, and the node kind of what was found; kept."""
        key = (addr, name)
        known = self._found.get(key)
        if known is None:
            found, real = self.find(addr, name)
            known = self._found[key] = found, real, self.graph.kind_of(found) if found else ""
        return known

    def is_plain_name(self, cls: type, addr: int, name: str) -> bool:
        """Whether an attribute of the instances of cls, whose type is at addr,
        is theirs alone: neither a class has the name nor what the loader adds."""
        key = (cls, addr, name)
        known = self._plain_names.get(key)
        if known is None:
            mro = type.__getattribute__(cls, "__mro__")
            known = self._plain_names[key] = (
                name[:2] != "__"
                and self.resolve(addr, name) == (0, None, "")
                and not any(issubclass(c, (BaseException, tuple)) for c in mro)
                and not any(not isinstance(c, SurrogateMeta) and defines(c, name) for c in mro)
            )
        return known

    def plain_class(self, addr: int) -> Optional[type]:
        """The class of the instances of a type that need nothing but it: no
        storage, and nothing that the loader knows of the type."""
        cls = self.get(addr)
        if not isinstance(cls, SurrogateMeta) or self.entry_of(addr) is not None:
            return None
        mro = type.__getattribute__(cls, "__mro__")
        if any(not isinstance(c, SurrogateMeta) and c is not object for c in mro):
            return None
        return cls

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
                if defines(entry.mixin, name):
                    return 0, entry.mixin
                if entry.mixin.base is not None and name in vars(entry.mixin.base):
                    return 0, entry.mixin.base
            rec = self.graph.record(owner)
            if rec is not None and rec.kind.name == "type":
                ref = self.graph.namespace(rec.field("dict")).get(name)
                if ref:
                    return ref, None
        return 0, None

    def gives_dict(self, addr: int) -> bool:
        """Whether a class statement gave the instances of a type a __dict__."""
        for owner in self.mro(addr):
            rec = self.graph.record(owner)
            if rec is not None and self.real(owner) is None:
                at = self.graph.namespace(rec.field("dict")).get("__dict__", 0)
                found = self.graph.record(at)
                if found is not None and found.kind.name == "descriptor":
                    return found.data.startswith(b"getset")
        return False

    def repr_owner(self, addr: int) -> int:
        """The type whose repr is not run here: the first with one of its own
        before what the loader knows to print; 0 for none."""
        if self.real(addr) is not None:
            return 0
        for owner in self.mro(addr):
            entry = self.entry(owner)
            if self.real(owner) is not None:
                return 0
            if entry is not None and (entry.mixin is None or defines(entry.mixin, "__repr__")):
                return 0
            rec = self.graph.record(owner)
            if rec is not None and rec.kind.name == "type":
                at = self.graph.namespace(rec.field("dict")).get("__repr__")
                if at:
                    return 0 if is_of_enum(self.graph, at) else owner
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
        name = clean(qualname.rpartition(".")[2])
        attempts = [bases]
        storage = [b for b in bases if storage_base(b) or issubclass(b, (BaseException, type))]
        attempts += [tuple(storage[:1]) or (object,), (object,)]
        for attempt in attempts:
            ns = dict(HOOKS)
            ns[KEY] = ref
            ns["__module__"] = clean(module)
            ns["__qualname__"] = clean(qualname)
            ns.update(self._hooks(ref, attempt))
            if "__eq__" in ns or any(_hash_of(b) is None for b in attempt):
                # Unhashable here, though the program may have made it a key.
                ns["__hash__"] = hashed
            for b in attempt:  # what the storage has too, but not to be asked
                for name in static(b, "_first") or ():
                    ns.setdefault(name, static(b, name))
            if any(issubclass(b, BaseException) for b in attempt):
                ns["__str__"] = exception_str
                ns["__setattr__"] = BaseException.__setattr__
            if any(static(b, "__init_subclass__") for b in attempt):
                attempt = (_Quiet, *attempt)
            try:
                return SurrogateMeta(name, attempt, ns)
            except TypeError:  # layouts or orders that do not go together here
                continue
        raise AssertionError("object cannot be subclassed")

    def _hooks(self, ref: Optional[Ref], bases: Tuple[Any, ...]) -> Dict[str, Any]:
        """Hooks for the special methods that a class of the program has: it
        is no answer that an object has no len() here, or is equal to none, nor
        is that of the builtin that it derives from."""
        if ref is None or any(issubclass(b, type) for b in bases):
            return {}
        graph, at = self.graph, self.graph.namespace(ref.rec.field("dict"))
        names: Iterable[str] = [n for n in at if n in REFUSALS or n in ("__str__", "__format__")]
        entry = self.entry(ref.rec.addr)
        if entry is not None and entry.mixin is not None:
            names = [n for n in names if not defines(entry.mixin, n)]
        # What the loader knows how to do is not refused.
        known = set()
        for b in bases:
            for c in type.__getattribute__(b, "__mro__"):
                if c is not object and c not in STORAGE and not isinstance(c, SurrogateMeta):
                    known.update(vars(c))
        stored = any(issubclass(b, STORAGE) for b in bases)
        raised = any(issubclass(b, BaseException) for b in bases)
        out: Dict[str, Any] = {}
        for name in names:
            if name in known and (name not in REFUSALS or is_library(graph, at[name])):
                continue
            gone = graph.kind_of(at[name]) == "none"
            if name == "__missing__" or not (stored or raised):
                if name in REFUSALS:
                    out[name] = None if gone else REFUSALS[name]
            elif graph.kind_of(at[name]) != "descriptor" and (stored or name in REFUSALS):
                if name in REFUSALS or not is_of_enum(graph, at[name]):
                    out[name] = guard(name, gone)
        if "__hash__" in at and graph.kind_of(at["__hash__"]) != "descriptor":
            if not is_library(graph, at["__hash__"]) or graph.kind_of(at["__hash__"]) == "none":
                out["__hash__"] = hashed
        return out

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

    def _annotations(self, ref: Ref) -> Any:
        """Those of the class itself, which it does not inherit."""
        own = self.graph.namespace(ref.rec.field("dict"))
        for name in ("__annotations__", "__annotations_cache__"):
            if name in own:
                return self.graph.get(own[name])
        for name in ("__annotate__", "__annotate_func__"):
            if name in own and self.graph.kind_of(own[name]) == "function":
                return not_run(self.graph, "attribute", "__annotations__", ref.rec)
        return {}

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
        if name == "__annotations__" and graph.python >= (3, 10) and not self.is_c(rec.addr):
            return self._annotations(ref)
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
        if name == "__slots__":  # of what the loader makes of it
            raise AttributeError("type object %r has no attribute %r" % (qualname, name))
        if real is not None and name not in vars(type):
            return getattr(real, name)
        meta, _ = self.find(rec.type, name)
        if meta:  # the metaclass has it: cls is its instance
            return bind(graph, cls, meta, graph.kind_of(meta), name, rec)
        try:
            return type.__getattribute__(cls, name)
        except AttributeError:
            raise AttributeError("type object %r has no attribute %r" % (qualname, name)) from None


def _usable(base: Any) -> bool:
    """Whether surrogates may have the storage of this real type."""
    from . import standard

    return isinstance(base, type) and (
        base in (object, type)
        or base in STORAGE
        or issubclass(base, BaseException)
        or standard.is_real(base)
    )


def _hash_of(cls: type) -> Any:
    for base in type.__getattribute__(cls, "__mro__"):
        names = type.__getattribute__(base, "__dict__")
        if "__hash__" in names:
            return names["__hash__"]
    return None
