# SPDX-License-Identifier: Apache-2.0
"""Generic aliases, unions, and type variables, where C has them; zoneinfo."""

from typing import Any

from ..marks import Placeholder
from ..refs import ref_of
from . import Standard, fields, full_name, null, surrogate
from .typing_ import type_text


def _text(value: Any) -> str:
    if value is type(None) or value is None:
        return "None"
    return type_text(value, 1)


@surrogate("types.GenericAlias")
class GenericAlias(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        f = fields(self)
        args = f["args"]
        inner = ", ".join(type_text(a, 1) for a in args) if isinstance(args, tuple) else "..."
        star = "*" if f.get("starred") else ""
        return "%s%s[%s]" % (star, type_text(f["origin"], 1), inner or "()")


@surrogate("types.UnionType", "typing.Union")
class Union(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        args = fields(self)["args"]
        if not isinstance(args, tuple):
            raise ValueError("args")
        return " | ".join(map(_text, args))


class Variable(Standard):
    """Up to 3.11 written in Python. What is not evaluated yet is not known."""

    __slots__ = ()

    def _of(self, name: str) -> Any:
        f = fields(self)
        if name in f:
            return f[name]
        attrs = ref_of(self).attributes()
        if "__%s__" % name not in attrs:
            raise AttributeError("__%s__" % name)
        return ref_of(self).graph.get(attrs["__%s__" % name])

    def _lazy(self, name: str, none: Any) -> Any:
        f = fields(self)
        if name not in f or not f.null(name):
            return Variable._of(self, name)
        if "evaluate_" + name in f and not f.null("evaluate_" + name):
            return Placeholder("%s is not evaluated yet" % name)
        return none

    def _evaluator(self, name: str) -> Any:
        f = fields(self)
        if name not in f or not f.null(name):
            return f[name]
        return Placeholder("%s is not computed: this is a dump" % name)

    @property
    def evaluate_bound(self) -> Any:
        """3.14 on: made of the bound when there is no function for it."""
        return Variable._evaluator(self, "evaluate_bound")

    @property
    def evaluate_constraints(self) -> Any:
        """The same of the constraints."""
        return Variable._evaluator(self, "evaluate_constraints")

    @property
    def evaluate_default(self) -> Any:
        """The same of the default."""
        return Variable._evaluator(self, "evaluate_default")

    @property
    def __name__(self) -> Any:
        return Variable._of(self, "name")

    @property
    def __covariant__(self) -> Any:
        return Variable._of(self, "covariant")

    @property
    def __contravariant__(self) -> Any:
        return Variable._of(self, "contravariant")

    @property
    def __infer_variance__(self) -> Any:
        return Variable._of(self, "infer_variance")

    def _shown(self) -> Any:
        name = Variable._of(self, "name")
        if not isinstance(name, str):
            raise ValueError("name")
        f = fields(self)
        if f.get("infer_variance"):
            return name
        if Variable._of(self, "covariant"):
            return "+" + name
        return ("-" if Variable._of(self, "contravariant") else "~") + name


@surrogate("typing.TypeVar")
class TypeVar(Variable):
    __slots__ = ()

    @property
    def __bound__(self) -> Any:
        return Variable._lazy(self, "bound", None)

    @property
    def __constraints__(self) -> Any:
        return Variable._lazy(self, "constraints", ())


@surrogate("typing.ParamSpec")
class ParamSpec(Variable):
    __slots__ = ()

    @property
    def __bound__(self) -> Any:
        return Variable._of(self, "bound")


@surrogate("typing.TypeVarTuple")
class TypeVarTuple(Variable):
    __slots__ = ()

    def _shown(self) -> Any:
        if "covariant" in fields(self):  # 3.15 on
            return Variable._shown(self)
        name = Variable._of(self, "name")
        if not isinstance(name, str):
            raise ValueError("name")
        return name


@surrogate("typing.TypeAliasType")
class TypeAlias(Variable):
    __slots__ = ()

    @property
    def __value__(self) -> Any:
        f = fields(self)
        return f["value"] if not null(f, "value") else Placeholder("value is not evaluated yet")

    @property
    def __type_params__(self) -> Any:
        f = fields(self)
        return () if null(f, "type_params") else f["type_params"]

    def _shown(self) -> Any:
        name = fields(self)["name"]
        if not isinstance(name, str):
            raise ValueError("name")
        return name


@surrogate("zoneinfo.ZoneInfo", "_zoneinfo.ZoneInfo")
class ZoneInfo(Standard):
    __slots__ = ()

    def __str__(self) -> str:
        f = fields(self)
        return f["key"] if isinstance(f["key"], str) else repr(self)

    def _shown(self) -> Any:
        from ..render import text

        f, name = fields(self), full_name(self)
        if f["key"] is not None:
            return "%s(key=%s)" % (name, text(f["key"], 2000))
        shown = f["file_repr"] if isinstance(f["file_repr"], str) else text(f["file_repr"], 2000)
        return "%s.from_file(%s)" % (name, shown)
