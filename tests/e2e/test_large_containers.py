# SPDX-License-Identifier: Apache-2.0
"""Containers with millions of references, which are read more than once.

The target tells a checksum of the addresses of each one's items.
"""

from __future__ import annotations

import array
import sys
import zlib
from pathlib import Path

import pytest
from harness import attach, start_code
from interpreters import Interpreter

sys.path.insert(0, str(Path(__file__).parents[1] / "oracle"))
import decode  # noqa: E402

# From 4 Mi references on; a dict has two for each pair.
CODE = """
import array, json, sys, zlib

class Named(list):
    pass

def crc(objects):
    return zlib.crc32(array.array("Q", map(id, objects)).tobytes())

def both(pairs):
    for key, value in pairs:
        yield key
        yield value

def main():
    n = 1 << 22
    named = Named(list(range(200)) * (n // 200 + 1))
    named.name = "large"
    pairs = dict.fromkeys(range(n // 2 + 999), "same")
    for i in range(0, 900):
        del pairs[7 * i]
    print(json.dumps({hex(id(x)): crc(y) for x, y in [
        (named, named), (pairs, both(pairs.items()))]}), flush=True)
    sys.stdin.readline()

main()
"""


@pytest.mark.versions((3, 8), (3, 13))
def test_references(interpreter: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "d"
    with start_code(interpreter, CODE) as target:
        want = {int(addr, 16): crc for addr, crc in target.json().items()}
        attach(target, path, "--capture=fork", "--native=off")
        assert target.unharmed()
    found = {}
    frames = decode.frames(path.read_bytes())
    header = next(frames)
    for frame in frames:
        # Batches of one object, which is large.
        if frame["kind"] == "objects" and frame["n"] == 1:
            (o,) = decode.objects(header, frame)
            if o["addr"] not in want:
                continue
            found[o["addr"]] = zlib.crc32(array.array("Q", o["refs"]).tobytes())
            assert o["mark"] is None
            assert [a[1] for a in o["attrs"]] in ([], ["__dict__"], ["name"])
    assert found == want
