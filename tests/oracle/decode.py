# SPDX-License-Identifier: Apache-2.0
"""An independent decoder of dumps, written from doc/FORMAT.md alone.

It shares no code with pydumpd or its loader, and is what both are held against. A file that was
cut short gives what it still has. ``decode.py FILE`` prints JSON, an object a line after the rest.
"""

import array
import itertools
import json
import sys

import msgpack
import zstandard

WIDTHS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}


def frames(data):
    """Every whole frame of the file, as a map. Stops where the file was cut."""
    while len(data) >= 8:
        if 0x184D2A50 <= int.from_bytes(data[:4], "little") <= 0x184D2A5F:  # skippable
            data = data[8 + int.from_bytes(data[4:8], "little") :]
            continue
        one = zstandard.ZstdDecompressor().decompressobj()
        try:
            raw = one.decompress(data)
        except zstandard.ZstdError:
            return
        if not one.eof:
            return
        data = one.unused_data
        yield msgpack.unpackb(raw, strict_map_key=False, unicode_errors="surrogateescape")


def column(spec, data):
    """The numbers of a column, from its type and encoding in the header."""
    kind, *steps = spec.split()
    out = array.array(WIDTHS[kind])
    size, n = out.itemsize, len(data) // out.itemsize
    if "shuffle" in steps:
        whole = bytearray(len(data))
        for k in range(size):
            whole[k::size] = data[k * n : (k + 1) * n]
        data = whole
    out.frombytes(bytes(data))
    if sys.byteorder == "big":
        out.byteswap()
    mask = (1 << 8 * size) - 1
    return [v & mask for v in itertools.accumulate(out)] if "delta" in steps else list(out)


def objects(header, frame):
    """The objects of one frame, as maps."""
    names = "addr type node shape size refcnt nrefs nattrs refs vlen".split()
    c = {name: column(header["columns"][name], frame[name]) for name in names}
    marks = {m["i"]: m for m in frame.get("marks", ())}
    refs, values = 0, 0
    for i in range(frame["n"]):
        n, m, length = c["nrefs"][i], c["nattrs"][i], c["vlen"][i]
        shape = frame["shapes"][c["shape"][i]]
        assert len(shape) == m
        attrs = [[*s, v] for s, v in zip(shape, c["refs"][refs + n : refs + n + m])]
        value = frame["values"][values : values + length]
        # Behind the kind's own value: the bytes of texts, bytes and integers.
        at = length - sum(v for origin, _, v in attrs if 10 <= origin <= 12)
        assert at >= 0
        own = value[:at]
        for attr in attrs:
            if 10 <= attr[0] <= 12:
                attr.append(value[at : at + attr[2]])
                at += attr[2]
        yield {
            "addr": c["addr"][i],
            "type": frame["types"][c["type"][i]],
            "kind": c["node"][i],
            "size": c["size"][i],
            "refcnt": c["refcnt"][i],
            "refs": c["refs"][refs : refs + n],
            "attrs": attrs,
            "value": own,
            "mark": marks.get(i),
        }
        refs, values = refs + n + m, values + length
    assert (refs, values) == (len(c["refs"]), len(frame["values"]))


def read(path):
    """The dump as {kind: [frame, ...]}; "objects" and "index" decoded, the rest as it is."""
    with open(path, "rb") as f:
        every = list(frames(f.read()))
    dump = {"numbers": [frame["kind"] for frame in every], "objects": [], "index": {}}
    for number, frame in enumerate(every):
        kind = frame["kind"]
        if kind == "objects":
            dump["objects"] += [{**o, "frame": number} for o in objects(every[0], frame)]
        elif kind == "index":
            addr = column(every[0]["columns"]["index.addr"], frame["addr"])
            batch = column(every[0]["columns"]["index.batch"], frame["batch"])
            assert addr == sorted(addr) and (addr[0], addr[-1]) == (frame["lo"], frame["hi"])
            dump["index"].update(zip(addr, (frame["batches"][b] for b in batch)))
        else:
            dump.setdefault(kind, []).append(frame)
    return dump


if __name__ == "__main__":
    whole = read(sys.argv[1])
    every_object = whole.pop("objects")
    print(json.dumps(whole, default=lambda b: b.hex()))
    for entry in every_object:
        print(json.dumps(entry, default=lambda b: b.hex()))
