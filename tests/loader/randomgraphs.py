# SPDX-License-Identifier: Apache-2.0
"""Random object graphs, and a comparison that follows aliases and cycles."""


def random_graph(rng, size=60):
    """A list of objects that refer to one another at random."""
    pool = [None, True, 0, -5, 2**70, 1.5, "s", "\ud800é", b"b", 1j, ..., range(3)]
    mutable = []
    for _ in range(size):
        what = rng.randrange(8)
        pick = [rng.choice(pool) for _ in range(rng.randrange(5))]
        if what == 0:
            new = []
        elif what == 1:
            new = {}
        elif what == 2:
            new = tuple(pick)
        elif what in (3, 4):
            keep = [p for p in pick if hashable(p)]
            new = set(keep) if what == 3 else frozenset(keep)
        elif what == 5:
            new = rng.randrange(-(2 ** rng.randrange(1, 200)), 2 ** rng.randrange(1, 200))
        elif what == 6:
            new = "".join(chr(rng.randrange(1, 0x11000)) for _ in range(rng.randrange(6)))
        else:
            new = bytearray(rng.randrange(256) for _ in range(3))
        if isinstance(new, (list, dict)):
            mutable.append(new)
        pool.append(new)
    for m in mutable:
        for _ in range(rng.randrange(6)):
            if isinstance(m, list):
                m.append(rng.choice(pool))
            else:
                m[rng.choice([p for p in pool if hashable(p)])] = rng.choice(pool)
    return pool


def hashable(value):
    try:
        hash(value)
    except TypeError:
        return False
    return True


CONTAINERS = (list, tuple, dict, set, frozenset)


def same(want, got):
    """None, or a line on the first difference."""
    pairs, seen, back = [(want, got, "root")], {}, {}
    while pairs:
        a, b, where = pairs.pop()
        if not isinstance(b, type(a)):
            return "%s: %r is no %s" % (where, b, type(a))
        if isinstance(a, CONTAINERS) or type(a) is bytearray:
            if id(a) in seen:
                if seen[id(a)] is not b:
                    return "%s: identity lost" % where
                continue
            if len(a) and id(b) in back:
                return "%s: two objects became one" % where
            seen[id(a)], back[id(b)] = b, a
        if isinstance(a, (list, tuple)):
            if len(a) != len(b):
                return "%s: length %d, not %d" % (where, len(b), len(a))
            pairs += [(x, y, "%s[%d]" % (where, i)) for i, (x, y) in enumerate(zip(a, b))]
        elif isinstance(a, dict):
            if len(a) != len(b):
                return "%s: length %d, not %d" % (where, len(b), len(a))
            for (k, v), (k2, v2) in zip(a.items(), b.items()):
                pairs += [(k, k2, "%s key" % where), (v, v2, "%s[%r]" % (where, type(k)))]
        elif isinstance(a, (set, frozenset)):
            if len(a) != len(b) or sorted(map(skeleton, a)) != sorted(map(skeleton, b)):
                return "%s: set %r" % (where, b)
        elif a != b or type(a) is not type(b):
            return "%s: %r, not %r" % (where, b, a)
    return None


def skeleton(value):
    """A text of a hashable value that tells it from others."""
    if isinstance(value, tuple):
        return "(%s)" % ",".join(map(skeleton, value))
    if isinstance(value, frozenset):
        return "{%s}" % ",".join(sorted(map(skeleton, value)))
    return ascii(value)
