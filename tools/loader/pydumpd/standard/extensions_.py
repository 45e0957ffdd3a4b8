# SPDX-License-Identifier: Apache-2.0
"""Functions that Cython compiled, and numpy's dispatchers: they print as they
did, and are not called."""

from typing import Any

from ..marks import printable
from ..meta import refuse
from ..refs import ref_of
from . import Standard, fields, surrogate

#: Each release of Cython has types of its own name; as offsets/types/cython.types.
_NAMES = ["cython_function_or_method", "fused_cython_function"]
_NAMES += [
    "_cython_3_%d_%d.%s" % (minor, micro, name)
    for minor in range(4)
    for micro in range(13)
    for name in _NAMES[:2]
]


def _name(obj: Any, *names: str) -> str:
    f = fields(obj)
    for name in names:
        if name in f and isinstance(f[name], str):
            return printable(f[name])
    return "?"


@surrogate(*_NAMES, *("builtins." + name for name in _NAMES[:2]))
class CythonFunction(Standard):
    """A function of a compiled module."""

    __slots__ = ()

    @property
    def __name__(self) -> str:
        # Made when it is first asked for.
        return _name(self, "__name__", "ml_name")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(_name(self, "__qualname__", "__name__", "ml_name") + "()")

    def _shown(self) -> str:
        name = _name(self, "__qualname__", "__name__", "ml_name")
        return "<cyfunction %s at %#x>" % (name, ref_of(self).rec.addr)


@surrogate("numpy._ArrayFunctionDispatcher")
class Dispatcher(Standard):
    """A function of numpy that others may take over."""

    __slots__ = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(_name(self, "__name__") + "()")

    def _shown(self) -> str:
        return "<function %s at %#x>" % (_name(self, "__name__"), ref_of(self).rec.addr)
