# SPDX-License-Identifier: Apache-2.0
"""Names and their values: what real frames have as their globals, and what an
expression at the prompt sees."""

import types
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Set

if TYPE_CHECKING:
    from .objects import Graph

#: What `__builtins__` is in them; scope.py fills it.
BUILTINS: Dict[str, Any] = {}


class Namespace(dict):
    """The globals of a real frame: a copy of the module's dict in the dump,
    which stays as it was, with builtins for what is typed at the prompt.

    A value is decoded when its name is first asked for. C code that takes a
    dict apart sees those that were, or all after `fill`.
    """

    __slots__ = ("_addr", "_graph", "_names")

    def __init__(self, graph: Optional["Graph"] = None, addr: int = 0) -> None:
        super().__init__()
        self._graph, self._addr = graph, addr
        #: name -> reference, of those that are not decoded
        self._names: Optional[Dict[str, int]] = None
        dict.__setitem__(self, "__builtins__", BUILTINS)

    @property
    def origin(self) -> Any:
        """The module's dict, as the dump has it."""
        return self._graph.get(self._addr) if self._graph is not None and self._addr else {}

    def _waiting(self) -> Dict[str, int]:
        if self._names is None:
            self._names = {}
            if self._graph is not None:
                self._names.update(self._graph.namespace(self._addr))
                self._names.pop("__builtins__", None)
        return self._names

    def __missing__(self, name: str) -> Any:
        waiting = self._waiting()
        if name not in waiting:
            raise KeyError(name)
        assert self._graph is not None
        value = self._graph.get(waiting[name])
        del waiting[name]
        dict.__setitem__(self, name, value)
        return value

    def fill(self) -> None:
        """Decodes what is not yet."""
        for name in list(self._waiting()):
            self.__missing__(name)

    # -- what dict does without __missing__

    def __contains__(self, name: Any) -> bool:
        return dict.__contains__(self, name) or name in self._waiting()

    def get(self, name: Any, default: Any = None) -> Any:
        """The value of a name, or default."""
        return self[name] if name in self else default

    def setdefault(self, name: Any, default: Any = None) -> Any:
        """The value of a name, which becomes default when it has none."""
        # No name of the program, and asked for before each prompt.
        if name == "__pdb_convenience_variables" or dict.__contains__(self, name):
            return dict.setdefault(self, name, default)
        if name not in self:
            self[name] = default
        return self[name]

    def __setitem__(self, name: Any, value: Any) -> None:
        self._waiting().pop(name, None)
        dict.__setitem__(self, name, value)

    def __delitem__(self, name: Any) -> None:
        self[name]
        dict.__delitem__(self, name)

    def __len__(self) -> int:
        return dict.__len__(self) + len(self._waiting())

    def __iter__(self) -> Iterator[Any]:
        yield from list(dict.__iter__(self))
        yield from list(self._waiting())

    def __reversed__(self) -> Iterator[Any]:
        return iter(list(self)[::-1])

    def _whole(self) -> Dict[Any, Any]:
        self.fill()
        return dict(dict.items(self))

    def keys(self) -> Any:
        """The names."""
        return dict.fromkeys(self).keys()

    def values(self) -> Any:
        """The values, of which all are decoded."""
        return self._whole().values()

    def items(self) -> Any:
        """The names and values, of which all are decoded."""
        return self._whole().items()

    def copy(self) -> Dict[Any, Any]:
        """A plain dict."""
        return self._whole()

    def pop(self, name: Any, *default: Any) -> Any:
        """Takes a name out."""
        if name in self:
            self[name]
        return dict.pop(self, name, *default)

    def __eq__(self, other: Any) -> bool:
        return self is other or self._whole() == other

    def __ne__(self, other: Any) -> bool:
        return not self == other

    __hash__ = None  # type: ignore

    def __or__(self, other: Any) -> Any:
        return {**self, **other}

    def __repr__(self) -> str:
        return repr(self._whole())


class Scope(Namespace):
    """What an expression at the prompt has as its globals: the variables of the
    frame, for the scopes of comprehensions and lambdas see no others, and
    behind them its globals."""

    __slots__ = ("_globals", "_locals")

    def __init__(self, variables: Any, globals_: Namespace) -> None:
        super().__init__()
        self._locals, self._globals = variables, globals_
        self._names = {}

    @property
    def origin(self) -> Any:
        """The module's dict, as the dump has it."""
        return self._globals.origin

    def __missing__(self, name: str) -> Any:
        space = self._locals if name in self._locals else self._globals
        return space[name]

    def __contains__(self, name: Any) -> bool:
        return dict.__contains__(self, name) or name in self._locals or name in self._globals

    def load(self, code: types.CodeType) -> None:
        """Puts in what code names: a name that is neither a local nor a global
        variable of a function is looked for in what is there, without
        __missing__."""
        names = _names_of(code)
        if "eval" in names or "exec" in names:
            names.update(self._globals, self._locals)
        for name in names:
            if name != "__builtins__" and name in self:
                self[name] = self[name]


def _names_of(code: types.CodeType) -> Set[str]:
    names: Set[str] = set()
    rest = [code]
    while rest:
        each = rest.pop()
        names.update(each.co_names)
        rest += [c for c in each.co_consts if isinstance(c, types.CodeType)]
    return names
