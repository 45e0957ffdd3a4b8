# SPDX-License-Identifier: Apache-2.0
"""Whole, cut, damaged and foreign files."""

import random
import struct

import msgpack
import pydumpd
import pytest
from dumpwriter import Writer, compress


def sample():
    w = Writer(batch=20)
    value = [{"k%d" % i: (i, [str(i)])} for i in range(60)]
    at = w.add(value)
    w.source("/srv/app.py", "x = 1\n")
    for n in range(3):
        w.thread([w.frame("f%d" % i, variables={"v": value[i]}) for i in range(4)], name="t%d" % n)
    return w, at, value


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "the file is empty"),
        (b"hello world, this is text\n" * 9, "not a pydumpd dump"),
        (b"\x28\xb5\x2f\xfd", "not a pydumpd dump"),
        (b"\0" * 100, "not a pydumpd dump"),
        (compress(b"\xc1"), "no msgpack map"),
        (compress(msgpack.packb([1])), "no msgpack map"),
        (compress(msgpack.packb({"kind": "end"})), "not a pydumpd dump"),
        (compress(msgpack.packb({"kind": "header", "magic": "pydump"})), "no format version"),
        (
            compress(msgpack.packb({"kind": "header", "magic": "pydump", "format": 9,
                                    "oldest_reader": 9})),
            "written in format 9, this loader reads 1",
        ),
    ],
)  # fmt: skip
def test_not_a_dump(tmp_path, content, message):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(pydumpd.DumpError) as e:
        pydumpd.open(str(path))
    assert message in str(e.value) and str(path) in str(e.value)
    assert "\n" not in str(e.value)


def test_missing_and_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(pydumpd.DumpError, match="cannot open"):
            pydumpd.open(str(path))


def test_newer_column_encoding(tmp_path):
    w = Writer()
    w.header["columns"] = dict(w.columns, refs="u64 zigzag")
    with pytest.raises(pydumpd.DumpError, match="newer reader"):
        pydumpd.open(w.write(tmp_path / "d"))


def test_unknown_frames_and_keys_are_ignored(tmp_path):
    w, at, value = sample()
    w.header["new key"] = {"a": 1}
    w.raw_frame(struct.pack("<II", 0x184D2A50, 5) + b"hello")
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert dump.complete and dump.object(at) == value


def test_kinds_come_from_the_header(tmp_path):
    w = Writer()
    at = w.node(77, [w.add(1)], b"?", type=w.type_node("New"))
    dump = pydumpd.open(w.write(tmp_path / "d"))
    assert type(dump.object(at)).__name__ == "New"


def test_without_index(tmp_path):
    w, at, value = sample()
    dump = pydumpd.open(w.write(tmp_path / "d", index=False))
    assert "not dumped" in repr(dump.object(at))


def look(dump):
    """Touches all that a dump shows; the values of the frames."""
    out = []
    for thread in dump.threads:
        for frame in thread.frames:
            out.append({name: repr(value) for name, value in frame.locals.items()})
    repr(dump.sources)
    return out


def test_cut_short(tmp_path):
    w, at, value = sample()
    raw = w.bytes()
    whole = look(pydumpd.open(w.write(tmp_path / "whole")))
    path = tmp_path / "cut"
    rng, header = random.Random(1), w.toc[0][1]
    ends = [row[0] + row[1] for row in w.toc]
    seen = set()
    for cut in [*ends, *(rng.randrange(len(raw)) for _ in range(150))]:
        if cut >= len(raw):
            continue
        path.write_bytes(raw[:cut])
        if cut < header:
            with pytest.raises(pydumpd.DumpError):
                pydumpd.open(str(path))
            continue
        dump = pydumpd.open(str(path))
        assert not dump.complete or cut >= ends[-1]
        kinds = [row[3] for row, end in zip(w.toc, ends) if end <= cut]
        assert dump.file.frame_kinds[: len(kinds)] == kinds
        got = look(dump)
        if kinds.count("objects") == [r[3] for r in w.toc].count("objects"):
            assert got == whole and dump.object(at) == value
        if "threads" in kinds:
            assert len(dump.threads) == 3
        seen.add(len(got))
    assert seen == {0, 4, 8, 12}


def test_flipped_bytes(tmp_path):
    w, at, value = sample()
    raw = w.bytes()
    path = tmp_path / "bad"
    opened = 0
    for seed in range(150):
        rng = random.Random(seed)
        bad = bytearray(raw)
        for _ in range(rng.randrange(1, 4)):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            dump = pydumpd.open(str(path))
        except pydumpd.DumpError as e:
            assert "\n" not in str(e)
            continue
        opened += 1
        look(dump)
        repr(dump.object(at))
    assert opened > 50


def lying(w, mutate):
    """A dump whose frames went through mutate before they were packed."""
    from unittest import mock

    def pack(frame, **kw):
        return msgpack.Packer(**kw).pack(mutate(dict(frame)))

    with mock.patch("dumpwriter.msgpack.packb", pack):
        return w.bytes()


VALUES = [None, -1, 0, 1, 2**64 - 1, "x", b"x" * 7, [], {}, [[1]], {"a": 1}, 1.5, True]


def test_frames_of_wrong_types(tmp_path):
    """Every key of every kind of frame, with values that it should not have."""
    path = tmp_path / "bad"
    keys = set()

    def note(frame):
        keys.update((frame["kind"], k) for k in frame if k != "kind")
        return frame

    lying(sample()[0], note)
    w, at, _ = sample()
    opened = 0
    for n, (kind, key) in enumerate(sorted(keys)):
        for value in (VALUES[n % len(VALUES)], VALUES[(n * 5 + 3) % len(VALUES)]):

            def mutate(frame, kind=kind, key=key, value=value):
                if frame["kind"] == kind:
                    frame[key] = value
                return frame

            path.write_bytes(lying(w, mutate))
            try:
                dump = pydumpd.open(str(path))
            except pydumpd.DumpError:
                continue
            opened += 1
            look(dump)
            repr(dump.object(at))
    assert opened > len(keys)


def test_rows_of_wrong_types(tmp_path):
    path = tmp_path / "bad"
    for kind in ("threads", "frames"):
        for n, value in enumerate(VALUES):
            w, at, _ = sample()
            rows = w.threads if kind == "threads" else w.frames[0]
            for key in list(rows[0])[n % 3 :: 3]:
                old, rows[0][key] = rows[0][key], value
                path.write_bytes(w.bytes())
                look(pydumpd.open(str(path)))
                rows[0][key] = old


def test_sizes_that_lie(tmp_path):
    """A frame that claims to hold more than its blocks can."""
    w, _, _ = sample()
    raw = bytearray(w.bytes())
    bomb = struct.pack("<IBQ", 0xFD2FB528, 0xE4, 1 << 62) + b"\1\0\0" + b"\0" * 4
    path = tmp_path / "bomb"
    path.write_bytes(bomb)
    with pytest.raises(pydumpd.DumpError):
        pydumpd.open(str(path))
    path.write_bytes(bytes(raw[: w.toc[-1][0]]) + bomb)
    assert len(pydumpd.open(str(path)).threads) == 3


@pytest.mark.parametrize("magic, what", [
    (b"\x1f\x8b\x08", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x7fELF\2\1\1", "pydumpd core FILE"),
])  # fmt: skip
def test_what_is_taken_for_a_dump(tmp_path, magic, what):
    path = tmp_path / "d"
    path.write_bytes(magic + bytes(100))
    with pytest.raises(pydumpd.DumpError, match="not a pydumpd dump, but .*%s" % what):
        pydumpd.open(str(path))
