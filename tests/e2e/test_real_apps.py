# SPDX-License-Identifier: Apache-2.0
"""Real applications from PyPI, dumped live with all that they reach: what is
opaque in them, by type, and that their values are there."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import packages
import pytest
from harness import TARGETS, attach, open_dump, start, thread_with

MOST = 2.0  # percent of the reachable objects

APPS = [
    ("flask", "3.11", ["flask"]),
    ("aiohttp", "3.12", ["aiohttp"]),
    ("pandas", "3.13", ["pandas"]),
]


@pytest.mark.parametrize("app,short,wanted", APPS, ids=[f"{a}-{s}" for a, s, _ in APPS])
def test_little_is_opaque(app: str, short: str, wanted: list[str], tmp_path: Path) -> None:
    from opaque import Share

    interpreter = packages.find(short)
    site = packages.install(interpreter, *wanted)
    path = tmp_path / f"{app}.pydump"
    argv = interpreter.argv(str(TARGETS / "apps.py"), app)
    with start(argv, env={"PYTHONPATH": site}) as target:
        assert target.line() == "ready"
        attach(target, path)
        target.close_input()
        assert target.wait() == 0
    with open_dump(path) as dump:
        share = Share(dump)
        print(*share.lines(), sep="\n")
        assert sum(share.total.values()) > 50000
        assert share.percent < MOST, "\n".join(share.lines())
        CHECKS[app](dump)


def check_flask(dump: Any) -> None:
    frame = thread_with(dump, "orders").frames[1]
    names = frame.locals
    assert names["total"] == sum(i * 1.25 for i in range(20)) and len(names["rows"]) == 20
    assert names["most"] == 20 and names["agent"].startswith("Werkzeug/")
    app = thread_with(dump, "flask").frames[-2].locals["app"]
    assert app.config["ITEMS"] == 50 and "orders" in app.view_functions


def check_aiohttp(dump: Any) -> None:
    frame = thread_with(dump, "handle").frames[1]
    assert frame.locals["seen"] == ["/count"] * 3
    main = dump.threads[0]
    assert any(f.name == "handle" for f in main.frames)
    assert collections.Counter(f.name for f in main.frames)["run_until_complete"] == 1


def check_pandas(dump: Any) -> None:
    names = thread_with(dump, "report").frames[1].locals
    sales, shops, top = names["frame"], names["by_shop"], names["top"]
    assert sales.shape == (2000, 6) and list(sales) == [
        "when", "shop", "units", "price", "note", "total",
    ]  # fmt: skip
    assert sum(shops["count"]) == 2000 and list(shops.index) == ["north", "south", "west"]
    assert abs(sum(shops["sum"]) - sum(sales["total"])) < 1e-6
    totals = sorted(sales["total"], reverse=True)[:5]
    assert top["total"].tolist() == totals
    assert repr(sales).endswith("[2000 rows x 6 columns]")
    assert abs(sum(names["daily"]) - sum(sales["total"])) < 1e-6


CHECKS = {"flask": check_flask, "aiohttp": check_aiohttp, "pandas": check_pandas}


def test_compiled_functions(tmp_path: Path) -> None:
    """Functions of Cython and numpy's dispatchers tell their names and code."""
    interpreter = packages.find("3.13")
    site = packages.install(interpreter, "pandas")
    code = (
        "import sys, numpy as np, pandas._libs.lib as lib, pandas._libs.join as join\n"
        "found = [lib.infer_dtype, lib.is_float, join.inner_join, join.left_join_indexer]\n"
        "found += [np.concatenate, np.mean]\n"
        "for f in found: print(repr(f), flush=True)\n"
        "print(lib.infer_dtype.__code__.co_name, flush=True)\nsys.stdin.read()"
    )
    path = tmp_path / "functions.pydump"
    with start(interpreter.argv("-c", code), env={"PYTHONPATH": site}) as target:
        told, name = [target.line() for _ in range(6)], target.line()
        attach(target, path)
    with open_dump(path) as dump:
        found = dump.threads[0].frames[0].locals["found"]
        assert [repr(f) for f in found] == told
        assert found[0].__name__ == "infer_dtype" and found[0].__code__.co_name == name
        assert "int8_t" in found[3].__signatures__ and found[5].__name__ == "mean"
        for f in found:
            with pytest.raises(TypeError, match="nothing of the program runs"):
                f()
