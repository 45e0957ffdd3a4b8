# SPDX-License-Identifier: Apache-2.0
"""The object graph: from addresses in the dump to Python objects here.

Builtin values become real builtins, with identity, aliasing and cycles kept.
Everything is decoded by worklists, never by recursion: the depth of the
dumped data is the program's to choose.
"""

import struct
from collections import deque
from typing import Any, Deque, Dict, Iterable, List, Optional, Set, Tuple

from . import classes, cuts, exceptions, natives, redacted, standins, surrogates
from .dumpfile import DumpError, DumpFile
from .marks import EqualKey, NotDumpedError, Placeholder, describe, marked
from .records import Record
from .refs import Ref
from .swift import SLOW, Swift

#: Objects decoded at once for one request; containers beyond it become
#: stand-ins that decode on demand.
BUDGET = 20000

_MUTABLE = {"list": list, "dict": dict, "set": set}
_FROZEN = {"tuple": tuple, "frozenset": frozenset}
_SCALAR = {"int", "float", "complex", "str", "bytes", "bytearray"}
_UNITS = cuts.UNITS
#: Limits that cut inside of objects, or leave a placeholder with the reason.
_INSIDE = ("exclude", "include", "max_blob", "max_items", "max_string")
_SINGLETONS = {"none": None, "ellipsis": Ellipsis, "notimplemented": NotImplemented}
_IMMORTAL_REFCNT = (1 << 32) - 1


class Graph:
    """Decodes the objects of one dump file, on demand."""

    def __init__(self, file: DumpFile, budget: int = BUDGET) -> None:
        self.file = file
        self.budget = budget
        python = file.header.get("python")
        version = python.get("hex") if isinstance(python, dict) else 0
        #: (3, 11) and so on: the interpreter of the program
        self.python = (
            ((version >> 24) & 255, (version >> 16) & 255) if isinstance(version, int) else (0, 0)
        )
        #: The Dump that this belongs to, for real frames.
        self.dump: Any = None
        #: The globals of real frames may wait until they are asked for: who
        #: evaluates expressions in the frames knows Namespace.
        self.patient = False
        self._memo: Dict[int, Any] = {}
        self._addresses: Dict[int, int] = {}  # id here -> address there
        self._namespaces: Dict[int, Dict[str, int]] = {}
        #: Address of a code object -> the names in it, see code_names().
        self.codes: Dict[int, Any] = {}
        self.classes = classes.Classes(self)
        self.swift = Swift(self)
        cut = file.end.get("cut")
        self._cut = sorted(map(str, cut)) if isinstance(cut, dict) else []
        #: Limits that leave references without an object.
        self._lost = [k for k in self._cut if k not in _INSIDE]
        #: Some objects are not here, or not whole.
        self._partial = bool(
            self._cut or not file.complete or file.end.get("placeholders") or not file.end
        )

    # -- records

    def record(self, addr: int) -> Optional[Record]:
        """The record at an address; None when the dump has none."""
        if not addr or addr & 3 == 3:
            return None
        try:
            return self.file.record(addr)
        except DumpError:
            return None

    def kind_of(self, addr: int) -> str:
        """The name of the node kind at an address, "" for none."""
        rec = self.record(addr)
        return rec.kind.name if rec else ""

    def namespace(self, addr: int) -> Dict[str, int]:
        """name -> reference, of the str keys of the dict at addr."""
        names = self._namespaces.get(addr)
        if names is None:
            names = {}
            rec = self.record(addr)
            if rec is not None and rec.kind.name == "dict":
                refs = rec.rest()
                for i in range(0, len(refs) - 1, 2):
                    key = self.string(refs[i])
                    if key is None:
                        key = self._vague_name(refs[i], names)
                    if key is not None:
                        names[key] = refs[i + 1]
            why = self.missing(addr)
            if why:
                names[cuts.unique("<%s>" % why, names)] = addr
            self._namespaces[addr] = names
        return names

    def missing(self, addr: int) -> str:
        """Why a namespace may have more names than the dump, or ""."""
        rec = self.record(addr)
        mark = rec.mark if rec is not None else None
        if mark is not None and mark.word == "torn" and mark.total is not None:
            # A dict in the middle of a change.
            return "names: torn" if mark.total != len(rec.rest()) // 2 else ""
        if not addr or not self._partial:
            return ""
        if rec is None:
            return "names not dumped"
        if rec.kind.name == "placeholder" or rec.mark is not None:
            return "names: %s" % (rec.mark.word if rec.mark else "not dumped")
        return ""

    def string(self, addr: int) -> Optional[str]:
        """The str at an address, or None when there is no whole one."""
        if addr in self._memo:
            value = self._memo[addr]
            return value if type(value) is str else None
        if not addr or addr & 3 == 3:
            return None
        try:
            data = self.file.text(addr)
        except DumpError:
            return None
        if data is None:  # of a class derived from str, it may have attributes
            rec = self.record(addr)
            if rec is None or rec.kind.name != "str" or rec.mark is not None:
                return None
            data = rec.data
        try:
            return _decode_str(data)
        except UnicodeDecodeError:
            return None

    def _vague_name(self, addr: int, taken: Dict[str, int]) -> Optional[str]:
        """What stands for a name that is a str but not here, or not whole."""
        rec = self.record(addr)
        if rec is None:
            return cuts.unique("<name not dumped: %#x>" % addr, taken) if addr else None
        if rec.kind.name not in ("str", "placeholder") or rec.mark is None:
            return None
        text = rec.data.decode("utf-8", "replace") if rec.kind.name == "str" else ""
        return cuts.unique("%s<%s>" % (text, rec.mark.word), taken)

    def strings(self, addr: int) -> List[str]:
        """The str items of the tuple at addr."""
        rec = self.record(addr)
        if rec is None or rec.kind.name != "tuple":
            return []
        return [s if s is not None else "?" for s in map(self.string, rec.rest())]

    # -- objects

    def get(self, ref: int, budget: Optional[int] = None) -> Any:
        """The object at an address (or the tagged small integer ref is)."""
        if ref in self._memo:
            return self._memo[ref]
        for batch in self.file.busy:
            row = batch.rows.get(ref)  # type: ignore
            if row is not None and ref & 3 != 3:
                made = self.swift.make(batch, row, ref, self.budget if budget is None else budget)
                if made is SLOW:
                    break
                return made if ref in self._memo else self._note(ref, made)
        rec = self.record(ref)
        if rec is not None and rec.kind.name in _SCALAR:
            return self._note(ref, self._leaf(rec))
        self._build(ref, self.budget if budget is None else budget)
        return self._memo[ref]

    def peek(self, ref: int) -> Any:
        """The same with containers as stand-ins: never decodes what they hold."""
        return self.get(ref, 0)

    @property
    def decoded(self) -> int:
        """How many objects are decoded."""
        return len(self._memo) - self.swift.count

    def address(self, obj: Any) -> int:
        """Where an object that this graph made was in the program, or 0."""
        return self._addresses.get(id(obj), 0)

    def materialise(self, obj: Any, budget: int = 5000000) -> Any:
        """A real builtin for a stand-in, with all that it holds."""
        if not isinstance(obj, standins.StandIn):
            return obj
        addr = standins.ref_of(obj).rec.addr
        if standins.ref_of(obj).rec.mark is not None:
            return obj
        fresh = Graph.__new__(Graph)
        fresh.__dict__.update(self.__dict__)
        fresh._addresses = {}
        fresh.swift = Swift(fresh)
        fresh._memo = {
            a: o
            for a, o in self._memo.items()
            if not isinstance(o, (standins.StandIn, list, dict, set, tuple, frozenset))
        }
        return fresh.get(addr, budget)

    def absent(self, addr: int) -> Placeholder:
        """The placeholder for an address that the dump does not hold."""
        if not addr:
            return Placeholder("NULL")
        try:
            self.file.record(addr)
        except DumpError as e:
            return Placeholder("damaged file: %s" % e, addr)
        if not self.file.complete:
            why = "the file was cut short"
        elif self._lost:
            why = "limit " + ", ".join(self._lost)
        else:
            why = "no such object"
        return Placeholder("not dumped: %s (object at %#x)" % (why, addr), addr)

    def instance(self, rec: Record, cls: type) -> Any:
        """A surrogate of a class that Classes.plain_class() gave."""
        return surrogates.adopt(object.__new__(cls), self, rec)

    def _note(self, addr: int, obj: Any) -> Any:
        self._memo[addr] = obj
        self._addresses[id(obj)] = addr
        return obj

    def _build(self, root: int, budget: int) -> None:
        """Decodes root and what its containers hold, breadth first."""
        before = len(self._memo)
        try:
            self._build_all(root, budget)
        except BaseException:
            # ^C, for one: a container that is not filled yet would pass for an
            # empty one, also within what was made meanwhile.
            while len(self._memo) > before:
                addr, obj = self._memo.popitem()
                if self._addresses.get(id(obj)) == addr:
                    del self._addresses[id(obj)]
            raise

    def _build_all(self, root: int, budget: int) -> None:
        memo = self._memo
        plan: Dict[int, Record] = {}
        containers: Dict[int, Any] = {}  # those of plan that are no builtins
        queue: Deque[int] = deque([root])
        count = 0
        while queue:
            ref = queue.popleft()
            if ref in memo or ref in plan:
                continue
            if not ref or ref & 3 == 3:
                memo[ref] = _tagged(ref) if ref else Placeholder("NULL")
                continue
            rec = self.record(ref)
            if rec is None:
                self._note(ref, self.absent(ref))
                continue
            children = self._children(rec)
            entry = self._container(rec) if children is None else None
            if entry is not None and count + len(rec.rest()) <= budget:
                children = rec.rest()
                count += len(children)
                containers[ref] = entry
                plan[ref] = rec
                queue.extend(children)
            elif children is None:
                self._note(ref, self._leaf(rec))
            elif rec.kind.name in _MUTABLE or rec.kind.name in _FROZEN:
                if (
                    rec.mark is not None
                    or count + len(children) > budget
                    or (self._partial and self._vague(rec, children))
                ):
                    self._note(ref, standins.make(self, rec))
                    continue
                count += len(children)
                plan[ref] = rec
                queue.extend(children)
            else:
                plan[ref] = rec
                queue.extend(children)
        # Making one may need another that is planned here, which then is in memo,
        # whole: a second one of it would be another object.
        made: List[int] = []
        for addr, rec in plan.items():
            if addr in memo:
                continue
            if addr in containers:
                obj = self._shell(rec, containers[addr].base)
            elif rec.kind.name in _MUTABLE:
                obj = self._shell(rec, _MUTABLE[rec.kind.name])
            elif rec.kind.name == "exception":
                obj = exceptions.make_exception(self, rec)
            else:
                continue
            if addr not in memo:
                self._note(addr, obj)
                made.append(addr)
        self._build_frozen(plan)
        for addr in made:
            rec = plan[addr]
            if addr in containers:
                items = [memo[r] for r in rec.rest()]
                containers[addr].fill(memo[addr], Ref(self, rec), items)
            elif rec.kind.name in _MUTABLE:
                self._fill(memo[addr], rec)
            else:
                exceptions.fill_exception(self, memo[addr], rec)

    def _vague(self, rec: Record, children: Any) -> bool:
        """Whether keys or items of a dict or set are not whole: a real one would
        say that what is asked for is not in it."""
        name = rec.kind.name
        if name in ("list", "tuple"):
            return False
        for ref in children[::2] if name == "dict" else children:
            key = self.record(ref) if ref and ref & 3 != 3 else rec
            if key is None or key.kind.name == "placeholder":
                return True
            if key.mark is not None and key.mark.word == "truncated":
                return True
        return False

    def _children(self, rec: Record) -> Optional[Iterable[int]]:
        """What has to be decoded together with an object; None for a leaf."""
        name = rec.kind.name
        if name in _MUTABLE or name in _FROZEN:
            return rec.rest()
        if name in ("slice", "range"):
            return rec.refs[:3]
        if name == "exception":
            return exceptions.exception_children(self, rec)
        return None

    def _container(self, rec: Record) -> Any:
        """How a record becomes a real container, or None."""
        if rec.kind.name != "record":
            return None
        entry = self.classes.entry_of(rec.type)
        found = entry.container if entry is not None else None
        return found if found is not None and found.accepts(Ref(self, rec)) else None

    def _shell(self, rec: Record, base: type) -> Any:
        """An empty container to be filled later."""
        cls = self.classes.storage_class(rec, base)
        obj = surrogates.native_base(cls, base).__new__(cls)
        if cls is not base:
            surrogates.adopt(obj, self, rec)
        return obj

    def _fill(self, obj: Any, rec: Record) -> None:
        memo, refs, name = self._memo, rec.rest(), rec.kind.name
        if name == "list":
            list.extend(obj, [memo[r] for r in refs])
        elif name == "dict":
            fill_dict(obj, ((memo[k], memo[v]) for k, v in zip(refs[::2], refs[1::2])))
        else:
            fill_set(obj, (memo[r] for r in refs))

    def _build_frozen(self, plan: Dict[int, Record]) -> None:
        """Tuples, frozensets and slices: children first, without recursion."""
        memo = self._memo
        for start in plan:
            if start in memo:
                continue
            active: Set[int] = {start}
            stack: List[Tuple[int, Any]] = [(start, iter(plan[start].refs))]
            while stack:
                addr, children = stack[-1]
                for ref in children:
                    if ref not in memo and ref in plan and ref not in active:
                        active.add(ref)
                        stack.append((ref, iter(plan[ref].refs)))
                        break
                else:
                    stack.pop()
                    active.discard(addr)
                    made = self._freeze(plan[addr])
                    if addr not in memo:
                        self._note(addr, made)

    def _freeze(self, rec: Record) -> Any:
        memo, name = self._memo, rec.kind.name
        if name in ("slice", "range"):
            parts = [memo[r] if r in memo else _cycle(r) for r in rec.refs[:3]]
            if len(parts) != 3:
                return Placeholder("corrupt %s" % name, rec.addr)
            if name == "slice":
                return slice(*parts)
            if not all(type(p) is int for p in parts) or parts[2] == 0:
                return Placeholder("range%r" % (tuple(parts),), rec.addr)
            return range(*parts)
        base = _FROZEN[name]
        # A reference that is in no memo by now leads back to this object
        # through immutable ones only: that cannot be built here.
        items = [memo[r] if r in memo else _cycle(r) for r in rec.rest()]
        if base is frozenset:
            box: Set[Any] = set()
            fill_set(box, iter(items))
            items = list(box)
        cls = self.classes.storage_class(rec, base)
        if cls is base:
            return base(items)
        obj = base.__new__(cls, items)
        surrogates.adopt(obj, self, rec)
        return obj

    def _leaf(self, rec: Record) -> Any:
        name, mark = rec.kind.name, rec.mark
        if name == "placeholder" or (mark and name not in _SCALAR):
            if name in ("placeholder", "none", "bool", "ellipsis", "notimplemented"):
                return self._placeholder(rec)
        try:
            if name in _SINGLETONS:
                return _SINGLETONS[name]
            if name == "bool":
                return rec.data == b"\1"
            if name in _SCALAR:
                return self._scalar(rec)
            if name == "type":
                return self.classes.get(rec.addr)
            if name in ("object", "record", "mapping"):
                return surrogates.make_instance(self, rec)
            return natives.make(self, rec)
        except (struct.error, ValueError, UnicodeError, OverflowError) as e:
            return Placeholder("corrupt %s: %s" % (name, e), rec.addr)

    def _placeholder(self, rec: Record) -> Placeholder:
        text = rec.data.decode("utf-8", "replace")
        word = rec.mark.word if rec.mark else "placeholder"
        detail = (rec.mark.text if rec.mark else "") or text
        if not detail or detail == word:
            why = word
        else:
            why = detail if detail.startswith(word) else "%s: %s" % (word, detail)
        if rec.type and rec.kind.name == "placeholder":
            cls = self.classes.name(rec.type)
            if cls:
                why += " (%s object at %#x)" % (cls, rec.addr)
        return Placeholder(why, rec.addr)

    def _scalar(self, rec: Record) -> Any:
        name, data = rec.kind.name, rec.data
        value: Any
        if name == "int":
            value = int.from_bytes(data, "little", signed=True)
        elif name == "float":
            (value,) = struct.unpack("<d", data)
        elif name == "complex":
            value = complex(*struct.unpack("<dd", data))
        elif name == "str":
            value = _decode_str(data)
        elif name == "bytearray":
            value = bytearray(data)
        else:
            value = data
        if rec.mark is not None and rec.mark.word == "truncated" and name in cuts.BASES:
            return cuts.Cut(self, rec, value)
        if rec.mark is not None and rec.mark.word == "redacted" and name in cuts.BASES:
            return redacted.Redacted(self, rec, value)
        if rec.mark is not None:
            unit = _UNITS.get(name, "")
            have = len(value) if unit else None
            return marked(value, describe(rec.mark, have, unit))
        base = type(value)
        cls = self.classes.storage_class(rec, base)
        if cls is base:
            return value
        if base is bytearray:
            obj = bytearray.__new__(cls)
            bytearray.extend(obj, value)
        elif base is complex:
            obj = complex.__new__(cls, value.real, value.imag)
        else:
            obj = base.__new__(cls, value)
        surrogates.adopt(obj, self, rec)
        return obj

    # -- attributes

    def attributes(self, rec: Record) -> Dict[str, int]:
        """name -> reference of an object's own attributes, unset ones absent."""
        out: Dict[str, int] = {}
        late: Dict[str, int] = {}
        for (origin, name), ref in zip(rec.shape, rec.values):
            if not ref:
                continue
            if origin == surrogates.ORIGIN_DICT:
                out.update(self.namespace(ref))
            elif origin in (surrogates.ORIGIN_SLOT, surrogates.ORIGIN_MEMBER):
                late[name] = ref
            elif origin == surrogates.ORIGIN_INLINE:
                out[name] = ref
        out.update(late)
        return out

    def instance_dict(self, rec: Record) -> Optional[Any]:
        """The __dict__ of an object, or None when it has none."""
        inline: Optional[Dict[str, Any]] = None
        for (origin, name), ref in zip(rec.shape, rec.values):
            if origin == surrogates.ORIGIN_DICT and ref:
                return self.get(ref)
            if origin == surrogates.ORIGIN_INLINE:
                inline = {} if inline is None else inline
                if ref:
                    inline[name] = self.get(ref)
        ref = rec.field("dict")
        if ref and inline is None:
            return self.get(ref)
        return inline


def _decode_str(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _tagged(ref: int) -> int:
    signed = ref - (1 << 64) if ref >> 63 else ref
    return signed >> 2


def _cycle(ref: int) -> Placeholder:
    return Placeholder("cycle of immutable objects back to %#x" % ref, ref)


def hashable(key: Any, seen: Any) -> Any:
    """key, or a wrapper for it when it cannot be one of seen's keys."""
    try:
        hash(key)  # a set in a set is looked up as a frozenset, but not added
        if key not in seen:
            return key
    except (TypeError, RecursionError, NotDumpedError):
        pass
    return EqualKey(key)


def fill_dict(obj: Any, pairs: Iterable[Tuple[Any, Any]]) -> None:
    """Puts all pairs into a dict; equal keys are wrapped, not collapsed."""
    put = surrogates.native_base(type(obj), dict).__setitem__
    for key, value in pairs:
        put(obj, hashable(key, obj), value)


def fill_set(obj: Any, items: Iterable[Any]) -> None:
    """The same for a set."""
    for item in items:
        set.add(obj, hashable(item, obj))
