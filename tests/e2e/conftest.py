# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end to end tests, and the account of what was tested."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Iterator

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import core_pattern  # noqa: E402
import harness  # noqa: E402
from interpreters import (  # noqa: E402
    Interpreter,
    discover,
    missing,
    newest,
    one_of_each,
)

EVERY = discover()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "interpreter" in metafunc.fixturenames:
        # Builds and bugfix releases of one version differ in their layouts;
        # for what lies above those, one of each is enough.
        every = metafunc.definition.get_closest_marker("every_build")
        some = metafunc.definition.get_closest_marker("versions")
        chosen = [
            i
            for i in (EVERY if every else one_of_each())
            if not some or i.version[:2] in some.args
        ]
        metafunc.parametrize(
            "interpreter", chosen, ids=[i.key for i in chosen], scope="session"
        )
    if "shared_root" in metafunc.fixturenames:
        # Where a test needs no more than each version once, on our own files.
        own = {i.short: i for i in EVERY if i.root is None}
        metafunc.parametrize("shared_root", own.values(), ids=list(own), scope="session")


@pytest.fixture
def one() -> Interpreter:
    """Any interpreter, for tests of what no version changes."""
    return newest()


@pytest.fixture
def sleeper(one: Interpreter) -> Iterator[harness.Target]:
    """A Python process that waits for its standard input to end."""
    code = "import sys; value = {'a': [1]}; print('ready', flush=True); sys.stdin.read()"
    with harness.start_code(one, code) as target:
        assert target.line() == "ready"
        yield target


@pytest.fixture(autouse=True)
def with_the_pattern_that_is_set(request: pytest.FixtureRequest) -> Iterator[None]:
    """What crashes in a test is no business of a handler that another one installs."""
    if request.node.get_closest_marker("crashes"):
        with core_pattern.unchanged():
            yield
    else:
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest begins first, so that two workers end together.
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    keys = {i.key for i in EVERY}
    count: dict[str, int] = {}
    for report in terminalreporter.stats.get("passed", []):
        with_what = re.search(r"\[(.*)\]", report.nodeid)
        for key in keys if with_what else ():
            if f"-{key}-" in f"-{with_what[1]}-":
                count[key] = count.get(key, 0) + 1
    tested = [f"{i.key} ({count[i.key]})" for i in EVERY if i.key in count]
    terminalreporter.section("interpreters")
    terminalreporter.write_line("tested: " + (", ".join(tested) or "none"))
    if missing():
        terminalreporter.write_line("MISSING: " + ", ".join(missing()))
