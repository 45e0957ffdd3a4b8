# SPDX-License-Identifier: Apache-2.0
"""Random pandas objects, and what pandas says of each: arguments are a seed
and a count."""

import random
import sys


class Maker:
    def __init__(self, pd, np, seed):
        self.pd, self.np, self.rng = pd, np, random.Random(seed)

    def number(self):
        rng = self.rng
        if rng.random() < 0.1:
            return float("nan")
        if rng.random() < 0.6:
            return rng.randint(-1000, 1000) / rng.choice([1, 2, 4, 100])
        return rng.uniform(-1, 1) * 10.0 ** rng.randint(-3, 6)

    def column(self, n):
        pd, np, rng = self.pd, self.np, self.rng
        kind = rng.choice("iiffbsSdztcCkm8")
        if kind == "i":
            return np.array([rng.randint(-99, 9999) for _ in range(n)], "i8")
        if kind == "8":
            return np.array([rng.randint(0, 99) for _ in range(n)], rng.choice(["i4", "u1"]))
        if kind == "f":
            return np.array([self.number() for _ in range(n)], "f8")
        if kind == "b":
            return np.array([rng.random() < 0.5 for _ in range(n)], "?")
        if kind in "sS":
            words = ["a", "bb", "word", "x y", "line\n", "caf\xe9", "z" * 60]
            if kind == "S":
                words += [None, 5, 2.5, True]
            return np.array([rng.choice(words) for _ in range(n)], object)
        if kind in "dz":
            step = 86400 * 10**9 if rng.random() < 0.4 else 10 ** rng.randint(5, 13)
            ticks = [rng.randint(0, 10**5) * step % (2**62) for _ in range(n)]
            found = pd.Series(np.array(ticks, "i8").view("M8[ns]"))
            if n and rng.random() < 0.4:
                found.iloc[rng.randrange(n)] = pd.NaT
            return found.dt.tz_localize("UTC") if kind == "z" else found
        if kind == "t":
            step = rng.choice([86400 * 10**9, 10**9])
            return pd.Series(np.array([rng.randint(-99, 99) * step for _ in range(n)], "m8[ns]"))
        if kind in "cC":
            words = [rng.choice(["red", "green", "blue"]) for _ in range(n)]
            return pd.Series(pd.Categorical(words, ordered=kind == "C"))
        if kind == "k":
            return pd.Series([rng.choice([1, 2, None]) for _ in range(n)], dtype="Int64")
        return pd.Series([rng.choice([True, None]) for _ in range(n)], dtype="boolean")

    def index(self, n):
        pd, rng = self.pd, self.rng
        kind = rng.choice("rrisdmf")
        name = rng.choice([None, "key"])
        if kind == "i":
            return pd.Index([rng.randint(0, 999) for _ in range(n)], name=name)
        if kind == "f":
            return pd.Index([rng.randint(0, 99) / 4 for _ in range(n)], name=name, dtype="f8")
        if kind == "s":
            words = ["r%d" % rng.randint(0, 99) for _ in range(n)]
            return pd.Index(words, name=name, dtype=object)
        if kind == "d":
            return pd.date_range("2021-03-04", periods=n, freq="D", name=name)
        if kind == "m":
            pairs = [(rng.choice("ab"), rng.randint(0, 3)) for _ in range(n)]
            return pd.MultiIndex.from_tuples(sorted(pairs) or [("a", 1)][:n], names=["u", "v"])
        return pd.RangeIndex(n, name=name)

    def frame(self):
        pd, rng = self.pd, self.rng
        n = rng.choice([1, 2, 3, 7, 30, 61, 200])
        names = ["c%d" % i for i in range(rng.choice([1, 2, 4, 9, 24]))]
        if rng.random() < 0.2:
            names = [name * 4 for name in names]
        out = pd.DataFrame(dict((name, self.column(n)) for name in names))
        out.index = self.index(n)
        return out


def truth(frame, series, index):
    return {
        "frame": repr(frame),
        "series": repr(series),
        "index": repr(index),
        "shape": list(frame.shape),
        "labels": [str(c) for c in frame.columns],
        "dtypes": [str(d) for d in frame.dtypes],
        "floats": [[repr(v) for v in frame[c].tolist()] for c in frame if frame[c].dtype == "f8"],
        "ints": [frame[c].tolist() for c in frame if frame[c].dtype == "i8"],
    }


def hold_frames(things, scalars):
    print("ready", flush=True)
    sys.stdin.read()


def main():
    import json
    import warnings

    import numpy as np
    import pandas as pd

    warnings.simplefilter("ignore")
    maker = Maker(pd, np, int(sys.argv[1]))
    things = []
    for _ in range(int(sys.argv[2])):
        frame = maker.frame()
        thing = (frame, frame[frame.columns[0]], frame.index)
        things.append(thing)
        print(json.dumps(truth(*thing)))
    scalars = [
        pd.Timestamp("2020-03-04 05:06:07.123456789"), pd.Timestamp("2020-03-04", tz="UTC"),
        pd.Timestamp("1999-12-31 23:59:59.5"), pd.Timedelta(days=-3, nanoseconds=77),
        pd.Timedelta(hours=5), pd.Timedelta(days=2), pd.NaT, pd.NA, pd.Interval(1, 2),
        pd.Period("2020-03", "M"), pd.Period("2020-03-04", "D"), pd.offsets.Day(2),
        pd.offsets.MonthEnd(), pd.offsets.Hour(5),
    ]  # fmt: skip
    print(json.dumps([pd.__version__] + [[repr(s), str(s), type(s).__name__] for s in scalars]))
    hold_frames(things, scalars)


if __name__ == "__main__":
    main()
