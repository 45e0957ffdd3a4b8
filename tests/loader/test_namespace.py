# SPDX-License-Identifier: Apache-2.0
"""Names at the prompt, of which the global ones are decoded when asked for."""

import pydumpd.scope  # noqa: F401, it fills the builtins
import pytest
from dumpwriter import Writer
from prompting import commands
from pydumpd import open as open_dump
from pydumpd.namespace import Namespace, Scope

GLOBALS = {"LIMIT": 5, "n": "global", "table": [[1], [2]], "__name__": "app", "__builtins__": 7}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    w = Writer()
    space = dict(GLOBALS)
    w.thread([
        w.frame("f", globals=space, variables={"n": 3, "m": 2}),
        w.frame("<module>", globals=space, locals=id(space), flags=0),
    ])  # fmt: skip
    out = tmp_path_factory.mktemp("names") / "d.pydump"
    w.write(out)
    return out


@pytest.fixture
def space(path):
    with open_dump(str(path)) as dump:
        yield Namespace(dump.graph, dump.threads[0].frames[0].globals_address)


def test_is_the_dict_that_it_stands_for(space):
    assert space["LIMIT"] == 5 and space.get("n") == "global" and space.get("none", 1) == 1
    assert "table" in space and "none" not in space and len(space) == len(GLOBALS)
    assert set(space) == set(space.keys()) == set(GLOBALS)
    with pytest.raises(KeyError):
        space["none"]
    assert space["table"] is space.origin["table"]
    copy = {**space}
    assert {k: v for k, v in copy.items() if k != "__builtins__"} == {
        k: v for k, v in GLOBALS.items() if k != "__builtins__"
    }
    assert dict(space) == copy == space.copy() == dict(space.items()) and space == copy
    assert sorted(map(str, space.values())) == sorted(map(str, copy.values()))
    assert space["__builtins__"]["len"] is len and space.origin["__builtins__"] == 7


def test_written_to(space):
    space["LIMIT"] = 6
    assert space["LIMIT"] == 6 and space.origin["LIMIT"] == 5
    assert space.setdefault("n", 1) == "global" and space.setdefault("new", 2) == 2
    del space["n"]
    assert "n" not in space and "n" not in {**space} and space.pop("table") == [[1], [2]]
    assert "table" not in space and space.pop("none", 3) == 3
    with pytest.raises(KeyError):
        del space["none"]


def test_filled_is_what_c_code_sees(space):
    assert not dict.__contains__(space, "LIMIT")
    space.fill()
    assert set(dict.keys(space)) == set(GLOBALS) and eval("LIMIT + len(n)", space) == 11


def test_scope_finds_locals_first(space):
    scope = Scope({"n": 3}, space)
    code = compile("[n + LIMIT for _ in table]", "<stdin>", "eval")
    scope.load(code)
    assert eval(code, scope, {"n": 3}) == [8, 8] and "table" in scope and "none" not in scope


def test_at_the_prompt(path):
    out = commands(
        path,
        "p LIMIT, n, m",
        "p [LIMIT * i + n for i in range(m)]",
        "p (lambda: (LIMIT, n))()",
        "p eval('LIMIT + n'), eval('[LIMIT for _ in table]')",
        "exec('table[0].append(LIMIT + m)'); print(table[0])",
        "later = lambda: LIMIT + n",
        "p later()",
        "p sorted(k for k in globals() if k[0] != '_'), sorted(locals())[:2]",
        "p 'LIMIT' in globals(), 'm' in vars(), none",
        "up",
        "p n, LIMIT",
        "LIMIT = 4",
        "p LIMIT, [LIMIT for _ in table], eval('table')",
        "p 'table' in locals(), sorted(k for k in dir() if k[0] != '_')",
    )
    lines = [line for line in out.splitlines() if line and line[0] in "([*0123456789"]
    assert lines == [
        "(5, 3, 2)",
        "[3, 8]",
        "(5, 3)",
        "(8, [5, 5])",
        "[1, 7]",
        "8",
        "(['LIMIT', 'n', 'table'], ['later', 'm'])",
        "*** NameError: name 'none' is not defined",
        "('global', 5)",
        "(4, [4, 4], [[1, 7], [2]])",
        "(True, ['LIMIT', 'n', 'table'])",
    ]
