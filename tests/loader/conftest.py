# SPDX-License-Identifier: Apache-2.0
import os
import sys
from typing import Iterator

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools", "loader"))


@pytest.fixture(autouse=True)
def ordinary_recursion() -> Iterator[None]:
    """The limit of a new interpreter: other tests of the process have raised it, and what
    recurses without end would end the process."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)
