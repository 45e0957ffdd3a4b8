# SPDX-License-Identifier: Apache-2.0
"""What classes of the program are here: their metaclass, and the refusal to run
anything of theirs."""

import sys
from typing import Any, List, Tuple

from .marks import printable
from .refs import KEY, Ref, find_ref, ref_of

_CALL = "this is a dump: nothing of the program runs (%s)"


class DumpCallError(TypeError):
    """Something of the program was called."""


def refuse(what: str) -> DumpCallError:
    """The error for a call of something of the program."""
    return DumpCallError(_CALL % printable(what))


def asked() -> bool:
    """Whether a hook of ours was run for code outside of the loader: what is
    typed at the prompt, or a library that this calls."""
    space = sys._getframe(2).f_globals
    return type(space) is not dict or not str(space.get("__name__")).startswith("pydumpd")


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

    def __instancecheck__(cls, obj: Any) -> bool:
        from .abstract import instance_of

        return instance_of(cls, obj) if asked() else type.__instancecheck__(cls, obj)

    def __subclasscheck__(cls, sub: Any) -> bool:
        from .abstract import subclass_of

        return subclass_of(cls, sub) if asked() else type.__subclasscheck__(cls, sub)

    def __eq__(cls, other: Any) -> Any:
        if cls is not other and asked():
            _own_hook(cls, "__eq__")
        return type.__eq__(cls, other)

    def __ne__(cls, other: Any) -> Any:
        if asked():
            _own_hook(cls, "__ne__")
            if cls is not other:
                _own_hook(cls, "__eq__")
        return type.__ne__(cls, other)

    __hash__ = type.__hash__

    def __iter__(cls) -> Any:
        _own_hook(cls, "__iter__")
        return iter([getattr(cls, n) for n in _enum_names(cls, "iterable")])

    def __reversed__(cls) -> Any:
        _own_hook(cls, "__reversed__")
        return reversed([getattr(cls, n) for n in _enum_names(cls, "reversible")])

    def __len__(cls) -> int:
        _own_hook(cls, "__len__")
        return len(_enum_names(cls, "sized"))

    def __bool__(cls) -> bool:
        if asked():
            _own_hook(cls, "__bool__")
            _own_hook(cls, "__len__")
        return True

    def __contains__(cls, value: Any) -> bool:
        _own_hook(cls, "__contains__")
        return any(getattr(cls, n) is value for n in _enum_names(cls, "a container"))

    def __getitem__(cls, key: Any) -> Any:
        _own_hook(cls, "__getitem__")
        ref = find_ref(cls)
        if ref is not None and ref.graph.classes.overrides(ref.rec.addr, "__class_getitem__"):
            raise refuse("%s.__class_getitem__()" % type.__getattribute__(cls, "__name__"))
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


def _own_hook(cls: Any, name: str) -> None:
    """Refuses what a metaclass of the program answers; enum's are known."""
    ref = find_ref(cls)
    found = ref.graph.classes.find(ref.rec.type, name)[0] if ref is not None else 0
    if ref is None or not found:
        return
    from .surrogates import is_of_enum

    if not is_of_enum(ref.graph, found):
        raise refuse("%s.%s()" % (ref.graph.classes.info(ref.rec.type)[1], name))


def _enum_names(cls: Any, what: str) -> Tuple[str, ...]:
    """The names of the members of an enumeration; TypeError of other classes."""
    from .standard import enum_

    ref = find_ref(cls)
    if ref is None or not enum_.is_enum(ref.graph, ref.rec.addr):
        raise TypeError("type %r is not %s" % (type.__getattribute__(cls, "__name__"), what))
    return enum_.unique(ref.graph, ref.rec.addr)


def clean(text: str) -> str:
    return printable(text, 1000) or "?"
