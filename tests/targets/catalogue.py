# SPDX-License-Identifier: Apache-2.0
"""Specimens of every type that dumps promise to tell, and the truth about them.

catalogue.py: prints one line of JSON, a list of what is told of each specimen, and
waits for the end of standard input with the specimens in the local "specimens"
of the function hold(). The test of the same name evaluates the same expressions
over what the loader shows. Runs on Python 3.7 to 3.15.
"""

import json
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

ATOMS = {"NoneType", "bool", "int", "float", "complex", "str", "bytes", "bytearray"}
DEEPEST = 8
DESCRIPTORS = {"getset_descriptor", "member_descriptor"}
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,16}")


def class_name(cls):
    return "{}.{}".format(cls.__module__, cls.__qualname__)


def class_of(value):
    """The type, which __class__ need not be. But the loader's stand-ins for the
    interpreter's own objects say by __class__ what they stand for."""
    cls = type(value)
    module = type.__getattribute__(cls, "__module__")
    if isinstance(module, str) and not module.startswith("pydumpd"):
        return cls
    return value.__class__


def told(value, depth=DEEPEST, whole=None):
    """Plain JSON of a value: builtins by content, others by type. whole(value)
    is asked of every value; it raises for those that a dump cannot vouch for."""
    if whole is not None:
        whole(value)
    cls = class_of(value)
    name = cls.__name__ if cls.__module__ == "builtins" else ""
    if name in ATOMS:
        return [name, atom(name, value)]
    if name in ("list", "tuple", "set", "frozenset", "dict") and depth <= 0:
        return [name, "..."]
    if name in ("list", "tuple"):
        return [name, [told(v, depth - 1, whole) for v in value]]
    if name in ("set", "frozenset"):
        return [name, sorted((told(v, depth - 1, whole) for v in value), key=repr)]
    if name == "dict":
        pairs = [[told(k, depth - 1, whole), told(v, depth - 1, whole)] for k, v in value.items()]
        return [name, pairs]
    if name in ("range", "slice"):
        return [name, [told(p, depth, whole) for p in (value.start, value.stop, value.step)]]
    if issubclass(type(value), type):
        return ["type", class_name(value)]
    if name in ("function", "builtin_function_or_method", "module"):
        return [name, value.__name__]
    return ["object", class_name(cls)]


def atom(name, value):
    if name == "int":
        return hex(int(value))
    if name == "float":
        return struct.pack(">d", float(value)).hex()
    if name == "complex":
        return struct.pack(">dd", value.real, value.imag).hex()
    if name in ("bytes", "bytearray"):
        return bytes(value).hex()
    if name == "str":
        return "".join(value)
    return repr(value)


def steady(text):
    """A repr without what differs from run to run."""
    return ADDRESS.sub("0x?", text)


def evaluate(expression, x, make=None, depth=DEEPEST, whole=None):
    names = {"x": x, "make": make}
    return told(eval(expression, names, names), depth, whole)


def shown_names(x):
    """Attributes that C code shows, and those of the instance's dict."""
    fields = set()
    for cls in type(x).__mro__:
        for name, value in vars(cls).items():
            if not name.startswith("__") and type(value).__name__ in DESCRIPTORS:
                fields.add(name)
    space = getattr(x, "__dict__", None)
    own = set()
    if type(space) is dict and not isinstance(x, type) and type(x).__name__ != "module":
        own = {k for k in space if isinstance(k, str) and k.isidentifier()}
    return sorted(fields - own), sorted(own)[:40]


class Specimen:
    def __init__(self, kind, name, make, probes):
        self.kind = kind
        self.name = name
        self.make = make
        self.probes = probes
        self.value = None

    def truth(self):
        """What is told: see tests/e2e/test_catalogue.py."""
        x = self.value
        out = {
            "kind": self.kind,
            "name": self.name,
            "class": class_name(type(x)),
            "mro": [class_name(c) for c in type(x).__mro__],
            "id": id(x),
            "probes": [],
            "fields": [],
            "own": [],
        }
        try:
            out["repr"] = steady(repr(x))
        except Exception as error:
            out["repr"] = None
            out["repr_error"] = type(error).__name__
        for probe in self.probes:
            if isinstance(probe, str):
                probe = (probe, probe)
            try:
                true = evaluate(probe[0], x, self.make)
            except Exception as error:
                true = ["raises", type(error).__name__, str(error)]
            out["probes"].append([list(probe[1:]), true])
        fields, own = shown_names(x)
        for key, names in (("fields", fields), ("own", own)):
            for name in names:
                try:
                    out[key].append([name, told(getattr(x, name), 2)])
                except Exception:
                    continue
        return out


class Catalogue:
    """All specimens, in the order of their making."""

    def __init__(self):
        self.specimens = []
        self.absent = {}
        self.kept = []

    def group(self, kind, *probes, **limits):
        return Group(self, kind, probes, limits)

    def keep(self, *values):
        """Holds what specimens need but do not reference."""
        self.kept.extend(values)
        return values[0]


class Group:
    """Specimens of one type, which have probes in common.

    A probe is an expression in x, or (truth, expression...): the truth is
    evaluated here, where make() gives a twin; of the expressions the first that
    the loader can evaluate counts. since, until: (3, N), both inclusive.
    """

    def __init__(self, catalogue, kind, probes, limits):
        self.catalogue = catalogue
        self.kind = kind
        self.probes = probes
        self.limits = limits

    def add(self, name, make, *probes, **limits):
        full = "{}: {}".format(self.kind, name)
        limits = dict(self.limits, **limits)
        version = sys.version_info[:2]
        if not limits.get("since", (3, 0)) <= version <= limits.get("until", (4, 0)):
            self.catalogue.absent[full] = "version"
            return
        specimen = Specimen(self.kind, full, make, self.probes + probes)
        try:
            specimen.value = make()
        except ImportError as error:
            self.catalogue.absent[full] = "not built: {}".format(error)
            return
        except Exception as error:
            error.args = ("{}: {}: {}".format(full, type(error).__name__, error),)
            raise
        self.catalogue.specimens.append(specimen)


def method(name, *others):
    """A probe for what a method tells: called, or shown as a plain field."""
    called = "x.{}()".format(name)
    return (called, called, "x.{}".format(name)) + others


def build():
    import specimens_c
    import specimens_containers
    import specimens_io
    import specimens_library
    import specimens_python
    import specimens_threads
    import specimens_values

    catalogue = Catalogue()
    for module in (
        specimens_values,
        specimens_containers,
        specimens_python,
        specimens_io,
        specimens_threads,
        specimens_library,
        specimens_c,
    ):
        module.collect(catalogue)
    return catalogue


def hold(catalogue):
    specimens = {s.name: s.value for s in catalogue.specimens}
    truths = [s.truth() for s in catalogue.specimens]
    print(json.dumps({"specimens": truths, "absent": catalogue.absent}), flush=True)
    del truths
    sys.stdin.read()
    return specimens


if __name__ == "__main__":
    hold(build())
    sys.stdout.flush()
    # Threads wait for what never comes.
    os._exit(0)
