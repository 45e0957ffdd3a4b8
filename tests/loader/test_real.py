# SPDX-License-Identifier: Apache-2.0
"""A live program, dumped: its tracebacks are the interpreter's, letter by letter."""

import json
import os
import subprocess
import sys
import traceback

import pydumpd
import pytest
from pydumpd.views import Views
from test_load_command import BINARY

HERE = os.path.dirname(os.path.abspath(__file__))

pytestmark = pytest.mark.skipif(not os.path.exists(BINARY), reason="pydumpd is not built")


@pytest.fixture(scope="module")
def dumped(tmp_path_factory):
    """(what the program said, the open dump)."""
    path = tmp_path_factory.mktemp("real") / "d.pydump"
    target = subprocess.Popen(
        [sys.executable, os.path.join(HERE, "target.py")], stdout=subprocess.PIPE, encoding="utf-8"
    )
    try:
        told = json.loads(target.stdout.readline())
        got = subprocess.run(
            [BINARY, "attach", str(told["pid"]), "-o", str(path)],
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=120,
        )  # fmt: skip
        if "no table" in got.stderr or "not permitted" in got.stderr:
            pytest.skip(got.stderr)
        assert got.returncode == 0, got.stderr
    finally:
        target.kill()
        target.wait()
        target.stdout.close()
    with pydumpd.open(str(path)) as dump:
        yield told, dump


def view(dump, name):
    thread = next(t for t in dump.threads if t.name == name)
    return Views(dump).of_thread(thread)


def strip(text):
    """The lines without those that mark columns."""
    return [line for line in "".join(text).splitlines() if line.strip(" ^~")]


@pytest.mark.parametrize("name", ["worker", "recover"])
def test_stacks(dumped, name):
    told, dump = dumped
    want = told["stacks"][name]
    got = traceback.format_list(traceback.extract_tb(view(dump, name).traceback))
    # The newest frame is here() itself, which looked at its caller.
    assert "in here" in got[-1]
    # What extract_stack() gives has no columns.
    assert strip(got[:-1]) == strip(want)
    if sys.version_info >= (3, 11) and name == "worker":
        carets = '    found = [total, here("worker")]\n                    ^^'
        assert carets in got[-2].replace("~", "^")


def test_module_and_class_bodies(dumped):
    told, dump = dumped
    got = traceback.format_list(traceback.extract_tb(view(dump, "MainThread").traceback))
    assert [g.splitlines()[0].split(", line")[0] for g in got[:-1]] == [
        w.splitlines()[0].split(", line")[0] for w in told["stacks"]["main"]
    ]
    assert "in Body\n    time.sleep(1000)" in got[-1]
    module, body = [frame for frame, _ in view(dump, "MainThread").stack]
    assert body.f_locals["text"] == "größe" and body.f_locals["inner"] == ["x"]
    assert body.f_globals["Account"].rate == 5 and module.f_locals["Account"].rate == 5


def test_exceptions(dumped):
    told, dump = dumped
    thread = next(t for t in dump.threads if t.name == "recover")
    (entry,) = thread.exceptions
    error = entry.value
    got = traceback.format_exception(type(error), error, error.__traceback__)
    # A frame that runs on has no columns for where it was before.
    assert strip(got) == strip(told["exception"])
    inner = "".join(told["exception"]).partition("in fail")[2].partition("The above")[0]
    assert inner and inner in "".join(got)  # with its carets
    assert error.__cause__.args == ("no such account", 0)
    frames = [f for f, _ in Views(dump).of_exception(thread, entry).stack]
    assert frames[-1].f_code.co_name == "recover" and "_bootstrap" in frames[0].f_code.co_name


def test_locals(dumped):
    _, dump = dumped
    stack = [frame for frame, _ in view(dump, "worker").stack]
    by_name = {f.f_code.co_name: f.f_locals for f in stack}
    pay, closure = by_name["pay"], by_name["closure"]
    assert closure["n"] == 0 and closure["total"] == 4 and closure["amount"] == 1
    assert closure["rest"] == (2,) and closure["more"] == {"k": "v"}
    assert closure["self"] is pay["self"] and pay["self"].owner == "Zoë"
    assert pay["fee"] == 3 and pay["closure"].__name__ == "closure"
    assert pay["self"].pay.__func__.__kwdefaults__ == {"fee": 1}


def test_real_frames_and_api_agree(dumped):
    _, dump = dumped
    views = Views(dump)
    for thread in dump.threads:
        shown = views.of_thread(thread)
        assert len(shown.stack) == len(thread.frames)
        for (frame, line), told in zip(reversed(shown.stack), thread.frames):
            assert frame.f_code.co_name == told.name and line == told.line == frame.f_lineno
            assert frame.f_code.co_filename == told.file
            values = dict(frame.f_locals)
            values.pop("__builtins__", None)
            names = set(told.locals) - {"__builtins__"}
            assert set(values) == names
            for name in names:
                assert values[name] is told.locals[name] or values[name] == told.locals[name]
