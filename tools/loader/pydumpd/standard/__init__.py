# SPDX-License-Identifier: Apache-2.0
"""Types of the standard library, and how each comes back at the prompt.

A type is known by its full name as the dump has it ("collections.deque"), and
found along the dumped MRO, so that a class of the program that derives from it
has the same behaviour. There are two ways to bring one back:

1. A **real object** of the type that this Python has, where that is sound. A
   function that gets the Ref of the object and the class to make (the real
   one, or a surrogate class of the program that derives from it)::

       @real(Decimal, "decimal.Decimal")
       def decimal(ref, cls):
           return cls.__new__(cls, ref.fields.whole_text("text"))

   It raises Absent (a field that is not there) to leave the object to the
   generic surrogate, and ValueError with a reason for a value that cannot be:
   that becomes a placeholder. What a class statement made (a type written in
   Python) needs `python=True`, and has `ref.attributes()` instead of fields.

2. A **surrogate** with the methods and the repr of the original. A class that
   is mixed into the surrogate classes of that type::

       @surrogate("_thread.lock")
       class Lock(Standard):
           def locked(self):
               return fields(self)["locked"]

           def _shown(self):
               return "<%s %s>" % (locked, full_name(self))

   What is public in it (methods, properties) is what attribute access finds,
   before the namespace of the dumped type; fields and the instance's own
   attributes come by themselves. `_shown` gives the repr: a str, or a `Shown`
   whose parts are rendered without recursion. `__len__`, `__iter__`, `__eq__`
   and the like may be defined as usual. `base` names a real type whose storage
   the surrogate shall have (a builtin, OrderedDict). Types written in Python
   work alike: `own(self, "_name")` gives an attribute of the instance.

Put it into the module of its area in this package, and the first word of the type's full name
beside that module in areas.py: a module loads when a type of such a name is met. None may
import, call or evaluate what a dump names, or allocate by a number in it.
"""

from importlib import import_module
from itertools import chain
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Set,
    Tuple,
    Type,
    Union,
)

from ..fields import Absent, Fields
from ..marks import Placeholder, describe
from ..records import Record
from ..refs import Ref, ref_of
from ..render import Shown
from .areas import by_package, package_of

if TYPE_CHECKING:
    from ..objects import Graph

__all__ = [
    "Absent", "Entry", "Fields", "Items", "Pairs", "Shown", "Standard", "class_name", "container",
    "contents", "fields", "full_name", "inner", "is_real", "lookup", "null", "otherwise", "own",
    "real", "real_base", "registry", "surrogate",
]  # fmt: skip

Maker = Callable[[Ref, type], Any]


class Entry(NamedTuple):
    """How a type comes back."""

    real: Optional[type] = None
    make: Optional[Maker] = None
    mixin: Optional[type] = None
    python: bool = False
    container: Optional["Container"] = None


class Container:
    """How a mutable container of a real type comes back: made empty, so that
    it may hold itself, and filled later."""

    def __init__(self, base: type, fill: Callable[[Any, Ref, List[Any]], None]) -> None:
        self.base, self.fill = base, fill
        self._fits: Callable[[Ref], bool] = lambda ref: True
        self.mixin: Optional[type] = None

    def fits(self, check: Callable[[Ref], bool]) -> Callable[[Ref], bool]:
        """Registers what tells whether a record can be a real one."""
        self._fits = check
        return check

    def otherwise(self, mixin: type) -> type:
        """Registers the mixin for those that cannot, or not at once."""
        self.mixin = mixin
        return mixin

    def accepts(self, ref: Ref) -> bool:
        """Whether this record can be a real one."""
        return ref.rec.mark is None and self._fits(ref)


_registry: Dict[str, Entry] = {}
#: The real types that objects come back as.
REALS: Set[type] = set()
#: How real containers among them print: type -> function of the object.
REAL_SHOWN: Dict[type, Callable[[Any], Union[str, Shown]]] = {}
_AREAS = by_package()


def _load(package: str) -> None:
    """Loads the modules that know types of a package."""
    for area in _AREAS.pop(package, ()):
        import_module("." + area, __name__)


def lookup(name: str) -> Optional[Entry]:
    """The entry of a type by its full name; loads no more than that takes."""
    package = package_of(name)
    if package in _AREAS:
        _load(package)
    return _registry.get(name)


def is_real(cls: type) -> bool:
    """Whether objects come back as real ones of that type. Such a type comes
    from an entry, which is loaded then."""
    return cls in REALS


def registry() -> Dict[str, Entry]:
    """Full type name -> its entry, of all types."""
    for package in list(_AREAS):
        _load(package)
    return _registry


def real(cls: type, *names: str, python: bool = False) -> Callable[[Maker], Maker]:
    """Registers a function that makes real objects of cls, for the types of
    these full names."""

    def register(make: Maker) -> Maker:
        REALS.add(cls)
        for name in names:
            _registry[name] = Entry(real=cls, make=make, python=python)
        return make

    return register


def otherwise(*names: str) -> Callable[[type], type]:
    """Registers the mixin of those objects of a real type that cannot be real."""

    def register(mixin: type) -> type:
        for name in names:
            _registry[name] = _registry[name]._replace(mixin=mixin)
        return mixin

    return register


def real_base(cls: type, *names: str) -> None:
    """Registers a real type that others derive from: surrogates of those are
    instances of it."""
    REALS.add(cls)
    for name in names:
        _registry[name] = Entry(real=cls)


def surrogate(*names: str) -> Callable[[type], type]:
    """Registers a mixin for the surrogates of the types of these names."""

    def register(mixin: type) -> type:
        for name in names:
            _registry[name] = Entry(mixin=mixin)
        return mixin

    return register


def container(
    base: type, *names: str
) -> Callable[[Callable[[Any, Ref, List[Any]], None]], Container]:
    """Registers a function that fills an empty real container of type base."""

    def register(fill: Callable[[Any, Ref, List[Any]], None]) -> Container:
        made = Container(base, fill)
        REALS.add(base)
        for name in names:
            _registry[name] = Entry(real=base, container=made)
        return made

    return register


# -- for those who write an entry


def fields(obj: Any) -> Fields:
    """The fields of the C struct of a surrogate."""
    return ref_of(obj).fields


def own(obj: Any, name: str, default: Any = None) -> Any:
    """An attribute of the instance itself (its dict or slots)."""
    ref = ref_of(obj)
    at = ref.attributes().get(name)
    return default if at is None else ref.graph.get(at)


def null(f: Fields, name: str) -> bool:
    """Whether a field that has to be there is NULL; Absent when it is not."""
    if name not in f:
        raise Absent(name)
    return f.null(name)


def inner(obj: Any, name: str, *args: Any) -> Any:
    """Calls a method of a mixin that is not public: obj.name would ask the dump."""
    return type.__getattribute__(type(obj), name)(obj, *args)


def full_name(obj: Any) -> str:
    """module.Class of a surrogate, as the dump has it."""
    ref = ref_of(obj)
    return ref.graph.classes.name(ref.rec.type) or "<type not dumped: %#x>" % ref.rec.type


def class_name(obj: Any) -> str:
    """The bare name of a surrogate's class."""
    return full_name(obj).rpartition(".")[2]


class Standard:
    """The base of all mixins."""

    __slots__ = ()
    #: A real type whose storage the surrogates shall have.
    base: Optional[Type[Any]] = None

    def _shown(self) -> Any:
        return generic(self)


class Items(Standard):
    """A record with items: length, indexing, iteration, `in`."""

    __slots__ = ()

    def _note(self) -> str:
        rec = ref_of(self).rec
        return describe(rec.mark, len(rec.rest()), "items") if rec.mark else ""

    def _refs(self) -> Any:
        return ref_of(self).rec.rest()

    def __len__(self) -> int:
        return length(ref_of(self), len(Items._refs(self)))

    def dumped(self) -> List[Any]:
        """The items that are there, without complaint."""
        return list(map(ref_of(self).graph.get, Items._refs(self)))

    def __iter__(self) -> Iterator[Any]:
        ref = ref_of(self)
        yield from map(ref.graph.get, ref.rec.rest())
        check_whole(ref)

    def __reversed__(self) -> Iterator[Any]:
        return iter(list(self)[::-1])

    def __getitem__(self, key: Any) -> Any:
        ref = ref_of(self)
        refs = ref.rec.rest()
        if isinstance(key, slice):
            check_whole(ref)
            return [ref.graph.get(r) for r in refs[key]]
        if key >= len(refs) or key < 0:
            check_whole(ref)
        return ref.graph.get(refs[key])

    def __contains__(self, value: Any) -> bool:
        return any(v is value or v == value for v in self)


class Pairs(Standard):
    """A mapping: len, indexing by key, iteration, keys, values, items, get."""

    __slots__ = ()

    def _index(self) -> Dict[Any, int]:
        ref = ref_of(self)
        if ref.extra is None:
            from ..objects import hashable

            refs, index = ref.rec.rest(), {}  # type: ignore
            for i in range(0, len(refs) - 1, 2):
                index[hashable(ref.graph.get(refs[i]), index)] = refs[i + 1]
            ref.extra = index
        return ref.extra

    def __len__(self) -> int:
        return length(ref_of(self), len(Pairs._index(self)))

    def dumped(self) -> List[Any]:
        """The pairs that are there, without complaint."""
        graph = ref_of(self).graph
        return [(k, graph.get(v)) for k, v in Pairs._index(self).items()]

    def __iter__(self) -> Iterator[Any]:
        yield from Pairs._index(self)
        check_whole(ref_of(self))

    def __getitem__(self, key: Any) -> Any:
        index = Pairs._index(self)
        if key not in index:
            check_whole(ref_of(self))
            raise KeyError(key)
        return ref_of(self).graph.get(index[key])

    def __contains__(self, key: Any) -> bool:
        if key in Pairs._index(self):
            return True
        check_whole(ref_of(self))
        return False

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of key."""
        return self[key] if key in self else default

    def keys(self) -> Any:
        """The keys."""
        return list(self)

    def values(self) -> Any:
        """The values."""
        return [self[k] for k in self]

    def items(self) -> Any:
        """The pairs."""
        return [(k, self[k]) for k in self]


def length(ref: Ref, there: int) -> int:
    """How many items there were, of which some are here."""
    mark = ref.rec.mark
    if mark is not None and mark.word == "truncated" and not mark.text and mark.total is not None:
        return max(mark.total, there)
    check_whole(ref)
    return there


def check_whole(ref: Ref) -> None:
    """Raises NotDumpedError when items of the record are missing."""
    from ..marks import NotDumpedError

    if ref.rec.kind.name == "object":
        raise NotDumpedError("the items of %s are not known" % ref.graph.classes.name(ref.rec.type))
    mark = ref.rec.mark
    if mark is not None and mark.word != "torn" and not mark.text.startswith("field "):
        count = len(ref.rec.rest()) // (2 if ref.rec.kind.name == "mapping" else 1)
        raise NotDumpedError("the rest is not in the dump (%s)" % describe(mark, count, "items"))


# -- the generic surrogate


def generic(obj: Any) -> Shown:
    """module.Name([items], field=value, ...)"""
    ref = ref_of(obj)
    parts: Iterator[Tuple[str, Any]] = _fields_shown(ref)
    count = _shown_count(ref)
    if len(ref.rec.rest()):
        parts = chain([("", contents(ref))], parts)
        count += 1
    note = describe(ref.rec.mark) if ref.rec.mark and not _has_own_place(ref) else ""
    return Shown("%s(" % full_name(obj), parts, ")", count, note=note)


def shown_or_generic(show: Callable[[Any], Any], obj: Any) -> Any:
    """The repr, or the generic one where the dump lacks what it needs."""
    try:
        return show(obj)
    except Exception:  # one that is its own part, too
        kind = ref_of(obj).rec.kind.name
        return generic(obj) if kind in ("object", "record", "mapping") else None


def with_mark(out: Any, ref: Ref) -> Any:
    """A repr that says what is wrong with the record, if it does not yet."""
    mark = ref.rec.mark
    if mark is None or ref.rec.kind.name not in ("record", "mapping"):
        return out
    if isinstance(out, str):
        return out if mark.word in out else "%s <%s>" % (out, describe(mark))
    if out.note or any(ref.fields.note(name) for name in ref.fields):
        return out
    return out._replace(note=describe(mark))


def contents(ref: Ref) -> Shown:
    """The items of a record as [...], the pairs of a mapping as {...}."""
    graph, refs = ref.graph, ref.rec.rest()
    if ref.rec.kind.name == "mapping":
        both = zip(map(graph.get, refs[::2]), map(graph.get, refs[1::2]))
        return Shown("{", both, "}", len(refs) // 2, pairs=True)
    return Shown("[", (("", graph.get(r)) for r in refs), "]", len(refs))


def _has_own_place(ref: Ref) -> bool:
    return any(ref.fields.note(name) for name in ref.fields)


class _Null:
    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"


def _fields_shown(ref: Ref) -> Iterator[Tuple[str, Any]]:
    from ..marks import printable

    for name in ref.fields:
        yield printable(name) + "=", _Null() if ref.fields.null(name) else ref.fields[name]
    for name, at in ref.attributes().items():
        if name not in ref.fields:
            yield printable(name) + "=", ref.graph.get(at)


def _shown_count(ref: Ref) -> int:
    return len(set(ref.fields) | set(ref.attributes()))


def make(graph: "Graph", rec: Record, cls: type, entry: Entry) -> Any:
    """A real object for a record, or a Placeholder when its fields cannot be;
    None when they are not there, or when it has a mark."""
    if entry.make is None or rec.mark is not None:
        return None
    try:
        return entry.make(Ref(graph, rec), cls)
    except Absent:
        return None
    except Exception as e:  # of any type: it must not end a request for another object
        name = graph.classes.name(rec.type)
        return Placeholder("corrupt %s at %#x: %s" % (name, rec.addr, e), rec.addr)
