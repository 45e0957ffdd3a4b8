# SPDX-License-Identifier: Apache-2.0
"""Specimens: containers of collections, iterators, views, functools."""

import collections
import functools
import itertools
import operator


class Row(collections.deque):
    pass


class Ordered(collections.OrderedDict):
    pass


class Defaults(collections.defaultdict):
    pass


class Tally(collections.Counter):
    pass


class UserMap(collections.UserDict):
    pass


class Bound(functools.partial):
    pass


Pair = collections.namedtuple("Pair", "left right")


class NamedPair(Pair):
    pass


class SlottedPair(Pair):
    __slots__ = ()


def add(a, b=0, **more):
    return a + b


def with_attributes(made, **attributes):
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def after(count, iterator):
    """The iterator when count items were taken."""
    for _ in range(count):
        next(iterator)
    return iterator


def exhausted(iterator):
    for _ in iterator:
        pass
    return iterator


def deques(c):
    deque = collections.deque
    g = c.group("collections.deque", "list(x)", "len(x)", "x.maxlen")
    g.add("empty", deque)
    g.add("some", lambda: deque([1, "two", None]), "x[1]", "2 in x")
    g.add("bounded", lambda: deque(range(100), maxlen=5), "x[-1]")
    g.add("no room", lambda: deque([1, 2], 0))
    g.add("several blocks", lambda: deque(range(1000)), "x[500]")

    def turned():
        made = deque(range(130))
        made.rotate(70)
        made.popleft()
        made.extendleft("abc")
        return made

    g.add("turned", turned)
    g.add("nested", lambda: deque([deque([1]), [deque()]]))
    g.add("subclass", lambda: with_attributes(Row([1, 2], 9), owner="me"), "x.owner")

    def cyclic():
        made = deque([1])
        made.append(made)
        return made

    c.group("collections.deque", "len(x)", "x[1] is x").add("cyclic", cyclic)


def ordered(c):
    OD = collections.OrderedDict
    g = c.group("collections.OrderedDict", "list(x.items())", "len(x)", "list(x)")
    g.add("empty", OD)
    g.add("some", lambda: OD([("b", 1), ("a", 2)]), "x['a']", "'c' in x")

    def moved():
        made = OD((str(i), i) for i in range(20))
        made.move_to_end("3")
        made.move_to_end("7", last=False)
        del made["0"]
        made["0"] = "again"
        return made

    g.add("moved", moved)
    g.add("subclass", lambda: with_attributes(Ordered(k=1), extra=[1]), "x.extra")

    def own_attribute():
        made = OD(a=1)
        made.note = "has a dict"
        return made

    g.add("attribute", own_attribute, "x.note")

    def cyclic():
        made = OD(a=1)
        made["me"] = made
        return made

    c.group("collections.OrderedDict", "list(x)", "x['me'] is x").add("cyclic", cyclic)


def other_mappings(c):
    DD = collections.defaultdict
    g = c.group("collections.defaultdict", "dict(x)", "len(x)", "x.default_factory")
    g.add("empty", lambda: DD(list))
    g.add("no factory", lambda: DD(None, {1: 2}))
    g.add("function", lambda: DD(add, {"k": [1]}), "x['k']")
    g.add("subclass", lambda: with_attributes(Defaults(int, a=1), tag="t"), "x.tag")
    g = c.group("collections.Counter", "dict(x)", "x.most_common(1)", "sum(x.values())", "x['a']")
    g.add("letters", lambda: collections.Counter("abracadabra"))
    g.add("negative", lambda: collections.Counter(a=-2, b=0))
    g.add("subclass", lambda: with_attributes(Tally("aab"), source="text"), "x.source")
    g = c.group("collections.ChainMap", "len(x.maps)", "x.maps[0]", "x['a']", "sorted(x)")
    g.add("two", lambda: collections.ChainMap({"a": 1}, {"a": 2, "b": 3}))
    g = c.group("collections.UserDict", "x.data", "x['k']", "len(x)")
    g.add("plain", lambda: collections.UserDict(k=1))
    g.add("subclass", lambda: with_attributes(UserMap(k=[]), more=1), "x.more")
    g = c.group("collections.UserList", "x.data", "x[0]", "len(x)")
    g.add("plain", lambda: collections.UserList([1, "b"]))
    g = c.group("collections.UserString", "x.data", "str(x)", "len(x)")
    g.add("plain", lambda: collections.UserString("t\u20acxt"))
    g = c.group("collections.namedtuple", "x.left", "x.right", "x[0]", "len(x)", "tuple(x)")
    g.add("plain", lambda: Pair(1, [2]), "x._fields")
    g.add("subclass", lambda: with_attributes(NamedPair("a", None), note=3), "x.note")
    g.add("slots", lambda: SlottedPair("a", None))


def builtin_containers(c):
    g = c.group("builtins.list", "len(x)", "x[:3]")
    g.add("empty", list)
    g.add("some", lambda: [1, "two", [3]])

    def cyclic():
        made = [1]
        made.append(made)
        return made

    c.group("builtins.list", "x[1] is x", "len(x)").add("cyclic", cyclic)
    g = c.group("builtins.tuple", "len(x)", "x[:2]")
    g.add("empty", tuple)
    g.add("some", lambda: (1, (2, [3])))
    g = c.group("builtins.dict", "len(x)", "list(x.items())")
    g.add("empty", dict)
    g.add(
        "keys of all kinds", lambda: {1: "a", "b": 2, (3, 4): [5], None: {}, 2.5: b"", True: "one"}
    )

    def holes():
        made = {i: str(i) for i in range(50)}
        for i in range(0, 50, 3):
            del made[i]
        return made

    g.add("holes", holes)
    g = c.group("builtins.frozendict", "len(x)", "list(x.items())", since=(3, 15))
    g.add("empty", lambda: frozendict())  # noqa: F821
    g.add("some", lambda: frozendict(a=1, b=[2, None]), "x['b']", "'c' in x")  # noqa: F821
    g = c.group("builtins.set", "len(x)", "sorted(x)")
    g.add("empty", set)
    g.add("some", lambda: set(range(40)) - {3, 4})
    c.group("builtins.frozenset", "len(x)", "sorted(x)").add("some", lambda: frozenset({1, 2, 3}))
    d = {"a": 1, "b": [2]}
    for name in ("keys", "values", "items"):
        g = c.group("builtins.dict_" + name, "list(x)", "len(x)")
        g.add("of a dict", lambda name=name: getattr(d, name)())
        g = c.group("collections.odict_" + name, "list(x)", "len(x)")
        od = collections.OrderedDict(z=1, y=2)
        g.add("of an OrderedDict", lambda name=name, od=od: getattr(od, name)())


def left(*loader):
    """A probe: what is left in an iterator."""
    return ("list(make())",) + (loader or ("list(x)",))


def builtin_iterators(c):
    data = [10, "b", [30], None]
    g = c.group("builtins.list_iterator", left())
    g.add("fresh", lambda: iter(data))
    g.add("halfway", lambda: after(2, iter(data)))
    g.add("exhausted", lambda: exhausted(iter([1, 2])))
    g = c.group("builtins.list_reverseiterator", left())
    g.add("halfway", lambda: after(1, reversed(data)))
    g.add("exhausted", lambda: exhausted(reversed([1])))
    g = c.group("builtins.tuple_iterator", left())
    g.add("halfway", lambda: after(1, iter((1, 2, 3))))
    g.add("exhausted", lambda: exhausted(iter((1, 2, 3))))
    g = c.group("builtins.str_iterator", left())
    g.add("halfway", lambda: after(1, iter("a\u20acc")))
    g.add("ascii", lambda: after(1, iter("abc")))
    g.add("exhausted", lambda: exhausted(iter("ab")))
    g = c.group("builtins.bytes_iterator", left())
    g.add("halfway", lambda: after(1, iter(b"abc")))
    g = c.group("builtins.bytearray_iterator", left())
    g.add("halfway", lambda: after(1, iter(bytearray(b"abc"))))
    g = c.group("builtins.range_iterator", left())
    g.add("fresh", lambda: iter(range(3)))
    g.add("halfway", lambda: after(2, iter(range(10, 0, -2))))
    g.add("exhausted", lambda: exhausted(iter(range(2))))
    g = c.group("builtins.longrange_iterator", left())
    g.add("halfway", lambda: after(1, iter(range(10**30, 10**30 + 4))))
    d = {"a": 1, "b": [2], "c": 3}
    for name in ("key", "value", "item"):
        plural = name + "s"
        g = c.group("builtins.dict_%siterator" % name, left())
        g.add("fresh", lambda plural=plural: iter(getattr(d, plural)()))
        g.add("halfway", lambda plural=plural: after(1, iter(getattr(d, plural)())))
        g.add("exhausted", lambda plural=plural: exhausted(iter(getattr(d, plural)())))
        g = c.group("builtins.dict_reverse%siterator" % name, left(), since=(3, 8))
        g.add("halfway", lambda plural=plural: after(1, reversed(getattr(d, plural)())))

    def holes():
        made = {i: i for i in range(10)}
        del made[0], made[5]
        return after(3, iter(made))

    c.group("builtins.dict_keyiterator", left()).add("holes", holes)
    g = c.group("builtins.set_iterator", ("sorted(make())", "sorted(x)"))
    numbers = {1, 2, 3, 40}
    g.add("fresh", lambda: iter(numbers))
    g.add("halfway", lambda: after(2, iter(numbers)))
    g = c.group("collections.odict_iterator", left())
    od = collections.OrderedDict(z=1, y=2, x=3)
    g.add("keys", lambda: after(1, iter(od)))
    g.add("items", lambda: after(1, iter(od.items())))
    g.add("backwards", lambda: after(1, reversed(od)))
    dq = collections.deque(range(200))
    g = c.group("_collections._deque_iterator", left())
    g.add("halfway", lambda: after(150, iter(dq)))
    c.group("_collections._deque_reverse_iterator", left()).add(
        "halfway", lambda: after(150, reversed(dq))
    )

    class Items:
        def __getitem__(self, index):
            if index > 3:
                raise IndexError(index)
            return index * 2

        def __len__(self):
            return 4

    # Whether there is more, only the program's own code could say.
    g = c.group("builtins.iterator")
    g.add("halfway", lambda: after(2, iter(Items())), ("2", "x.index", "x.it_index"))
    c.group("builtins.reversed").add(
        "halfway", lambda: after(1, reversed(Items())), ("2", "x.index")
    )
    g = c.group("builtins.callable_iterator")
    g.add("fresh", lambda: iter(add, "end"), ("'end'", "x.sentinel", "x.it_sentinel"))
    g = c.group("builtins.enumerate", left())
    g.add("fresh", lambda: enumerate("abc", 5))
    g.add("halfway", lambda: after(1, enumerate([1, 2, 3])))
    g.add("huge", lambda: after(1, enumerate("ab", 2**70)))
    g = c.group("builtins.zip", left())
    g.add("halfway", lambda: after(1, zip("abc", [1, 2, 3])))
    g.add("empty", lambda: zip())
    iterators = ("len(make().__reduce__()[1]) - 1", "len(x.iters)", "len(x.iterators)")
    g = c.group("builtins.map", ("True", "x.func is not None"))
    g.add("halfway", lambda: after(1, map(add, [1, 2], [3, 4])), iterators)
    g = c.group("builtins.filter", ("True", "x.func is None"))
    g.add("no function", lambda: after(1, filter(None, [1, 0, 2, 3])))
    g = c.group("builtins.memory_iterator", left(), since=(3, 12))
    g.add("halfway", lambda: after(1, iter(memoryview(b"abc"))))

    def of_array():
        import array

        return after(1, iter(array.array("h", [1, 2, 3])))

    c.group("array.arrayiterator", left()).add("halfway", of_array)


def itertool_iterators(c):
    I = itertools
    g = c.group("itertools.count")
    g.add("number", lambda: after(3, I.count(10, 5)), ("25", "x.cnt", "x.count", "next(x)"))
    g.add("huge", lambda: after(1, I.count(2**70)))
    g.add("float", lambda: I.count(0.5, 0.25))
    g = c.group("itertools.repeat")
    g.add("bounded", lambda: after(1, I.repeat("r", 5)), left())
    g.add("unbounded", lambda: I.repeat([1]), ("[1]", "x.element", "x.object", "next(x)"))
    g = c.group("itertools.cycle")
    g.add("halfway", lambda: after(2, I.cycle("abc")), ("['a', 'b']", "x.saved", "x.saved[:2]"))
    g = c.group("itertools.chain", left())
    g.add("halfway", lambda: after(3, I.chain([1, 2], "ab")))
    g = c.group("itertools.compress", left())
    g.add("halfway", lambda: after(1, I.compress("abcd", [1, 0, 1, 1])))
    g = c.group("itertools.islice", left())
    g.add("halfway", lambda: after(1, I.islice(range(100), 2, 20, 3)))
    g.add("open end", lambda: I.islice([1, 2, 3], 1, None))
    g = c.group("itertools.accumulate")
    g.add("halfway", lambda: after(2, I.accumulate([1, 2, 3])), ("3", "x.total"))
    g = c.group("itertools.pairwise", left(), since=(3, 10))
    g.add("halfway", lambda: after(1, I.pairwise([1, 2, 3, 4])))
    g = c.group("itertools.batched", left(), since=(3, 12))
    g.add("halfway", lambda: after(1, I.batched("abcdef", 2)))
    g = c.group("itertools.zip_longest", left())
    g.add("halfway", lambda: after(2, I.zip_longest("abc", [1], fillvalue="-")))
    g = c.group("itertools.product", left())
    g.add("fresh", lambda: I.product("ab", [1, 2]))
    g.add("halfway", lambda: after(2, I.product("ab", [1, 2])))
    g.add("exhausted", lambda: exhausted(I.product("a", [1])))
    g = c.group("itertools.permutations", left())
    g.add("halfway", lambda: after(2, I.permutations("abc", 2)))
    g = c.group("itertools.combinations", left())
    g.add("fresh", lambda: I.combinations("abcd", 3))
    g.add("halfway", lambda: after(2, I.combinations("abcd", 2)))
    g = c.group("itertools.combinations_with_replacement", left())
    g.add("halfway", lambda: after(2, I.combinations_with_replacement("abc", 2)))
    g = c.group("itertools._tee", left())
    g.add("behind", lambda: (lambda a, b: (after(1, a), after(3, b))[0])(*I.tee([1, 2, 3, 4])))
    for name in ("dropwhile", "takewhile", "filterfalse"):
        g = c.group("itertools." + name, ("True", "x.func is not None"))
        g.add("fresh", lambda name=name: getattr(I, name)(operator.not_, [1, 0, 2]))
    c.group("itertools.starmap", ("True", "x.func is not None")).add(
        "halfway", lambda: after(1, I.starmap(add, [(1, 2), (3, 4)]))
    )
    g = c.group("itertools.groupby")
    g.add("halfway", lambda: after(1, I.groupby("aabbb")), ("'a'", "x.currkey", "x.current_key"))


def functional(c):
    partial = functools.partial
    g = c.group("functools.partial", "x.func", "x.args", "x.keywords")
    g.add("plain", lambda: partial(add, 1, b=2))
    g.add("nothing", lambda: partial(len))
    g.add("nested", lambda: partial(partial(add, 1), 2, k=[3]))
    g.add("subclass", lambda: Bound(add, 5))
    g.add("attribute", lambda: with_attributes(partial(add), note="n"), "x.note")

    def placeholder():
        return partial(add, functools.Placeholder, 2)

    g.add("placeholder", placeholder, since=(3, 14))
    g = c.group("functools.partialmethod", "x.func", "x.args", "x.keywords")
    g.add("plain", lambda: functools.partialmethod(add, 1, b=2))

    def cached(maxsize, typed=False):
        @functools.lru_cache(maxsize=maxsize, typed=typed)
        def square(n):
            return [n]

        for n in (1, 2, 3, 2, 1, 9, 1):
            square(n)
        return square

    info = (
        "tuple(x.cache_info())",
        "tuple(x.cache_info())",
        "(x.hits, x.misses, x.maxsize, len(x.cache))",
    )
    results = ("sorted(x.cache.values())", "sorted(e.result for e in x.cache.values())")
    g = c.group("functools._lru_cache_wrapper", info, "x.__wrapped__.__name__", "x.__name__")
    g.add("unbounded", lambda: cached(None), ("[[1], [2], [3], [9]]",) + results)
    g.add("bounded", lambda: cached(3), ("[[1], [2], [9]]",) + results)
    g.add("typed", lambda: cached(100, True), ("[[1], [2], [3], [9]]",) + results)
    g.add("none kept", lambda: cached(0))

    cached_property = getattr(functools, "cached_property", property)

    class Holder:
        @cached_property
        def heavy(self):
            return [1, 2]

    g = c.group("functools.cached_property", since=(3, 8))
    g.add("itself", lambda: vars(Holder)["heavy"], "x.attrname", "x.func.__name__")
    g.add("computed", lambda: (lambda h: (h.heavy, h)[1])(Holder()), "x.heavy")
    c.group("functools.KeyWrapper").add(
        "of cmp_to_key", lambda: functools.cmp_to_key(add)(5), ("5", "x.obj", "x.object")
    )

    @functools.singledispatch
    def dispatched(arg):
        return "default"

    c.group("functools.singledispatch", "x.__name__", "sorted(t.__name__ for t in x.registry)").add(
        "function", lambda: dispatched
    )
    g = c.group("operator.itemgetter")
    g.add("one", lambda: operator.itemgetter(2), ("(2,)", "x.items", "(x.item,)", "(x.index,)"))
    g.add("two", lambda: operator.itemgetter("a", 1), ("('a', 1)", "x.items", "x.item"))
    g = c.group("operator.attrgetter")
    g.add("one", lambda: operator.attrgetter("a"), ("True", "x.attr is not None"))
    g = c.group("operator.methodcaller")
    g.add("one", lambda: operator.methodcaller("split", ","), ("'split'", "x.name"))


def collect(c):
    deques(c)
    ordered(c)
    other_mappings(c)
    builtin_containers(c)
    builtin_iterators(c)
    itertool_iterators(c)
    functional(c)
