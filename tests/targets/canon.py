# SPDX-License-Identifier: Apache-2.0
"""Canonical text of values, used on both sides of a dump.

The target canonicalises its own objects, the test those that the loader gives;
both results must be equal. The result is plain JSON. Containers and instances
are numbered in the order of the first visit and referred to by number after
that, so that identity, aliasing and cycles are compared too. Types are told
apart by name, because the loader shows stand-ins. Runs on Python 3.7 and later.
"""

import copy
import struct

ATOMS = {"NoneType", "bool", "int", "float", "complex", "str", "bytes"}
CONTAINERS = {"list", "tuple", "dict", "set", "frozenset", "bytearray"}
# Builtin types whose instances carry a value; subclasses are looked up by MRO.
VALUED = ATOMS | CONTAINERS
DESCRIPTORS = {
    "wrapper_descriptor",
    "method_descriptor",
    "classmethod_descriptor",
    "getset_descriptor",
    "member_descriptor",
}


def type_of(obj):
    """Module and qualified name of the type of obj, as a stand-in has it."""
    cls = obj.__class__
    return cls.__module__, cls.__qualname__


def full_name(cls):
    return "{}.{}".format(cls.__module__, cls.__qualname__)


def is_builtin_class(cls):
    return cls.__module__ == "builtins"


def public_name(cls):
    """Where several versions have one type in different modules: one name."""
    module = cls.__module__.replace("pathlib._local", "pathlib").lstrip("_")
    return "{}.{}".format(module, cls.__qualname__)


# Types whose own dict or slots are no more than another form of their content.
BARE = {"enum.Enum", "fractions.Fraction", "uuid.UUID", "pathlib.PurePath"}
BARE.add("types.SimpleNamespace")


def of_date(canon, obj):
    return [obj.year, obj.month, obj.day]


def of_time(canon, obj):
    zone = obj.tzinfo
    fields = [obj.hour, obj.minute, obj.second, obj.microsecond, obj.fold]
    return fields + [None if zone is None else canon.of(zone)]


def of_datetime(canon, obj):
    return of_date(canon, obj) + of_time(canon, obj)


def of_span(canon, obj):
    return [obj.days, obj.seconds, obj.microseconds]


def of_zone(canon, obj):
    return [str(obj), obj.utcoffset(None).total_seconds()]


def of_deque(canon, obj):
    return [obj.maxlen, len(obj), [canon.of(x) for x in obj]]


def of_items(canon, obj):
    return [[canon.of(k), canon.of(v)] for k, v in obj.items()]


def of_default(canon, obj):
    return [canon.of(obj.default_factory), of_items(canon, obj)]


def of_partial(canon, obj):
    pairs = sorted(obj.keywords.items())
    return [canon.of(obj.func), canon.of(obj.args), [[k, canon.of(v)] for k, v in pairs]]


def of_array(canon, obj):
    return [obj.typecode, obj.itemsize, [canon.of(x) for x in obj]]


def of_buffer(canon, obj):
    return [canon.of(obj.getvalue()), obj.tell(), obj.closed]


def of_namespace(canon, obj):
    return sorted([k, canon.of(v)] for k, v in vars(obj).items())


def of_iterator(canon, obj):
    # Where they are copied, the program still needs them as they are.
    left = obj if canon.consume else copy.copy(obj)
    return [canon.of(x) for x in left]


STANDARD = {
    "datetime.datetime": of_datetime,
    "datetime.date": of_date,
    "datetime.time": of_time,
    "datetime.timedelta": of_span,
    "datetime.timezone": of_zone,
    "decimal.Decimal": lambda canon, obj: str(obj),
    "fractions.Fraction": lambda canon, obj: [hex(obj.numerator), hex(obj.denominator)],
    "uuid.UUID": lambda canon, obj: hex(obj.int),
    "pathlib.PurePath": lambda canon, obj: str(obj),
    "enum.Enum": lambda canon, obj: [obj.name, canon.of(obj.value)],
    "collections.deque": of_deque,
    "collections.OrderedDict": of_items,
    "collections.defaultdict": of_default,
    "collections.Counter": of_items,
    "types.SimpleNamespace": of_namespace,
    "functools.partial": of_partial,
    "array.array": of_array,
    "io.BytesIO": of_buffer,
    "io.StringIO": of_buffer,
    "builtins.list_iterator": of_iterator,
    "builtins.list_reverseiterator": of_iterator,
    "builtins.tuple_iterator": of_iterator,
    "builtins.dict_itemiterator": of_iterator,
    "builtins.range_iterator": of_iterator,
    "builtins.str_iterator": of_iterator,
    "builtins.str_ascii_iterator": of_iterator,
}


class Canon:
    """One numbering. own: classes of this module are told with their namespace.
    standard: types of the standard library too are told by their content.
    consume: iterators may be run to find what is left in them; else copies."""

    def __init__(self, own="__main__", functions=True, standard=False, consume=False):
        self.own = own
        self.functions = functions
        self.standard = standard
        self.consume = consume
        self.seen = {}
        # Numbers are by id(): what was visited has to stay alive.
        self.alive = []

    def number(self, obj):
        """The number of obj and whether it was visited before."""
        key = id(obj)
        if key in self.seen:
            return self.seen[key], True
        self.seen[key] = len(self.seen)
        self.alive.append(obj)
        return self.seen[key], False

    def of(self, obj):
        module, name = type_of(obj)
        if module == "builtins" and name in ATOMS:
            return self.value(name, obj)
        if module == "builtins" and name == "tuple" and len(obj) == 0:
            return ["tuple", -1, []]
        if isinstance(obj, type):
            return self.cls(obj)
        plain = getattr(self, "kind_" + name, None)
        if module in ("builtins", "types", "weakref", "_weakref") and plain:
            return plain(obj)
        if module == "builtins" and name in DESCRIPTORS:
            return ["descriptor", name, obj.__name__]
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        if module == "builtins" and name in CONTAINERS:
            return [name, number, self.value(name, obj)]
        if self.standard:
            for cls in obj.__class__.__mro__:
                tell = STANDARD.get(public_name(cls))
                if tell is not None:
                    content = tell(self, obj)
                    break
            else:
                return self.instance(obj, number)
            own = [] if public_name(cls) in BARE else self.attributes(obj)
            return ["standard", number, public_name(obj.__class__), content, own]
        return self.instance(obj, number)

    # -- values ---------------------------------------------------------

    def value(self, name, obj):
        return getattr(self, "value_" + name)(obj)

    def value_NoneType(self, obj):
        return ["none"]

    def value_bool(self, obj):
        return ["bool", bool(obj)]

    def value_int(self, obj):
        return ["int", hex(int(obj))]

    def value_float(self, obj):
        return ["float", struct.pack(">d", float(obj)).hex()]

    def value_complex(self, obj):
        return ["complex", struct.pack(">dd", obj.real, obj.imag).hex()]

    def value_str(self, obj):
        return ["str", "".join(obj)]

    def value_bytes(self, obj):
        return ["bytes", bytes(obj).hex()]

    def value_bytearray(self, obj):
        return bytes(obj).hex()

    def value_list(self, obj):
        return [self.of(x) for x in obj]

    value_tuple = value_list

    def value_dict(self, obj):
        return [[self.of(k), self.of(v)] for k, v in obj.items()]

    def value_set(self, obj):
        # The order of a set differs from process to process: each element
        # gets a numbering of its own.
        options = self.own, self.functions, self.standard, self.consume
        return sorted((Canon(*options).of(x) for x in obj), key=repr)

    value_frozenset = value_set

    # -- kinds ----------------------------------------------------------

    def cls(self, obj):
        if obj.__module__ != self.own:
            return ["type", full_name(obj)]
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        names = sorted(
            n
            for n in vars(obj)
            if not (n.startswith("__") and n.endswith("__")) and n != "_abc_impl"
        )
        return [
            "type",
            number,
            full_name(obj),
            [full_name(b) for b in obj.__bases__],
            [[n, self.of(vars(obj)[n])] for n in names],
        ]

    def kind_module(self, obj):
        return ["module", obj.__name__]

    def kind_function(self, obj):
        if not self.functions:
            return ["function", obj.__qualname__]
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        kwdefaults = obj.__kwdefaults__
        closure = obj.__closure__
        return [
            "function",
            number,
            obj.__name__,
            obj.__qualname__,
            self.of(obj.__module__),
            self.of(obj.__doc__),
            self.kind_code(obj.__code__),
            self.of(obj.__defaults__),
            None if kwdefaults is None else self.of(dict(kwdefaults)),
            None if closure is None else [self.of(c) for c in closure],
        ]

    def kind_method(self, obj):
        return ["method", self.of(obj.__func__), self.of(obj.__self__)]

    def kind_builtin_function_or_method(self, obj):
        owner = obj.__self__
        if owner is None or type_of(owner) == ("builtins", "module"):
            return ["builtin", obj.__name__]
        return ["builtin", obj.__name__, self.of(owner)]

    def kind_cell(self, obj):
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        try:
            contents = obj.cell_contents
        except ValueError:
            return ["cell", number]
        return ["cell", number, self.of(contents)]

    def kind_code(self, obj):
        return [
            "code",
            obj.co_name,
            obj.co_firstlineno,
            obj.co_argcount,
            obj.co_kwonlyargcount,
            list(obj.co_varnames),
            list(obj.co_cellvars),
            list(obj.co_freevars),
        ]

    def kind_traceback(self, obj):
        entries = []
        count = 0
        while obj is not None and count < 10000:
            frame = obj.tb_frame
            entry = [frame.f_code.co_name, obj.tb_lineno]
            if frame.f_globals.get("__name__") == self.own:
                entry.append(self.frame_locals(frame))
            entries.append(entry)
            obj = obj.tb_next
            count += 1
        return ["traceback", entries]

    def frame_locals(self, frame):
        """Locals of a function's frame, of a module's only the names."""
        if frame.f_locals is frame.f_globals:
            return None
        return [[k, self.of(v)] for k, v in sorted(frame.f_locals.items())]

    def kind_frame(self, obj):
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        return ["frame", number, obj.f_code.co_name, obj.f_lineno]

    def suspended(self, obj, kind, prefix):
        number, again = self.number(obj)
        if again:
            return ["ref", number]
        frame = getattr(obj, prefix + "_frame")
        return [
            kind,
            number,
            obj.__qualname__,
            bool(getattr(obj, prefix + "_running")),
            None if frame is None else frame.f_lineno,
            None if frame is None else self.frame_locals(frame),
        ]

    def kind_generator(self, obj):
        return self.suspended(obj, "generator", "gi") + [
            self.of(getattr(obj, "gi_yieldfrom", None))
        ]

    def kind_coroutine(self, obj):
        return self.suspended(obj, "coroutine", "cr") + [self.of(getattr(obj, "cr_await", None))]

    def kind_async_generator(self, obj):
        return self.suspended(obj, "async_generator", "ag")

    def kind_property(self, obj):
        return ["property", self.of(obj.fget), self.of(obj.fset), self.of(obj.fdel)]

    def kind_staticmethod(self, obj):
        return ["staticmethod", self.of(obj.__func__)]

    def kind_classmethod(self, obj):
        return ["classmethod", self.of(obj.__func__)]

    def kind_mappingproxy(self, obj):
        return ["mappingproxy", [[self.of(k), self.of(obj[k])] for k in obj]]

    def kind_weakref(self, obj):
        return ["weakref", self.of(obj())]

    kind_ReferenceType = kind_weakref

    def kind_slice(self, obj):
        return ["slice", self.of(obj.start), self.of(obj.stop), self.of(obj.step)]

    def kind_range(self, obj):
        return ["range", self.of(obj.start), self.of(obj.stop), self.of(obj.step)]

    def kind_ellipsis(self, obj):
        return ["ellipsis"]

    def kind_NotImplementedType(self, obj):
        return ["notimplemented"]

    # -- instances ------------------------------------------------------

    def instance(self, obj, number):
        cls = obj.__class__
        mro = cls.__mro__
        if any(full_name(c) == "builtins.BaseException" for c in mro):
            return self.exception(obj, number)
        if is_builtin_class(cls) or not any(c.__module__ == self.own for c in mro):
            # Decoded by none: the type's name is all that is promised.
            return ["other", full_name(cls)]
        base = next(
            (c.__name__ for c in mro if is_builtin_class(c) and c.__name__ in VALUED),
            None,
        )
        return [
            "object",
            number,
            full_name(cls),
            None if base is None else [base, self.value(base, obj)],
            self.attributes(obj),
        ]

    def attributes(self, obj):
        """Those in the instance's dict in its order, then slots by name."""
        found = [
            [k, self.of(v)] for k, v in getattr(obj, "__dict__", {}).items() if isinstance(k, str)
        ]
        slots = set()
        for cls in obj.__class__.__mro__:
            names = vars(cls).get("__slots__", ())
            if isinstance(names, str):
                names = (names,)
            for name in names:
                if name in ("__dict__", "__weakref__"):
                    continue
                if name.startswith("__") and not name.endswith("__"):
                    name = "_" + cls.__name__.lstrip("_") + name
                slots.add(name)
        for name in sorted(slots):
            try:
                found.append([name, self.of(getattr(obj, name))])
            except AttributeError:
                continue
        return found

    def exception(self, obj, number):
        return [
            "exception",
            number,
            full_name(obj.__class__),
            [self.of(a) for a in obj.args],
            self.attributes(obj),
            self.of(obj.__cause__),
            self.of(obj.__context__),
            bool(obj.__suppress_context__),
            self.kind_traceback(obj.__traceback__),
        ]
