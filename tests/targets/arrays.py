# SPDX-License-Identifier: Apache-2.0
"""Random numpy arrays, and what numpy says of each: arguments are a seed and
a count. tell() is for both sides and needs no numpy."""

import random
import sys

PLAIN = "? b B h H i I l L q Q e f d g F D G S3 S1 U4 U1 V3 O m8".split()
PLAIN += ["M8[%s]" % u for u in "Y M W D h m s ms us ns ps 25s".split()]
PLAIN += ["m8[%s]" % u for u in "Y W D h s us ns".split()]
OBJECTS = [None, 1, "x", {"a": [1]}, 2.5, b"q", 1 << 80]


def tell(value):
    """Text of a plain value, the same on both sides."""
    if type(value).__name__ in ("longdouble", "float128", "LongDouble"):
        return "L" + str(value)
    if type(value).__name__ in ("clongdouble", "complex256", "LongComplex"):
        return "L%s,%s" % (value.real, value.imag)
    if isinstance(value, (list, tuple)):
        return "%s(%s)" % (type(value).__name__, ", ".join(map(tell, value)))
    if hasattr(value, "tolist") and not isinstance(value, (int, float, str, bytes, complex)):
        return tell(value.tolist())
    return "%s %r" % (type(value).__name__, value)


class Maker:
    """Arrays of random dtypes, shapes, orders and views."""

    def __init__(self, np, seed):
        self.np, self.rng = np, random.Random(seed)

    def dtype(self, depth=0):
        np, rng = self.np, self.rng
        if depth < 2 and rng.random() < 0.15:
            parts = []
            for i in range(rng.randint(1, 3)):
                part = ("f%d" % i, self.dtype(depth + 1))
                if rng.random() < 0.2:
                    part += ((rng.randint(1, 3),),)
                parts.append(part)
            return np.dtype(parts, align=rng.random() < 0.3)
        found = np.dtype(rng.choice(PLAIN))
        if rng.random() < 0.2 and found.char not in "gGm":
            found = found.newbyteorder(">")
        return found

    def number(self):
        rng = self.rng
        c = rng.random()
        if c < 0.05:
            return rng.choice([float("nan"), float("inf"), -float("inf"), 0.0, -0.0])
        if c < 0.4:
            return rng.randint(-100, 100) / rng.choice([1, 2, 4, 10, 100])
        if c < 0.7:
            return rng.uniform(-10, 10)
        return rng.uniform(-1, 1) * 10.0 ** rng.randint(-12, 12)

    def value(self, dtype, small):
        np, rng, kind = self.np, self.rng, dtype.kind
        if kind == "b":
            return rng.random() < 0.5
        if kind in "iu":
            info = np.iinfo(dtype)
            lo, hi = (max(info.min, -50), 50) if small else (info.min, info.max)
            return rng.randint(int(lo), int(hi))
        if kind == "f":
            return float(rng.randint(-5, 5)) if small else self.number()
        if kind == "c":
            return complex(self.number(), self.number())
        if kind == "S":
            return bytes(rng.randint(32, 200) for _ in range(rng.randint(0, dtype.itemsize)))
        if kind == "U":
            size = rng.randint(0, dtype.itemsize // 4)
            return "".join(rng.choice("ab\xe9\u65e5'\"\\\n") for _ in range(size))
        if kind == "V":
            return bytes(rng.randint(0, 255) for _ in range(dtype.itemsize))
        if kind == "O":
            return rng.choice(OBJECTS)
        if rng.random() < 0.1:
            return np.array("NaT", dtype)
        wide = not small and np.datetime_data(dtype)[0] in ("us", "ns", "ps")
        most = 10**15 if wide else 10**4
        return np.array(rng.randint(-most, most)).astype("i8").astype(dtype)

    def fill(self, array):
        if array.dtype.names is not None:
            for name in array.dtype.names:
                self.fill(array[name])
            return
        small = self.rng.random() < 0.5
        for index in self.np.ndindex(*array.shape):
            array[index] = self.value(array.dtype, small)

    def array(self):
        np, rng = self.np, self.rng
        n = rng.randint(0, 3)
        most = [0, 1, 2, 3, 5, 12, 40] if n < 3 else [1, 2, 3, 7]
        shape = tuple(rng.choice(most) for _ in range(n))
        if rng.random() < 0.03:
            shape = (rng.randint(1001, 1500),)
        array = np.zeros(shape, self.dtype(), order=rng.choice("CCF"))
        self.fill(array)
        return self.view(array)

    def view(self, array):
        np, rng = self.np, self.rng
        c = rng.random()
        if c < 0.4 or not array.ndim:
            return array
        if c < 0.7:
            steps = [None, -1, 2, -2, 3]
            return array[tuple(slice(None, None, rng.choice(steps)) for _ in array.shape)]
        if c < 0.8:
            return array.T
        if c < 0.9:
            return np.broadcast_to(array, (rng.randint(1, 3),) + array.shape)
        if array.dtype.names is not None:
            return array[array.dtype.names[0]]
        return array[tuple(slice(rng.randint(0, 2), None) for _ in array.shape)]


def truth(array):
    dtype = array.dtype
    return {
        "shape": list(array.shape),
        "strides": list(array.strides),
        "dtype": [str(dtype), repr(dtype), dtype.name if dtype.names is None else ""],
        "values": tell(array.tolist()),
        "repr": repr(array),
        "str": str(array),
    }


def scalars(np):
    out = [np.bool_(True), np.bool_(False), np.int8(-5), np.uint8(200), np.int16(-300)]
    out += [np.int64(-(2**63)), np.uint64(2**64 - 1), np.intc(7), np.longlong(8)]
    out += [np.float16(0.1), np.float32(0.1), np.float32(1e20), np.float64(0.1), np.float64("nan")]
    out += [np.longdouble("0.1"), np.complex64(1 + 2j), np.complex128(1.5 - 2j)]
    out += [np.clongdouble(1.5), np.str_("a\xe9"), np.bytes_(b"ab\0c"), np.void(b"ab")]
    out += [np.datetime64("2020-01-02T03:04:05.678901234"), np.datetime64("NaT", "s")]
    out += [np.datetime64(5, "25s"), np.timedelta64(5, "D"), np.timedelta64("NaT", "ns")]
    out += [np.zeros(1, "i4,f8,U3")[0], np.array([(1, {"k": 2})], "i4,O")[0]]
    return out


class Mine:
    """A class of the program that derives from ndarray has fields of its own."""


def hold_arrays(arrays, scalars, extra):
    print("ready", flush=True)
    sys.stdin.read()


def main():
    import json
    import warnings

    import numpy as np

    warnings.simplefilter("ignore")
    maker = Maker(np, int(sys.argv[1]))
    arrays = [maker.array() for _ in range(int(sys.argv[2]))]
    for array in arrays:
        print(json.dumps(truth(array)))
    found = scalars(np)
    print(json.dumps([[repr(s), tell(s.item()), type(s).__name__] for s in found]))

    class Signal(np.ndarray):
        pass

    signal = np.arange(6.0).view(Signal)
    signal.rate = 44100
    big = np.arange(100000, dtype="i8")
    extra = {
        "signal": signal,
        "matrix": np.matrix([[1, 2], [3, 4]]),
        "rec": np.rec.array([(1, 2.5)], dtype="i4,f8"),
        "masked": np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
        "big": big,
        "wide": np.broadcast_to(np.float64(1.5), (10**6, 10**6)),
        "base": arrays,
        "half": big[::2],
        "random": np.random.RandomState(3),
        "ufunc": np.add,
    }
    print(json.dumps([np.__version__, repr(extra["rec"]), repr(extra["matrix"]), repr(signal)]))
    print(flush=True)
    hold_arrays(arrays, found, extra)


if __name__ == "__main__":
    main()
