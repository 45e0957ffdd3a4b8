# SPDX-License-Identifier: Apache-2.0
"""itertools and operator. The iterators give what is left in them."""

from itertools import chain, count, islice, repeat
from typing import Any, Iterator, List, Tuple

from ..marks import NotDumpedError
from ..refs import ref_of
from . import Shown, Standard, class_name, fields, full_name, inner, null, surrogate
from .iterators_ import Endless, Left, left, truth, unknown


@surrogate("itertools.count")
class Count(Endless):
    __slots__ = ()

    @property
    def cnt(self) -> Any:
        """The number that comes next."""
        f = fields(self)
        return f["cnt"] if null(f, "long_cnt") else f["long_cnt"]

    def _left(self) -> Iterator[Any]:
        return count(self.cnt, fields(self)["step"])

    def __iter__(self) -> Iterator[Any]:
        raise NotDumpedError("it never ends; the next is %r" % (self.cnt,))

    def _shown(self) -> Any:
        step = fields(self)["step"]
        parts: List[Tuple[str, Any]] = [("", self.cnt)]
        if not (type(step) is int and step == 1):
            parts.append(("", step))
        return Shown("%s(" % class_name(self), iter(parts), ")", len(parts))


@surrogate("itertools.repeat")
class Repeat(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        return repeat(f["element"]) if f["cnt"] < 0 else repeat(f["element"], f["cnt"])

    def __iter__(self) -> Iterator[Any]:
        if fields(self)["cnt"] < 0:
            raise NotDumpedError("it never ends")
        return Left.__iter__(self)

    def _shown(self) -> Any:
        f = fields(self)
        parts = [("", f["element"])]
        if f["cnt"] >= 0:
            parts.append(("", f["cnt"]))
        return Shown("%s(" % class_name(self), iter(parts), ")", len(parts))


@surrogate("itertools.cycle")
class Cycle(Endless):
    """What was seen comes again when `it` ends."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        saved = list(left(f["saved"])) if not null(f, "saved") else []
        rest = [] if null(f, "it") else list(islice(left(f["it"]), 100000))
        if rest:
            yield from rest
            # In the first pass what comes is also saved; later it was before.
            saved = saved if "firstpass" in f and f["firstpass"] else saved + rest
            turn = 0
        else:
            turn = f["index"]
        while saved:
            yield saved[turn % len(saved)]
            turn += 1

    def __iter__(self) -> Iterator[Any]:
        raise NotDumpedError("it never ends; see saved")


@surrogate("itertools.chain")
class Chain(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if not null(f, "active"):
            yield from left(f["active"])
        if not null(f, "source"):
            for part in left(f["source"]):
                yield from left(part)


@surrogate("itertools.compress")
class Compress(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        for item, chosen in zip(left(f["data"]), left(f["selectors"])):
            if truth(chosen):
                yield item


@surrogate("itertools.islice")
class Slice(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "it"):
            return
        done, following, stop, step = f["cnt"], f["next"], f["stop"], f["step"]
        if step < 1:
            raise ValueError("impossible step %d" % step)
        source = left(f["it"])
        while stop < 0 or done < stop:
            source = islice(source, max(following - done, 0), None)
            done = max(done, following)
            if stop >= 0 and done >= stop:
                return
            for item in source:
                yield item
                break
            else:
                return
            done += 1
            following += step
            if 0 <= stop < following:
                following = stop


@surrogate("itertools.pairwise")
class Pairwise(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "it"):
            return
        source = left(f["it"])
        if null(f, "old"):
            first = list(islice(source, 1))
            if not first:
                return
            before = first[0]
        else:
            before = f["old"]
        for item in source:
            yield before, item
            before = item


@surrogate("itertools.batched")
class Batched(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if null(f, "it"):
            return
        size, source = f["batch_size"], left(f["it"])
        batch: List[Any] = []
        for item in source:
            batch.append(item)
            if len(batch) == size:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)


@surrogate("itertools.zip_longest")
class ZipLongest(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        ref = ref_of(self)
        fill = ref.fields["fillvalue"]
        parts = ref.graph.record(ref.fields.ref("ittuple"))
        if parts is None or parts.kind.name != "tuple":
            raise unknown(self)
        # Those that are exhausted have gone from the tuple.
        sources = [left(ref.graph.get(at)) if at else iter(()) for at in parts.rest()]
        end = object()
        while True:
            row = [next(source, end) for source in sources]
            if all(item is end for item in row):
                return
            yield tuple(fill if item is end else item for item in row)


@surrogate("itertools._tee")
class Tee(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        graph, index = ref_of(self).graph, f["index"]
        at = f.ref("dataobj")
        seen = set()
        while at and at not in seen:
            seen.add(at)
            block = graph.get(at)
            inner = fields(block)
            # Before the first value is taken it is no record with items.
            yield from islice(map(graph.get, ref_of(block).rec.rest()), index, None)
            index = 0
            at = inner.ref("nextlink")
            if not at:
                yield from left(inner["it"])


# -- combinatorics: those that come after the one that was given last


class Combined(Left):
    """indices say which was the last; result is it, or NULL before the first."""

    __slots__ = ()

    def _pool(self) -> Any:
        pool = fields(self)["pool"]
        if not isinstance(pool, tuple):
            raise unknown(self)
        return pool

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if f["stopped"]:
            return
        indices = list(f["indices"])
        if not null(f, "result") and not inner(self, "_advance", indices):
            return
        while True:
            yield inner(self, "_chosen", indices)
            if not inner(self, "_advance", indices):
                return

    def _chosen(self, indices: List[int]) -> Any:
        pool = inner(self, "_pool")
        return tuple(pool[i] for i in indices)

    def _advance(self, indices: List[int]) -> bool:
        """Makes them those of the next; False when there is none."""
        raise NotImplementedError


@surrogate("itertools.product")
class Product(Combined):
    __slots__ = ()

    def _pools(self) -> Any:
        pools = fields(self)["pools"]
        if not isinstance(pools, tuple) or not all(isinstance(p, tuple) for p in pools):
            raise unknown(self)
        return pools

    def _left(self) -> Iterator[Any]:
        if null(fields(self), "result") and not all(inner(self, "_pools")):
            return iter(())
        return Combined._left(self)

    def _chosen(self, indices: List[int]) -> Any:
        return tuple(pool[i] for pool, i in zip(inner(self, "_pools"), indices))

    def _advance(self, indices: List[int]) -> bool:
        pools = inner(self, "_pools")
        for place in reversed(range(len(pools))):
            indices[place] += 1
            if indices[place] < len(pools[place]):
                return True
            indices[place] = 0
        return False


@surrogate("itertools.combinations")
class Combinations(Combined):
    __slots__ = ()

    def _advance(self, indices: List[int]) -> bool:
        n, r = len(inner(self, "_pool")), len(indices)
        for place in reversed(range(r)):
            if indices[place] < n - r + place:
                first = indices[place] + 1
                indices[place:] = range(first, first + r - place)
                return True
        return False


@surrogate("itertools.combinations_with_replacement")
class Repeated(Combined):
    __slots__ = ()

    def _advance(self, indices: List[int]) -> bool:
        n, r = len(inner(self, "_pool")), len(indices)
        for place in reversed(range(r)):
            if indices[place] < n - 1:
                indices[place:] = [indices[place] + 1] * (r - place)
                return True
        return False


@surrogate("itertools.permutations")
class Permutations(Left):
    """cycles say how often each place will still change."""

    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        pool = f["pool"]
        if not isinstance(pool, tuple):
            raise unknown(self)
        if f["stopped"]:
            return
        indices, cycles = list(f["indices"]), list(f["cycles"])
        n, r = len(pool), len(cycles)
        if len(indices) != n or r > n:
            raise ValueError("impossible permutations")
        if null(f, "result"):
            yield tuple(pool[i] for i in indices[:r])
        place = r - 1
        while place >= 0:
            cycles[place] -= 1
            if cycles[place] > 0:
                other = n - cycles[place]
                indices[place], indices[other] = indices[other], indices[place]
                yield tuple(pool[i] for i in indices[:r])
                place = r - 1
            else:
                indices[place:] = indices[place + 1 :] + indices[place : place + 1]
                cycles[place] = n - place
                place -= 1


# -- where a function says what comes


@surrogate(
    "itertools.accumulate",
    "itertools.dropwhile",
    "itertools.takewhile",
    "itertools.starmap",
    "itertools.groupby",
    "itertools._grouper",
)
class Called(Left):
    __slots__ = ()


@surrogate("itertools.filterfalse")
class FilterFalse(Left):
    __slots__ = ()

    def _left(self) -> Iterator[Any]:
        f = fields(self)
        if f["func"] is not None and f["func"] is not bool:
            raise unknown(self)
        return (item for item in left(f["it"]) if not truth(item))


# -- operator


def _called(obj: Any, *parts: Any) -> Shown:
    return Shown("%s(" % full_name(obj), iter(parts), ")", len(parts))


@surrogate("operator.itemgetter")
class ItemGetter(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        f = fields(self)
        item = f["item"]
        if f["nitems"] != 1 and isinstance(item, tuple):
            return _called(self, *(("", i) for i in item))
        return _called(self, ("", item))


@surrogate("operator.attrgetter")
class AttrGetter(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        names = []
        attrs = fields(self)["attr"]
        for attr in attrs if isinstance(attrs, tuple) else ():
            if isinstance(attr, tuple) and all(isinstance(a, str) for a in attr):
                attr = ".".join(attr)
            names.append(("", attr))
        return _called(self, *names)


@surrogate("operator.methodcaller")
class MethodCaller(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        f = fields(self)
        args, more = f.get("args"), f.get("kwds")
        args = list(args) if isinstance(args, tuple) else []
        # From 3.12 on the name stands before the arguments.
        if args and args[0] is f["name"] and ref_of(self).graph.python >= (3, 12):
            args = args[1:]
        parts: Any = [("", f["name"]), *(("", a) for a in args)]
        if isinstance(more, dict):
            parts = chain(parts, ((str(k) + "=", v) for k, v in more.items()))
        return _called(self, *parts)
