# SPDX-License-Identifier: Apache-2.0
"""Every limit: what is cut says so with the true total, the rest is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
from harness import (
    Target,
    attach,
    open_dump,
    pydumpd,
    record,
    start_code,
    start_script,
    thread_with,
)
from interpreters import Interpreter

TOTALS = {
    "a_list": 1000,
    "a_tuple": 1000,
    "a_set": 1000,
    "a_frozenset": 300,
    "a_dict": 1000,
    "ordered": 600,
    "deque": 900,
    "counter": 600,
    "default": 600,
    "bag": 600,
    "rest": 600,
    "named": 600,
}


@pytest.fixture(scope="module")
def holder(interpreter: Interpreter) -> Iterator[Target]:
    with start_script(interpreter, "cuts.py") as target:
        word, hidden, tracked = target.line().split()
        assert word == "ready"
        target.told = int(hidden), int(tracked)
        yield target


def held(dump: Any) -> Any:
    thread = thread_with(dump, "hold")
    return next(f for f in thread.frames if f.name == "hold").locals


def test_items_text_and_memory(holder: Target, tmp_path: Path) -> None:
    import pydumpd as loader

    path = tmp_path / "d"
    said = attach(holder, path, "--max-items", "10", "--max-string", "7", "--max-blob", "16")
    for option in ("--max-items cut", "--max-string cut", "--max-blob cut"):
        assert option in said
    header, end = record(path, "header"), record(path, "end")
    assert (header["limits"]["max_items"], header["limits"]["max_blob"]) == (10, 16)
    assert header["limits"]["include"] == header["limits"]["exclude"] == []
    assert min(end["cut"][k] for k in ("max_items", "max_string", "max_blob")) > 0
    with open_dump(path) as dump:
        values = held(dump)
        for name, total in TOTALS.items():
            value = values[name]
            assert len(value) == total, name
            assert len(value.dumped()) == 10, name
            with pytest.raises(loader.NotDumpedError):
                list(value)
            assert f"10 of {total}" in repr(value), name
        assert values["a_list"].dumped() == list(range(10))
        assert values["a_list"][9] == 9 and isinstance(values["a_list"], list)
        assert [v for _, v in values["a_dict"].dumped()] == list(range(10))
        assert values["bag"].note == "beside"
        for name, begin in (("counter", "Counter({0: 1,"), ("ordered", "OrderedDict({0: '0',")):
            assert repr(values[name]).startswith(begin) and repr(values[name]).endswith(">})")
        # Text and memory.
        assert len(values["text"]) == 10000 and values["text"].dumped() == "text te"
        assert len(values["wide"]) == 300 and values["wide"].dumped() == "\u20ac" * 7
        assert len(values["blob"]) == 25600 and values["blob"].dumped() == bytes(range(16))
        assert len(values["array"]) == 300 and values["array"].dumped() == b"xyzxyzxyzxyzxyzx"
        # Keys that begin alike stay as many.
        alike = values["alike"]
        assert len(alike) == len(list(alike)) == 4
        assert sorted(alike.values()) == [0, 1, 2, 3]
        # What is below every limit is whole.
        assert values["short"] == [1, "two", b"three", {"four": 4}]
        # What things are known by is not cut.
        job = values["job"]
        assert type(job).__name__ == "Job" and len(job.a_long_attribute_name) == 500
        assert [getattr(job, f"attribute_number_{i}") for i in range(30)] == list(range(30))
        waiting = values["waiting"]
        assert dict(waiting.gi_frame.f_locals)["local_of_generator"] == 1
    shown = pydumpd("show", path)
    assert shown.returncode == 0
    assert "a_list = [0, 1, 2, 3, 4, 5, 6, 7, ... (truncated, 10 of 1000)]" in shown.stdout
    assert "limit max_items: " in shown.stdout and "values cut" in shown.stdout
    assert pydumpd("show", path, "--json").returncode == 0


def test_near_the_frames_first(holder: Target, tmp_path: Path) -> None:
    for i, options in enumerate((["--depth", "1"], ["--max-objects", "80"])):
        path = tmp_path / str(i)
        attach(holder, path, *options)
        with open_dump(path) as dump:
            hold, module = thread_with(dump, "hold").frames[-2:]
            # Values of all variables, of functions and of modules.
            for frame in (hold, module):
                for name in frame.locals:
                    at = frame.locals.address(name)
                    assert dump.graph.record(at) is not None, (options, frame.name, name)
            assert hold.locals["text"] == "text " * 2000
            assert len(hold.locals["a_list"]) == 1000
            assert "not dumped" in repr(hold.locals["a_list"])
            assert module.locals["SETTING"] == "in the globals"
            assert type(hold.locals["job"]).__name__ == "Job"


def test_types_and_modules(holder: Target, tmp_path: Path) -> None:
    path = tmp_path / "d"
    patterns = ["--exclude", "*.Skipped", "--exclude", "collections.*", "--exclude", "sys"]
    attach(holder, path, *patterns)
    limits = record(path, "header")["limits"]
    assert limits["exclude"] == ["*.Skipped", "collections.*", "sys"]
    with open_dump(path) as dump:
        values = held(dump)
        assert "left out by --exclude '*.Skipped'" in repr(values["skipped"])
        rec = dump.graph.record(values.address("skipped"))
        assert rec.mark.word == "limit" and rec.size > 0
        assert dump.graph.classes.name(rec.type).endswith("Skipped")
        for name in ("ordered", "counter", "default", "deque"):
            assert "left out by --exclude 'collections.*'" in repr(values[name]), name
        assert values["a_list"] == list(range(1000))
        assert values["bag"][5] == 5
        module = thread_with(dump, "hold").frames[-1].locals["sys"]
        assert "left out by --exclude 'sys'" in repr(dump.graph.get(rec_of(dump, module)))
    attach(holder, path.with_name("e"), "--include", "__main__.*", "--exclude", "*.Job")
    with open_dump(path.with_name("e")) as dump:
        values = held(dump)
        assert values["a_dict"]["number 7"] == 7
        assert values["skipped"].payload == [1, 2, 3]
        assert "left out by --exclude '*.Job'" in repr(values["job"])
        assert "no --include matches" in repr(values["deque"])
        assert "no --include matches" in repr(values["space"])
        globals_ = thread_with(dump, "hold").frames[-1].locals
        assert globals_["SETTING"] == "in the globals"
        end = record(path.with_name("e"), "end")
        assert end["cut"]["include"] > 2 and end["cut"]["exclude"] == 1


def test_what_the_collector_tracks(holder: Target, tmp_path: Path) -> None:
    hidden, tracked = holder.told
    attach(holder, tmp_path / "without")
    said = attach(holder, tmp_path / "with", "--gc")
    assert "--gc:" not in said
    with open_dump(tmp_path / "without") as dump:
        assert dump.graph.record(hidden) is None
    with open_dump(tmp_path / "with") as dump:
        found = dump.object(hidden)
        assert type(found).__name__ == "Hidden" and found.myself is found
        assert found.text == "found by the collector alone"
    assert record(tmp_path / "with", "header")["limits"]["gc"] is True
    end = record(tmp_path / "with", "end")
    assert end["gc_note"] is None and abs(end["gc_roots"] - tracked) < 500
    # What the frames reach comes first, and the rest is counted.
    attach(holder, tmp_path / "few", "--gc", "--max-objects", "5000")
    with open_dump(tmp_path / "few") as dump:
        assert held(dump)["a_list"] == list(range(1000))
    assert record(tmp_path / "few", "end")["cut"]["max_objects"] > tracked / 4


def rec_of(dump: Any, module: Any) -> int:
    """Where a module's namespace is."""
    return dump.graph.record(dump.graph.address(module)).field("dict")


def test_bad_values(one: Interpreter) -> None:
    bad = {
        "--max-items": ["0", "-1", "x", "10Q", "1.5", ""],
        "--max-blob": ["0", "-1", "K", "99999999999G"],
        "--exclude": ["", "x" * 1000],
        "--include": [""],
        "--timeout": ["0", "soon", "nan"],
    }
    for option, values in bad.items():
        for value in values:
            done = pydumpd("attach", f"{option}={value}", "1")
            assert done.returncode == 2, (option, value)
            assert option.lstrip("-") in done.stderr


def test_sizes_have_suffixes(holder: Target, tmp_path: Path) -> None:
    options = ["--max-items", "1K", "--max-blob", "2m", "--max-string", "3G"]
    attach(holder, tmp_path / "d", *options)
    limits = record(tmp_path / "d", "header")["limits"]
    assert limits["max_items"] == 1024
    assert limits["max_blob"] == 2 << 20
    assert limits["max_string"] == 3 << 30
    attach(holder, tmp_path / "e", "--max-blob", "none")
    assert record(tmp_path / "e", "header")["limits"]["max_blob"] is None


@pytest.mark.parametrize("mode", ["copy", "stop", "live"])
def test_no_time_at_all(holder: Target, tmp_path: Path, mode: str) -> None:
    """Not even for the capture: the frames are there, and what is not says why."""
    attach(holder, tmp_path / "d", "--timeout", "0.000001", "--capture", mode)
    assert holder.unharmed()
    end = record(tmp_path / "d", "end")
    assert end["timeout"] is True and end["cut"]["timeout"] > 10
    # What was not copied was read from the process itself, which stood still.
    ran = "live" if mode == "live" else "stop"
    assert record(tmp_path / "d", "header")["capture"]["mode"] == ran
    with open_dump(tmp_path / "d") as dump:
        assert "not dumped: limit timeout" in repr(held(dump)["a_list"])
    shown = pydumpd("show", tmp_path / "d")
    assert shown.returncode == 0 and "a_list = <not dumped: 0x" in shown.stdout


def test_time_ends_inside_of_one_list(one: Interpreter, tmp_path: Path) -> None:
    n = 3_000_000
    code = f"""if True:
        import sys
        def hold():
            near = ["near"]
            big = [float(i) for i in range({n})]
            print("ready", flush=True)
            sys.stdin.read()
        hold()"""
    with start_code(one, code) as target:
        target.line()
        # Enough for the capture, whatever the machine is at.
        for timeout in (0.1 * 1.5**i for i in range(12)):
            path = tmp_path / str(timeout)
            attach(target, path, "--timeout", str(timeout))
            end = record(path, "end")
            if end["objects"] > 1000:
                break
        assert target.unharmed()
    assert end["timeout"] is True
    assert n - 5000 < end["cut"]["timeout"] + end["objects"]
    assert end["total_ns"] < 20e9
    with open_dump(path) as dump:
        values = held(dump)
        assert values["near"] == ["near"]
        assert len(values["big"]) == n
