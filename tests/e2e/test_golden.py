# SPDX-License-Identifier: Apache-2.0
"""Dumps of earlier format versions stay readable: by all three readers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import harness
import pytest

GOLDEN = sorted((harness.TOP / "tests" / "golden").glob("*.pydump"))


@pytest.fixture(params=GOLDEN, ids=[p.stem for p in GOLDEN])
def golden(request: pytest.FixtureRequest) -> Path:
    return request.param


def frame(dump: Any, name: str) -> Any:
    return next(f for f in dump.threads[0].frames if f.name == name)


def test_loader(golden: Path) -> None:
    dump = harness.open_dump(golden)
    assert dump.header["description"] == "format 1"
    names = [f.name for f in dump.threads[0].frames]
    assert names == ["inner", "closure", "outer", "<module>"]
    inner = frame(dump, "inner").locals
    assert inner["rest"] == (2, 3) and inner["key"] == "value"
    point = inner["point"]
    assert type(point).__name__ == "Point" and point.x == 1
    assert point.y == ["seen from inside"]
    assert frame(dump, "closure").locals["free"] is point.y
    content = inner["box"].content
    assert content["ints"] == [0, -1, 2**90] and content["text"] == "caf\u00e9 \ud800"
    assert content["self"] is inner["box"]
    numbers = inner["numbers"]
    assert numbers == (1.5, 0.0, 3 + 4j, True, None, b"\x00\xff", {1, 2}, frozenset("a"))
    assert math.copysign(1, numbers[1]) == -1
    error = inner["error"]
    assert isinstance(error, ValueError) and error.args == ("golden", 42)


def test_native_reader(golden: Path) -> None:
    shown = harness.pydumpd("show", "--json", golden)
    assert shown.returncode == 0, shown.stderr
    threads = json.loads(shown.stdout)["threads"]
    assert [f["name"] for f in threads[0]["frames"]][0] == "inner"
    assert harness.pydumpd("peek", golden).returncode == 0


def test_every_frame_decodes(golden: Path) -> None:
    kinds = [r["kind"] for r in harness.records(golden)]
    assert kinds[:2] == ["header", "threads"] and kinds[-1] == "end"
