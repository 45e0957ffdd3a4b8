# SPDX-License-Identifier: Apache-2.0
"""Ways to decode many objects that take less time for each.

Who goes over a container asks for one object after the other of the same few
batches. Of a batch that many objects are asked of, the plain numbers and texts
are decoded at once; its dicts, lists, tuples and instances of which all else is
decoded are made without a plan. What is not plain in some way (a mark, a class
of the program with storage, a reference to what is not decoded) takes the
ordinary way, which gives the same.
"""

from itertools import groupby
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from .columns import DumpError
from .records import Batch

if TYPE_CHECKING:
    from .objects import Graph

#: What `Swift.make` gives for an object that is not plain.
SLOW = object()
#: References of a container that is made without a plan.
_MANY = 1000
_BASES = {"int": int, "float": float, "str": str, "bytes": bytes}
_CONTAINERS = {"dict": dict, "list": list, "tuple": tuple}
_PLAIN = set(_CONTAINERS.values())
#: Types of which equal keys are found without running anything of the program.
_KEYS = {str, int}


class Swift:
    """Decodes plain objects for a graph."""

    def __init__(self, graph: "Graph") -> None:
        self._graph = graph
        #: (node, type) -> the type of plain objects that they make, or None
        self._types: Dict[Tuple[int, int], Any] = {}
        self.count = 0

    def make(self, batch: Batch, row: int, addr: int, budget: int) -> Any:
        """The object in a row, which is not decoded yet, or SLOW."""
        graph, memo = self._graph, self._graph._memo
        if batch.decoded_for is not self:
            self._decode(batch)
            if addr in memo:
                return memo[addr]
        plain = batch.plain()
        node, type_addr = plain.node[row], batch.type_at(plain.type[row])
        key = (node, type_addr)
        if key in self._types:
            cls = self._types[key]
        else:
            cls = self._types[key] = self._type(batch.kinds.get(node), type_addr)
        if cls is None or row in batch.marks or plain.nrefs[row] > min(budget, _MANY):
            return SLOW
        if cls not in _PLAIN:
            if plain.nrefs[row]:
                return SLOW
            try:
                return graph.instance(batch.record(row, addr), cls)
            except DumpError:
                return SLOW
        if plain.nattrs[row]:
            return SLOW
        start = plain.ref_at[row]
        refs = batch.references(start, start + plain.nrefs[row])
        try:
            items = [memo[r] for r in refs]
        except KeyError:
            if not self._decode_busy():
                return SLOW
            if not all(map(memo.__contains__, refs)):
                return SLOW
            items = [memo[r] for r in refs]
        if cls is not dict:
            return items if cls is list else tuple(items)
        keys = items[::2]
        if len(items) & 1 or not _KEYS.issuperset(map(type, keys)):
            return SLOW
        made = dict(zip(keys, items[1::2]))
        return made if len(made) == len(keys) else SLOW

    def _type(self, kind: Any, addr: int) -> Any:
        """The type of objects that are made here, or None."""
        classes = self._graph.classes
        if kind is None or not addr:
            return None
        base = _CONTAINERS.get(kind.name)
        if base is not None:
            return base if classes.get(addr) is base and not kind.fields else None
        if kind.name != "object" or kind.fields:
            return None
        return classes.plain_class(addr)

    def _decode_busy(self) -> bool:
        """Decodes the numbers and texts of batches that have come into use;
        False when there are no such."""
        found = [b for b in self._graph.file.busy if b.decoded_for is not self]
        for batch in found:
            self._decode(batch)
        return bool(found)

    def _decode(self, batch: Batch) -> None:
        """Decodes the numbers and texts of a batch."""
        batch.decoded_for = self
        graph = self._graph
        memo, addresses = graph._memo, graph._addresses
        plain, addrs = batch.plain(), batch.addr
        row = 0
        for (node, number), run in groupby(zip(plain.node, plain.type)):
            first, row = row, row + sum(1 for _ in run)
            kind = batch.kinds.get(node)
            base = _BASES.get(kind.name) if kind is not None else None
            type_addr = batch.type_at(number)
            if base is None or not type_addr or graph.classes.get(type_addr) is not base:
                continue
            values = batch.plain_values(first, row, base)
            if values is None:
                continue
            for addr, value in zip(addrs[first:row], values):
                if addr not in memo:
                    memo[addr] = value
                    addresses[id(value)] = addr
                    self.count += 1


def plain_attribute(graph: "Graph", obj: Any, rec: Any, name: str) -> Optional[int]:
    """The reference of an attribute that an instance has inline, of a name that
    no class of it has; None where it takes more to tell."""
    at = rec.shape.inline(name)
    if at is None or not graph.classes.is_plain_name(type(obj), rec.type, name):
        return None
    return rec.values[at] or None
