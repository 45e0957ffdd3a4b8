# SPDX-License-Identifier: Apache-2.0
import os
import sys
from typing import Any, Callable, Iterator

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "loader"))

import pydumpd  # noqa: E402
from dumpwriter import Writer  # noqa: E402


@pytest.fixture(autouse=True)
def ordinary_recursion() -> Iterator[None]:
    """The limit of a new interpreter: other tests of the process have raised it, and what
    recurses without end would end the process."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)


@pytest.fixture
def w() -> Writer:
    """A dump to be written."""
    return Writer()


@pytest.fixture
def load(tmp_path: Any) -> Callable[[Writer], pydumpd.Dump]:
    """Writes a dump and opens it."""
    return lambda writer: pydumpd.open(writer.write(tmp_path / "d.pydump"))
