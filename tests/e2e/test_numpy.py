# SPDX-License-Identifier: Apache-2.0
"""numpy arrays are shown as numpy shows them, without numpy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import packages
import pytest
from harness import TARGETS, attach, open_dump, start, thread_with
from interpreters import Interpreter

COUNT = int(os.environ.get("PYDUMPD_ARRAYS") or 150)
SEED = int(os.environ.get("PYDUMPD_SEED") or 805754896)

# Layouts and text changed in 1.20, 1.22, 1.23, 1.25, 2.0, 2.2 to 2.4.
RELEASES = {
    "3.7": "numpy==1.16.6",
    "3.8": "numpy==1.24.4",
    "3.9": "numpy==1.20.3",
    "3.10": "numpy==1.22.4",
    "3.11": "numpy==2.0.2",
    "3.12": "numpy==2.2.6",
    "3.13": "numpy",
}


def seen(array: Any) -> dict[str, Any]:
    from arrays import tell

    dtype = array.dtype
    return {
        "shape": list(array.shape),
        "strides": list(array.strides),
        "dtype": [str(dtype), repr(dtype), dtype.name if dtype.names is None else ""],
        "values": tell(array.tolist()),
        "repr": repr(array),
        "str": str(array),
    }


@pytest.mark.parametrize("short", RELEASES)
def test_arrays(short: str, tmp_path: Path) -> None:
    from arrays import tell

    interpreter: Interpreter = packages.find(short)
    site = packages.install(interpreter, RELEASES[short])
    argv = interpreter.argv(str(TARGETS / "arrays.py"), str(SEED), str(COUNT))
    path = tmp_path / "arrays.pydump"
    with start(argv, env={"PYTHONPATH": site}) as target:
        told = [target.json() for _ in range(COUNT)]
        scalars = target.json()
        release, record, matrix, signal = target.json()
        while target.line() != "ready":
            pass
        attach(target, path)
        target.close_input()
        assert target.wait() == 0
    problems = []
    with open_dump(path) as dump:
        frame = thread_with(dump, "hold_arrays").frames[0]
        arrays = frame.locals["arrays"]
        assert len(arrays) == COUNT
        for number, (truth, array) in enumerate(zip(told, arrays)):
            shown = seen(array)
            for key in truth:
                # numpy computes this width from swapped bytes.
                if ">m8" in truth["dtype"][0] and key in ("repr", "str"):
                    continue
                if shown[key] != truth[key]:
                    problems.append(f"{number} {key}: {shown[key]}\nis {truth[key]}")
        for (text, value, name), scalar in zip(scalars, frame.locals["scalars"]):
            got = [repr(scalar), tell(scalar.item()), type(scalar).__name__]
            if got != [text, value, name]:
                problems.append(f"scalar: {got}\nis {[text, value, name]}")
        extra = frame.locals["extra"]
        assert [repr(extra["rec"]), repr(extra["matrix"])] == [record, matrix]
        assert repr(extra["signal"]) == signal and extra["signal"].rate == 44100
        assert isinstance(extra["signal"], type(extra["big"]))
        big, half, wide = extra["big"], extra["half"], extra["wide"]
        assert (len(big), big[99999], half[1], wide[5, 7]) == (100000, 99999, 2, 1.5)
        assert half.base is big and wide.shape == (10**6, 10**6)
        assert (big[10:13] == [10, 11, 12]).all() and 77777 in big[77000:78000]
        assert [int(v) for v in big[5:2:-1]] == [5, 4, 3] and big.dtype == "int64"
        with pytest.raises(IndexError):
            big[100000]
    assert not problems, f"seed {SEED}, numpy {release}, {len(problems)} differ:\n" + "\n".join(
        problems[:10]
    )


def test_a_limit_on_memory(tmp_path: Path) -> None:
    """Items past the limit are said to be missing, with the true total."""
    interpreter = packages.find("3.13")
    site = packages.install(interpreter, RELEASES["3.13"])
    code = (
        "import numpy, sys\n"
        "a = numpy.arange(5000.0)\nb = a[::-2]\nc = numpy.array([{}] * 600, object)\n"
        "print('ready', flush=True)\nsys.stdin.read()"
    )
    path = tmp_path / "cut.pydump"
    with start(interpreter.argv("-c", code), env={"PYTHONPATH": site}) as target:
        assert target.line() == "ready"
        attach(target, path, "--max-blob", "4000")
    with open_dump(path) as dump:
        names = dump.threads[0].frames[0].locals
        a, b, c = names["a"], names["b"], names["c"]
        assert a[:3].tolist() == [0.0, 1.0, 2.0] and b[:2].tolist() == [4999.0, 4997.0]
        assert len(a) == 5000 and a[499] == 499.0 and len(c) == 600
        for missing in (lambda: a[500], lambda: a.tolist(), lambda: c.tolist(), lambda: b[2000]):
            with pytest.raises(LookupError, match=r"truncated: (4000|500) of (40000|20000|600)"):
                missing()
        assert "truncated: 4000 of 40000 bytes" in repr(a) and "[0.0, 1.0" in repr(a)


BROKEN = """
import ctypes, sys
import numpy as np

def put(array, offset, value, size=8):
    ctypes.memmove(id(array) + offset, value.to_bytes(size, "little", signed=value < 0), size)

kept = [np.arange(6.0).reshape(2, 3) for _ in range(12)]
good, cases = kept[0], {}
for name, array in zip("ndim minus dims shape steps data dtype strides far".split(), kept[1:]):
    cases[name] = array
put(cases["ndim"], 24, 1000, 4)
put(cases["minus"], 24, -1, 4)
put(cases["dims"], 32, 0)
lies = (ctypes.c_int64 * 2)(2, -3)
huge = (ctypes.c_int64 * 2)(1 << 40, 1 << 40)
far = (ctypes.c_int64 * 2)(1 << 46, 8)
put(cases["shape"], 32, ctypes.addressof(lies))
put(cases["steps"], 32, ctypes.addressof(huge))
put(cases["data"], 16, 8)
put(cases["dtype"], 56, id(cases))
put(cases["strides"], 40, ctypes.addressof(huge))
put(cases["far"], 40, ctypes.addressof(far))
secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
keys = np.array([secret, "plain"])
raw = np.array([secret.encode(), b"plain"])
text = np.frombuffer(b"token " + secret.encode(), "u1")
strings = np.array(["short", "a long one that is elsewhere"], "T")
print("ready", flush=True)
sys.stdin.read()
import os
os._exit(0)
"""


def test_broken_arrays_and_secrets_in_them(tmp_path: Path) -> None:
    """Structs that cannot be right, and what is not to be in the dump."""
    interpreter = packages.find("3.13")
    site = packages.install(interpreter, RELEASES["3.13"])
    path = tmp_path / "broken.pydump"
    with start(interpreter.argv("-c", BROKEN), env={"PYTHONPATH": site}) as target:
        assert target.line() == "ready"
        attach(target, path)
    with open_dump(path) as dump:
        names = dump.threads[0].frames[0].locals
        assert names["good"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        for name, array in names["cases"].items():
            assert len(repr(array)) < 300 and "array([" not in repr(array), (name, repr(array))
            with pytest.raises((LookupError, AttributeError)):
                array.tolist()
        keys, raw, text = names["keys"], names["raw"], names["text"]
        assert keys[1] == "plain" and set(keys[0]) == {"*"} and "redacted" in repr(keys)
        # Bytes of items stand side by side: the second may be taken for a part.
        assert b"g7H8" not in raw[0] and "redacted" in repr(raw)
        assert "redacted" in repr(text)
        with pytest.raises(LookupError, match="redacted"):
            text.tolist()
        strings = names["strings"]
        assert strings.shape == (2,) and repr(strings.dtype) == "StringDType()"
        with pytest.raises(LookupError, match="StringDType are not told"):
            strings[0]
        assert "not told" in repr(strings)


def test_a_real_array(tmp_path: Path) -> None:
    """numpy.asarray() of what the loader shows is the same array."""
    interpreter = packages.find("3.13")
    site = packages.install(interpreter, RELEASES["3.13"])
    tools = packages.install(interpreter, "msgpack", "zstandard")
    code = (
        "import numpy as np, sys\n"
        "a = np.array([(1, 2.5, 'x', b'y'), (3, -0.0, 'zz', b'')], 'i4,>f8,U3,S2')[::-1]\n"
        "b = np.arange(24, dtype='>i2').reshape(2, 3, 4).T\n"
        "c = np.array([None, [1], 'a'], object)\n"
        "print(repr(a), repr(b), repr(c), sep='|', end='|\\n', flush=True)\nsys.stdin.read()"
    )
    path = tmp_path / "real.pydump"
    with start(interpreter.argv("-c", code), env={"PYTHONPATH": site}) as target:
        told = ""
        while told.count("|") < 3:
            told += target.line() + "\n"
        attach(target, path)
    code = (
        "import sys, pydumpd\nnames = pydumpd.open(sys.argv[1]).threads[0].frames[0].locals\n"
        "assert 'numpy' not in sys.modules and repr(names['b']) and 'numpy' not in sys.modules\n"
        "import numpy as np\nfound = [np.asarray(names[n]) for n in 'abc']\n"
        "assert all(type(x) is np.ndarray for x in found)\n"
        "print(*map(repr, found), sep='|', end='|\\n')"
    )
    where = ":".join([site, tools, str(TARGETS.parents[1] / "tools" / "loader")])
    with start(interpreter.argv("-c", code, str(path)), env={"PYTHONPATH": where}) as reader:
        shown = ""
        while shown.count("|") < 3:
            shown += reader.line() + "\n"
    assert shown == told
