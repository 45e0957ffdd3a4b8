# SPDX-License-Identifier: Apache-2.0
"""Arrays out of records written by hand: no package is needed. What numpy
itself says of random arrays is compared in tests/e2e/test_numpy.py."""

import struct

import pytest
from dumpwriter import At, Unsigned, Writer
from pydumpd.standard.numpy_array import Array
from pydumpd.standard.numpy_dtype import Dtype, Field


def dtype(w, num, itemsize, order="=", **more):
    fields = {"char": "?", "byteorder": order, "num": num, "flags": Unsigned(0)}
    fields.update(itemsize=itemsize, alignment=itemsize, **more)
    return w.record("numpy.dtype", fields)


def array(w, d, shape, strides, data=None, items=(), **keys):
    fields = {"shape": shape, "strides": strides, "base": At(0), "dtype": At(d), "flags": 0x501}
    fields.update({} if data is None else {"data": data})
    return w.record("numpy.ndarray", fields, items, **keys)


def test_numbers(load):
    w = Writer()
    d = dtype(w, 12, 8)
    at = array(w, d, (2, 3), (24, 8), struct.pack("<6d", 0, 1.5, -2, 1e-9, 4, float("nan")))
    got = load(w).object(at)
    assert repr(got) == (
        "array([[ 0.0e+00,  1.5e+00, -2.0e+00],\n       [ 1.0e-09,  4.0e+00,      nan]])"
    )
    assert got.shape == (2, 3) and len(got) == 2 and got.ndim == 2 and got.size == 6
    assert got[0].tolist() == [0.0, 1.5, -2.0] and got[1, 1] == 4.0 and got[:, 0][1] == 1e-9
    assert got[::-1, ::2].tolist()[1] == [0.0, -2.0] and 1.5 in got and 7 not in got
    assert repr(got.dtype) == "dtype('float64')" and got.dtype == "float64"
    assert (got[0] == [0, 1.5, -2]).all() and not (got[0] > 5).any()
    assert [v for row in got for v in row][:3] == [0.0, 1.5, -2.0]
    for wrong in ((2, 0), (0, 3), (0, 0, 0)):
        with pytest.raises(IndexError):
            got[wrong]
    with pytest.raises(ValueError, match="ambiguous"):
        bool(got)


def test_an_axis_that_repeats_and_items_of_objects(load):
    w = Writer()
    wide = array(w, dtype(w, 3, 2), (4, 2), (0, 2), struct.pack("<2h", 7, -1))
    objects = array(w, dtype(w, 17, 8), (3,), (8,), None, [w.add([1]), 0, w.add("x")])
    dump = load(w)
    assert dump.object(wide).tolist() == [[7, -1]] * 4
    got = dump.object(objects)
    assert got.tolist() == [[1], None, "x"]
    assert repr(got) == "array([list([1]), None, 'x'], dtype=object)"


def test_text_and_what_is_cut(load):
    w = Writer()
    words = array(w, dtype(w, 19, 8), (3,), (8,), items=())
    w2 = w.record("numpy.ndarray", {
        "shape": (3,), "strides": (8,), "base": At(0), "dtype": At(dtype(w, 19, 8, ">")),
        "flags": 0, "text": "ab\0\0é\0",
    })  # fmt: skip
    cut = array(w, dtype(w, 7, 8), (100,), (8,), struct.pack("<3q", 1, 2, 3),
                mark=("truncated", 800, "field data"))  # fmt: skip
    dump = load(w)
    assert dump.object(w2).tolist() == ["ab", "", "é"]
    with pytest.raises(LookupError):
        dump.object(words).tolist()
    got = dump.object(cut)
    assert len(got) == 100 and got[:3].tolist() == [1, 2, 3]
    assert repr(got) == (
        "<array of shape (100,), dtype int64: begins with [1, 2, 3]; the item is not in the dump "
        "(truncated: 24 of 800 bytes)>"
    )
    for missing in (lambda: got[3], lambda: got.tolist(), lambda: list(got), lambda: got == 1):
        with pytest.raises(LookupError, match="24 of 800 bytes"):
            missing()


def test_lies_are_no_values(load):
    w = Writer()
    d = dtype(w, 7, 8)
    bad = [
        array(w, d, (2,), (8, 8), b"\0" * 16),
        array(w, d, (-2,), (8,), b"\0" * 16),
        array(w, 0, (2,), (8,), b"\0" * 16),
        array(w, w.add("no dtype"), (2,), (8,), b"\0" * 16),
        array(w, dtype(w, 5000, 8), (2,), (8,), b"\0" * 16),
        array(w, dtype(w, 20, 8, names=At(w.add(("a",))), fields=At(w.add({}))), (1,), (8,), b""),
        array(w, d, (1 << 40, 1 << 40), (8, 8), b"\0" * 16),
        array(w, d, (2,), (8,)),
    ]
    dump = load(w)
    for at in bad:
        got = dump.object(at)
        assert len(repr(got)) < 300 and "array([" not in repr(got)
        with pytest.raises(LookupError):
            got.tolist()


def test_no_list_without_end(load):
    w = Writer()
    d = dtype(w, 7, 8)
    wide = array(w, d, (1 << 40, 1 << 40), (0, 0), b"\5" + b"\0" * 7)
    none = array(w, d, (1 << 40, 0), (8, 8), b"")
    dump = load(w)
    got = dump.object(wide)
    assert got[1 << 39, 3] == 5 and repr(got).startswith("array([[5, 5, 5, ..., 5, 5, 5],")
    assert "[]" in repr(dump.object(none))
    for endless in (got.tolist, dump.object(none).tolist, got.tobytes, lambda: got == 5, got.any):
        with pytest.raises(LookupError, match="too many items"):
            endless()


def test_structured_text():
    d = Dtype(20, 24)
    d.fields = [
        Field("a", Dtype(5, 4), 0, None), Field("t", Dtype(19, 12), 4, None),
        Field("when", Dtype(21, 8), 16, None),
    ]  # fmt: skip
    d.fields[2].dtype.unit = ("D", 1)
    data = struct.pack("<i12sq", 7, "né".encode("utf-32-le"), 18262)
    got = Array(d, (1,), data, lambda at: None)
    assert repr(got) == (
        "array([(7, 'né', '2020-01-01')],\n"
        "      dtype=[('a', '<i4'), ('t', '<U3'), ('when', '<M8[D]')])"
    )
    assert got["t"].tolist() == ["né"] and str(got[0][2]) == "2020-01-01"
