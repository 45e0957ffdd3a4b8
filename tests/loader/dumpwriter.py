# SPDX-License-Identifier: Apache-2.0
"""Writes dumps by doc/FORMAT.md, for tests of the loader alone.

Shares no code with the loader. `Writer.add(obj)` stores a live object of the
test process and all that it reaches, under its id(); `Writer.node(...)`
stores whatever the test likes, true or not.
"""

import struct
import types

import msgpack

try:
    from compression import zstd

    def compress(raw):
        options = {
            zstd.CompressionParameter.checksum_flag: 1,
            zstd.CompressionParameter.compression_level: 1,
        }
        return zstd.compress(raw, options=options)

except ImportError:
    import zstandard

    def compress(raw):
        return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(raw)


KINDS = [
    (0, "placeholder", "", ""),
    (1, "none", "", ""),
    (2, "bool", "", ""),
    (3, "int", "", ""),
    (4, "float", "", ""),
    (5, "complex", "", ""),
    (6, "str", "", ""),
    (7, "bytes", "", ""),
    (8, "bytearray", "", ""),
    (9, "list", "", "items"),
    (10, "tuple", "", "items"),
    (11, "dict", "", "pairs"),
    (12, "set", "", "items"),
    (13, "frozenset", "", "items"),
    (14, "object", "", ""),
    (15, "type", "bases mro dict qualname", ""),
    (16, "module", "dict name", ""),
    (17, "function", "code globals defaults kwdefaults closure doc name qualname dict module"
     " annotations builtins", ""),
    (18, "method", "func self", ""),
    (19, "builtin", "self module", ""),
    (20, "cell", "contents", ""),
    (21, "code", "filename name qualname varnames cellvars freevars names consts"
     " localsplusnames localspluskinds", ""),
    (22, "frame", "back code globals builtins locals function generator trace", "frame"),
    (23, "traceback", "next frame", ""),
    (24, "exception", "args traceback context cause notes dict", ""),
    (25, "generator", "name qualname code frame awaiting origin globals builtins locals"
     " function", "frame"),
    (26, "coroutine", "name qualname code frame awaiting origin globals builtins locals"
     " function", "frame"),
    (27, "async_generator", "name qualname code frame awaiting origin globals builtins locals"
     " function", "frame"),
    (28, "property", "fget fset fdel doc", ""),
    (29, "staticmethod", "callable dict", ""),
    (30, "classmethod", "callable dict", ""),
    (31, "mappingproxy", "mapping", ""),
    (32, "weakref", "object callback", ""),
    (33, "ellipsis", "", ""),
    (34, "notimplemented", "", ""),
    (35, "slice", "start stop step", ""),
    (36, "range", "start stop step length", ""),
    (37, "descriptor", "owner name qualname", ""),
    (38, "methodwrapper", "descr self", ""),
    (39, "super", "type obj", ""),
    (40, "record", "", "items"),
    (41, "mapping", "", "pairs"),
]  # fmt: skip
KIND_ID = {name: number for number, name, _, _ in KINDS}
FIELDS = {name: fields.split() for _, name, fields, _ in KINDS}

COLUMNS = {
    "addr": "u64 delta shuffle",
    "type": "u16 raw",
    "node": "u8 raw",
    "shape": "u16 raw",
    "size": "u32 shuffle",
    "refcnt": "u32 shuffle",
    "nrefs": "u32 shuffle",
    "nattrs": "u32 shuffle",
    "refs": "u64 shuffle",
    "vlen": "u32 shuffle",
    "values": "bytes raw",
    "index.addr": "u64 delta shuffle",
    "index.batch": "u16 raw",
}
WIDTH = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
MARKS = {"unreadable": 1, "corrupt": 2, "torn": 3, "truncated": 4, "redacted": 5, "limit": 6}
INLINE, SLOT, DICT, MEMBER, GUESS = range(5)
FIELD, INT, UINT, FLOAT, BOOL, TEXT, BYTES, INTS, ADDRESS = range(5, 14)
HEAPTYPE = 1 << 9


def encode(spec, values):
    """One column by the words of its encoding."""
    element, *words = spec.split()
    width = WIDTH[element]
    mask = (1 << 8 * width) - 1
    values = [v & mask for v in values]
    if "delta" in words:
        values = [(v - p) & mask for v, p in zip(values, [0, *values])]
    raw = b"".join(v.to_bytes(width, "little") for v in values)
    if "shuffle" in words:
        raw = b"".join(raw[k::width] for k in range(width))
    return raw


def int_bytes(v):
    if v == 0:
        return b""
    n = (v if v >= 0 else ~v).bit_length() // 8 + 1
    return v.to_bytes(n, "little", signed=True)


class At(int):
    """An address as the value of a field: of an object."""


class Remote(int):
    """The same, of what is no object."""


class Unsigned(int):
    """A number that has no sign."""


def field_origin(value):
    """The origin that a value of a field has in a dump."""
    pairs = [(At, FIELD), (Remote, ADDRESS), (Unsigned, UINT), (bool, BOOL), (int, INT),
             (float, FLOAT), (str, TEXT), (bytes, BYTES), (tuple, INTS)]  # fmt: skip
    return next(origin for t, origin in pairs if isinstance(value, t))


def field_value(origin, value):
    """The 64-bit value of an attribute, and its bytes."""
    data = b""
    if origin == TEXT:
        data = value.encode("utf-8", "surrogatepass")
    elif origin == BYTES:
        data = value
    elif origin == INTS:
        data = struct.pack("<%dq" % len(value), *value)
    if origin in (TEXT, BYTES, INTS):
        return len(data), data
    if origin == FLOAT and isinstance(value, float):
        (value,) = struct.unpack("<Q", struct.pack("<d", value))
    return value & (1 << 64) - 1, data


class Writer:
    """Collects what goes into a dump."""

    def __init__(self, columns=None, batch=1000):
        self.columns = dict(COLUMNS, **(columns or {}))
        self.batch = batch
        self.objects = {}  # addr -> tuple
        self.keep = []
        self.threads = []
        self.frames = {}  # thread index -> list of maps
        self.sources = []
        self.header = {}
        self.end = {}
        self._next = 0x10000
        self._types = {}
        self._extra = []
        self.c_types = {}

    # -- nodes

    def fresh(self):
        self._next += 16
        return self._next

    def node(self, kind, refs=(), value=b"", type=0, attrs=(), mark=None, addr=None,
             size=16, refcnt=1):  # fmt: skip
        """One object. attrs: (origin, name, ref); mark: (word, total, text).
        An attribute of origin TEXT, BYTES or INTS has its value, not a length."""
        addr = self.fresh() if addr is None else addr
        if isinstance(refs, dict):
            refs = [refs.get(f, 0) for f in FIELDS[kind]]
        rows = []
        for origin, name, v in attrs:
            v, data = field_value(origin, v)
            rows.append((origin, name, v))
            value += data
        self.objects[addr] = (type, kind, list(refs), rows, value, mark, size, refcnt)
        return addr

    def record(self, type, fields=None, items=(), kind="record", attrs=(), **keys):
        """An instance of a described C type: fields has name -> value (int, bool,
        float, str, bytes, tuple of int, At, Remote, Unsigned), items addresses."""
        if isinstance(type, str):
            type = self.c_type(type)
        rows = [(field_origin(v), name, v) for name, v in (fields or {}).items()]
        return self.node(kind, items, type=type, attrs=[*rows, *attrs], **keys)

    def c_type(self, full_name, bases=None, members=(), flags=0):
        """A type made in C, the same each time; members: names of its getters."""
        if full_name not in self.c_types:
            module, _, name = full_name.rpartition(".")
            addr = self.fresh()
            self.c_types[full_name] = addr
            space = {
                m: self.node("descriptor", [addr, 0, 0], b"getset\0" + m.encode()) for m in members
            }
            self.type_node(name, module or "builtins", [self.add(b) if isinstance(b, type) else b
                           for b in bases or [object]], space, flags, addr=addr,
                           meta=self.add(type))  # fmt: skip
        return self.c_types[full_name]

    def type_node(self, name, module="app", bases=(), namespace=None, flags=HEAPTYPE, meta=0,
                  mro=None, addr=None, qualname=None):  # fmt: skip
        """A class. bases are addresses; namespace maps names to addresses."""
        addr = self.fresh() if addr is None else addr
        if mro is None:
            mro = [addr]
            for b in bases:
                for a in self.mro_of.get(b, [b]):
                    if a not in mro:
                        mro.append(a)
        self.mro_of[addr] = list(mro)
        pairs = []
        for key, value in (namespace or {}).items():
            pairs += [self.add(key), value]
        value = ("%s\0%s\0" % (module, qualname or name)).encode("utf-8", "surrogatepass")
        return self.node(
            "type",
            {
                "bases": self.node("tuple", bases),
                "mro": self.node("tuple", mro),
                "dict": self.node("dict", pairs, type=self.add(dict)),
                "qualname": self.add(qualname or name),
            },
            value + struct.pack("<qqQ", 16, 0, flags),
            type=meta,
            addr=addr,
        )

    mro_of = {}

    def add(self, root):
        """Stores a live object and all that it reaches; its address."""
        todo = [root]
        while todo:
            obj = todo.pop()
            if id(obj) in self.objects:
                continue
            self.keep.append(obj)
            todo.extend(self._store(obj))
        return id(root)

    def _store(self, obj):
        """Stores one object; what it refers to."""
        t = type(obj)
        children = [t]
        name, refs, value, attrs = None, [], b"", []
        if obj is None:
            name = "none"
        elif obj is Ellipsis:
            name = "ellipsis"
        elif obj is NotImplemented:
            name = "notimplemented"
        elif t is bool:
            name, value = "bool", bytes([obj])
        elif isinstance(obj, int):
            name, value = "int", int_bytes(int(obj))
        elif isinstance(obj, float):
            name, value = "float", struct.pack("<d", obj)
        elif isinstance(obj, complex):
            name, value = "complex", struct.pack("<dd", obj.real, obj.imag)
        elif isinstance(obj, str):
            name, value = "str", str.encode(obj, "utf-8", "surrogatepass")
        elif isinstance(obj, bytes):
            name, value = "bytes", bytes(obj)
        elif isinstance(obj, bytearray):
            name, value = "bytearray", bytes(obj)
        elif isinstance(obj, (list, tuple, set, frozenset)):
            base = next(b for b in (list, tuple, set, frozenset) if isinstance(obj, b))
            name, refs = base.__name__, list(base.__iter__(obj))
        elif isinstance(obj, dict):
            name, refs = "dict", [x for pair in dict.items(obj) for x in pair]
        elif isinstance(obj, slice):
            name, refs = "slice", [obj.start, obj.stop, obj.step]
        elif isinstance(obj, range):
            name, refs = "range", [obj.start, obj.stop, obj.step, len(obj)]
        elif isinstance(obj, type):
            return self._store_type(obj)
        elif isinstance(obj, types.FunctionType):
            return self._store_function(obj)
        elif isinstance(obj, types.CodeType):
            return self._store_code(obj)
        elif isinstance(obj, types.ModuleType):
            name, refs, value = "module", [vars(obj), None], obj.__name__.encode()
        elif isinstance(obj, types.MethodType):
            name, refs = "method", [obj.__func__, obj.__self__]
        elif isinstance(obj, types.BuiltinFunctionType):
            name, refs = "builtin", [obj.__self__, obj.__module__]
            value = obj.__name__.encode()
        elif isinstance(obj, property):
            name, refs = "property", [obj.fget, obj.fset, obj.fdel, obj.__doc__]
        elif isinstance(obj, (staticmethod, classmethod)):
            name, refs = t.__name__, [obj.__func__, None]
        elif isinstance(obj, types.CellType):
            try:
                name, refs = "cell", [obj.cell_contents]
            except ValueError:
                self.node("cell", [0], type=id(t), addr=id(obj))
                return children
        elif isinstance(obj, BaseException):
            name = "exception"
            refs = [obj.args, None, obj.__context__, obj.__cause__,
                    getattr(obj, "__notes__", None), obj.__dict__]  # fmt: skip
            value = bytes([obj.__suppress_context__])
        else:
            name = "object"
        if name not in ("exception",) and not isinstance(
            obj, (types.FunctionType, types.ModuleType, staticmethod, classmethod)
        ):
            own = getattr(obj, "__dict__", None) if t.__flags__ & HEAPTYPE else None
            if isinstance(own, dict):
                attrs.append((DICT, "__dict__", id(own)))
                children.append(own)
            for cls in t.__mro__:
                slots = cls.__dict__.get("__slots__", ())
                for slot in (slots,) if isinstance(slots, str) else slots:
                    if slot not in ("__dict__", "__weakref__"):
                        value_ = getattr(obj, slot, self)
                        attrs.append((SLOT, slot, 0 if value_ is self else id(value_)))
                        if value_ is not self:
                            children.append(value_)
        fields = len(FIELDS[name])
        children += [r for i, r in enumerate(refs) if i >= fields or r is not None]
        self.keep += refs
        ids = [id(r) if i >= fields or r is not None else 0 for i, r in enumerate(refs)]
        if name in ("slice", "property"):
            ids = [id(r) for r in refs]
            children += refs
        self.node(name, ids, value, type=id(t), attrs=attrs, addr=id(obj))
        return children

    def _store_type(self, cls):
        namespace = dict(vars(cls)) if cls.__flags__ & HEAPTYPE else {}
        for name in ("__dict__", "__weakref__"):
            namespace.pop(name, None)
        namespace = {
            k: v for k, v in namespace.items()
            if not isinstance(v, (types.MemberDescriptorType, types.GetSetDescriptorType))
        }  # fmt: skip
        refs = [cls.__bases__, cls.__mro__, namespace, cls.__qualname__]
        self.keep += refs
        value = ("%s\0%s\0" % (cls.__module__, cls.__qualname__)).encode()
        flags = cls.__flags__ & (1 << 63) - 1
        value += struct.pack("<qqQ", cls.__basicsize__, cls.__itemsize__, flags)
        self.node("type", list(map(id, refs)), value, type=id(type(cls)), addr=id(cls))
        return [*refs, type(cls)]

    def _store_function(self, f):
        refs = [f.__code__, {}, f.__defaults__, f.__kwdefaults__, f.__closure__, f.__doc__,
                f.__name__, f.__qualname__, f.__dict__, f.__module__, f.__annotations__,
                None]  # fmt: skip
        self.keep += refs
        ids = [id(r) if r is not None else 0 for r in refs]
        self.node("function", ids, f.__qualname__.encode(), type=id(type(f)), addr=id(f))
        return [r for r in refs if r is not None] + [type(f)]

    def _store_code(self, c):
        refs = [c.co_filename, c.co_name, getattr(c, "co_qualname", c.co_name), c.co_varnames,
                c.co_cellvars, c.co_freevars, c.co_names, c.co_consts]  # fmt: skip
        self.keep += refs
        value = struct.pack("<7i", c.co_argcount, c.co_posonlyargcount, c.co_kwonlyargcount,
                            c.co_nlocals, c.co_stacksize, c.co_flags, c.co_firstlineno)  # fmt: skip
        self.node("code", [*map(id, refs), 0, 0], value + c.co_code, type=id(type(c)), addr=id(c))
        return [*refs, type(c)]

    # -- threads and frames

    def thread(self, frames=(), **keys):
        """A thread; frames are maps, the newest first."""
        index = len(self.threads)
        row = {
            "index": index, "interpreter": 0, "address": 0x1000 + index, "ident": 1000 + index,
            "native_id": 5000 + index, "ns_native_id": None, "name": "T%d" % index, "thread": 0,
            "os_name": "python", "state": "S", "gil": index == 0, "nframes": len(frames),
            "exceptions": [], "note": None,
        }  # fmt: skip
        row.update(keys)
        self.threads.append(row)
        self.frames[index] = list(frames)
        return index

    def frame(self, name, file="/srv/app.py", line=10, variables=None, globals=None, **keys):
        """A frame; variables: name -> live object, or (kind, address)."""
        rows = []
        nargs = keys.get("argcount", 0) + keys.get("kwonly", 0)
        for i, (k, v) in enumerate((variables or {}).items()):
            if isinstance(v, tuple) and len(v) == 2 and v[0] in ("cell", "free", "at", "hidden"):
                code = {"cell": 2, "free": 3, "at": 0 if i < nargs else 1, "hidden": 4}[v[0]]
                rows.append([k, code, v[1]])
            else:
                rows.append([k, 0 if i < nargs else 1, self.add(v)])
        if globals is None:
            globals = {"__name__": "app"}
        row = {
            "name": name, "qualname": keys.pop("qualname", name), "file": file, "line": line,
            "end_line": line, "col": None, "end_col": None, "firstlineno": 1, "lasti": 0,
            "code": 0, "globals": self.add(globals), "builtins": 0, "function": 0, "frame": 0,
            "generator": 0, "locals": 0, "vars": rows, "stack": None, "flags": 3,
            "argcount": 0, "posonly": 0, "kwonly": 0,
        }  # fmt: skip
        row.update(keys)
        return row

    def source(self, file, text, **keys):
        self.sources.append(dict({"kind": "source", "file": file, "text": text,
                                  "origin": "file"}, **keys))  # fmt: skip

    def raw_frame(self, raw):
        """Bytes of a zstd frame put in after the sources."""
        self._extra.append(raw)

    # -- the file

    def bytes(self, **parts):
        """The file. parts: sources of trouble, such as index=False."""
        out, toc = bytearray(), []

        def emit(frame, *extra):
            raw = msgpack.packb(frame, unicode_errors="surrogatepass")
            data = compress(raw)
            toc.append([len(out), len(data), len(raw), frame["kind"], *extra])
            out.extend(data)

        header = {
            "kind": "header", "magic": "pydump", "format": 1, "oldest_reader": 1,
            "writer": "tests", "columns": self.columns,
            "kinds": [{"id": i, "name": n, "fields": f.split(), "rest": r}
                      for i, n, f, r in KINDS],
            "python": {"version": "3.11.7", "hex": 0x030B07F0, "implementation": "cpython",
                       "debug": False, "free_threaded": False, "prefix": "/usr",
                       "executable": "/usr/bin/python3"},
            "layout": {"name": "cpython-3.11", "provenance": "t", "debug_offsets": False,
                       "notes": []},
            "process": {"pid": 4242, "ns_pids": [4242], "ppid": 1, "uid": 0, "gid": 0,
                        "user": "root", "argv": ["python3", "app.py"], "exe": "/usr/bin/python3",
                        "exe_build_id": None, "cwd": "/srv",
                        "start_time": "2026-01-01T00:00:00Z", "rss": 1 << 20, "comm": "python3"},
            "host": {"hostname": "box", "os": "Linux", "kernel": "6", "arch": "x86_64",
                     "boot_id": "b"},
            "time": "2026-01-01T00:00:01.000000Z", "description": None,
            "trigger": {"kind": "attach"}, "capture": {"mode": "copy", "torn": False},
            "limits": {"depth": None, "max_objects": None, "max_bytes": None,
                       "max_string": None, "timeout": None, "globals": True},
            "modules": [],
        }  # fmt: skip
        header.update(self.header)
        emit(header)
        emit({
            "kind": "threads",
            "interpreters": [{"id": 0, "address": 1, "modules": 0, "sysdict": 0,
                              "builtins": 0, "main": True}],
            "threads": self.threads,
        })  # fmt: skip
        for index, frames in self.frames.items():
            for first in range(0, len(frames), 5000):
                part = frames[first : first + 5000]
                emit({"kind": "frames", "thread": index, "first": first, "frames": part},
                     index, first)  # fmt: skip
        for s in self.sources:
            emit(s, *(s[k] for k in ("file",) if k in s))
        for raw in self._extra:
            toc.append([len(out), len(raw), 1, "objects", 0])
            out.extend(raw)
        index, batches = [], []
        items = list(self.objects.items())
        for start in range(0, len(items), self.batch):
            part = items[start : start + self.batch]
            batches.append(len(toc))
            index += [(addr, len(batches) - 1) for addr, _ in part]
            emit(self._objects(part), len(part))
        index.sort()
        if parts.get("index", True):
            for start in range(0, len(index), 4096):
                part = index[start : start + 4096]
                emit({
                    "kind": "index", "batches": batches, "lo": part[0][0], "hi": part[-1][0],
                    "addr": encode(self.columns["index.addr"], [a for a, _ in part]),
                    "batch": encode(self.columns["index.batch"], [b for _, b in part]),
                }, part[0][0], part[-1][0])  # fmt: skip
        toc_at = len(out)
        emit({"kind": "toc", "frames": list(toc)})
        emit(dict({
            "kind": "end", "complete": True, "objects": len(items), "bytes": 16 * len(items),
            "threads": len(self.threads), "frames": sum(map(len, self.frames.values())),
            "placeholders": 0, "pause_ns": 1500000, "walk_ns": 1, "total_ns": 1, "cut": {},
            "timeout": False, "toc": toc_at,
        }, **self.end))  # fmt: skip
        table = b"".join(struct.pack("<II", row[1], row[2]) for row in toc)
        table += struct.pack("<IBI", len(toc), 0, 0x8F92EAB1)
        out += struct.pack("<II", 0x184D2A5E, len(table)) + table
        self.toc = toc
        return bytes(out)

    def write(self, path, **parts):
        path.write_bytes(self.bytes(**parts))
        return str(path)

    def _objects(self, part):
        types_, shapes = [], [[]]
        cols = {n: [] for n in ("type", "node", "shape", "size", "refcnt", "nrefs", "nattrs",
                                "refs", "vlen")}  # fmt: skip
        values, marks = [], []
        for i, (_, row) in enumerate(part):
            type_, kind, refs, attrs, value, mark, size, refcnt = row
            if type_ not in types_:
                types_.append(type_)
            shape = [[origin, name] for origin, name, _ in attrs]
            if shape not in shapes:
                shapes.append(shape)
            cols["type"].append(types_.index(type_))
            cols["node"].append(KIND_ID.get(kind, kind))
            cols["shape"].append(shapes.index(shape))
            cols["size"].append(size)
            cols["refcnt"].append(refcnt)
            cols["nrefs"].append(len(refs))
            cols["nattrs"].append(len(attrs))
            cols["refs"] += [*refs, *(ref for _, _, ref in attrs)]
            cols["vlen"].append(len(value))
            values.append(value)
            if mark:
                word, total, text = mark
                m = {"i": i, "mark": MARKS[word]}
                if total is not None:
                    m["total"] = total
                if text:
                    m["text"] = text
                marks.append(m)
        frame = {"kind": "objects", "n": len(part), "types": types_, "shapes": shapes,
                 "marks": marks, "values": b"".join(values),
                 "addr": encode(self.columns["addr"], [a for a, _ in part])}  # fmt: skip
        for name, values in cols.items():
            frame[name] = encode(self.columns[name], values)
        return frame
