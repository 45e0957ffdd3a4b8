# SPDX-License-Identifier: Apache-2.0
"""typing's generic forms, where they are written in Python."""

from typing import Any, List

from ..marks import printable
from ..refs import find_ref
from . import surrogate
from .written import Written, own, python_of, text_of

_DEPTH = 40
_PARTS = 2000
_left = [_PARTS]  # how many more parts the form that is printed may have
_active = [0]


def type_text(value: Any, depth: int = 0) -> str:
    """What typing shows of a type: its name, without module for builtins."""
    _left[0] = _left[0] - 1 if _active[0] else _PARTS
    if depth > _DEPTH or _left[0] < 0:
        return "..."
    _active[0] += 1
    try:
        return _type_text(value, depth)
    finally:
        _active[0] -= 1


def _type_text(value: Any, depth: int) -> str:
    if value is Ellipsis:
        return "..."
    if value is type(None):
        return "NoneType" if depth == 0 else "NoneType"
    if isinstance(value, type):
        module, name = value.__module__, value.__qualname__
        return printable(name if module == "builtins" else "%s.%s" % (module, name))
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return "[%s]" % ", ".join(type_text(v, depth + 1) for v in value)
    ref = find_ref(value)
    if ref is not None and ref.rec.kind.name == "function":
        return printable(value.__name__)
    if isinstance(value, GenericAlias):
        return _alias(value, depth + 1)
    return text_of(value)


def _args(obj: Any) -> List[Any]:
    args = own(obj, "__args__")
    return list(args) if isinstance(args, tuple) else []


def _joined(values: Any, depth: int) -> str:
    return ", ".join(type_text(v, depth) for v in values)


def _alias(obj: Any, depth: int) -> str:
    """typing.List[int]"""
    origin, args, name = own(obj, "__origin__"), _args(obj), own(obj, "_name")
    shown = _origin_name(obj, origin, name)
    plain = type_text(origin, _DEPTH)
    if python_of(obj) < (3, 9):
        special = own(obj, "_special") is True
        if special:
            return shown
        if plain == "typing.Union" and python_of(obj) >= (3, 7):
            return _union(args, depth, False)
        if name == "Callable":
            return _callable(args, depth)
        if plain not in ("typing.Union",) and name is None and not isinstance(origin, type):
            shown = plain
        return "%s[%s]" % (shown, _joined(args, depth) or "()")
    if isinstance(obj, Callable):
        return _callable(args, depth)
    if isinstance(obj, Union):
        return _union(args, depth, True)
    if isinstance(obj, Literal):
        return "%s[%s]" % (shown, ", ".join(text_of(a) for a in args))
    if isinstance(obj, Annotated):
        more = own(obj, "__metadata__")
        extra = ", ".join(map(text_of, more if isinstance(more, tuple) else ()))
        return "typing.Annotated[%s, %s]" % (type_text(origin, depth), extra)
    inner = _joined(args, depth)
    if not args and (python_of(obj) < (3, 11) or plain != "typing.Unpack"):
        inner = "()"
    return "%s[%s]" % (shown, inner)


def _origin_name(obj: Any, origin: Any, name: Any) -> str:
    if isinstance(name, str) and name:
        return "typing." + printable(name)
    return type_text(origin, _DEPTH)


def _union(args: List[Any], depth: int, optional: bool) -> str:
    nothing = [a for a in args if a is type(None)]
    if len(args) == 2 and nothing and optional:
        (other,) = [a for a in args if a is not type(None)] or [type(None)]
        return "typing.Optional[%s]" % type_text(other, depth)
    return "typing.Union[%s]" % _joined(args, depth)


def _callable(args: List[Any], depth: int) -> str:
    if len(args) == 2 and args[0] is Ellipsis:
        return "typing.Callable[..., %s]" % type_text(args[1], depth)
    if not args:
        return "typing.Callable"
    return "typing.Callable[[%s], %s]" % (_joined(args[:-1], depth), type_text(args[-1], depth))


@surrogate("typing._BaseGenericAlias", "typing._GenericAlias")
class GenericAlias(Written):
    __slots__ = ()

    def _shown(self) -> str:
        return type_text(self)


@surrogate("typing._CallableGenericAlias")
class Callable(GenericAlias):
    __slots__ = ()


@surrogate("typing._UnionGenericAlias")
class Union(GenericAlias):
    __slots__ = ()


@surrogate("typing._LiteralGenericAlias")
class Literal(GenericAlias):
    __slots__ = ()


@surrogate("typing._AnnotatedAlias")
class Annotated(GenericAlias):
    __slots__ = ()


@surrogate(
    "typing._SpecialGenericAlias", "typing._CallableType", "typing._TupleType",
    "typing._DeprecatedGenericAlias",
)  # fmt: skip
class SpecialAlias(GenericAlias):
    __slots__ = ()

    def _shown(self) -> str:
        return "typing." + printable(str(own(self, "_name")))


@surrogate("typing._SpecialForm", "typing._TypedCacheSpecialForm")
class SpecialForm(Written):
    __slots__ = ()

    def _shown(self) -> str:
        return "typing." + printable(str(own(self, "_name")))


@surrogate("typing.ForwardRef", "annotationlib.ForwardRef")
class ForwardRef(Written):
    __slots__ = ()

    @property
    def __forward_arg__(self) -> Any:
        return _forward_arg(self)

    def _shown(self) -> Any:
        module, extra = own(self, "__forward_module__"), ""
        if module is not None and python_of(self) >= (3, 11):
            extra = ", module=%s" % text_of(module)
        if python_of(self) >= (3, 14):
            if own(self, "__forward_is_class__"):
                extra += ", is_class=True"
            if own(self, "__owner__") is not None:
                extra += ", owner=%s" % text_of(own(self, "__owner__"))
        arg = _resolved(self)
        return None if arg is None else "ForwardRef(%s%s)" % (text_of(arg), extra)


def _forward_arg(obj: Any) -> Any:
    found = own(obj, "__forward_arg__")
    return own(obj, "__arg__") if found is None else found  # 3.14 on


def _resolved(obj: Any) -> Any:
    """What the repr has: from 3.14 on it may have to be made of a syntax tree,
    of which a name alone is made here. None for what is not known."""
    found = own(obj, "__resolved_str_cache__")
    if found is None and not own(obj, "__extra_names__"):
        found = _forward_arg(obj)
        node = own(obj, "__ast_node__") if found is None else None
        if node is not None:
            is_name = find_ref(node) is not None and type(node).__name__ == "Name"
            found = own(node, "id") if is_name else node
    return found if isinstance(found, str) else None
