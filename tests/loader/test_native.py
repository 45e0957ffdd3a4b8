# SPDX-License-Identifier: Apache-2.0
"""Native stacks out of files written by hand: how they are merged, and that no
value of a hostile one harms."""

import io
import itertools
import json
import os
import re
import subprocess
from pathlib import Path

import pydumpd
import pytest
from dumpwriter import Writer
from pydumpd.debugger import DumpPdb


def place(name, **keys):
    row = {
        "module": "/lib/libx.so", "build_id": "ab", "address": 0x1010, "function": name,
        "symbol": None, "offset": 16, "file": None, "line": None,
    }  # fmt: skip
    row.update(keys)
    return row


def stack(frames, thread=0, **keys):
    row = {
        "thread": thread, "native_id": 5000, "ns_native_id": 5000, "os_name": "python",
        "state": "S", "merged": True, "whole": True, "note": None, "total": len(frames),
        "cut_at": None, "frames": frames,
    }  # fmt: skip
    row.update(keys)
    return row


def written(tmp_path, places, threads, count=4):
    w = Writer()
    w.thread([w.frame("f%d" % i) for i in range(count)])
    w.sources.append({"kind": "native", "places": places, "threads": threads})
    return pydumpd.open(w.write(tmp_path / "d.pydump"))


def shown(thread):
    return [
        e if isinstance(e, str) else e.name if hasattr(e, "lasti") else e.function
        for e in thread.merged
    ]


PLACES = [place(n) for n in "abcdef"]


def at(number, python=None):
    return [number, 0x7000 + number, 0x9000 + number * 16, 1, False, python]


def test_merged(tmp_path):
    frames = [at(0), at(1, [0, 2]), at(2), at(3, [2, 2]), at(4)]
    thread = written(tmp_path, PLACES, [stack(frames)]).threads[0]
    assert shown(thread) == ["a", "f0", "f1", "c", "f2", "f3", "e"]
    first = thread.native.frames[0]
    assert (first.pc, first.sp, first.how, first.python) == (0x7000, 0x9000, "table", None)
    assert first.describe() == "a+0x10  /lib/libx.so+0x1010"


def test_cut(tmp_path):
    """Python frames of the part that is left out stand before what is older."""
    frames = [at(0), at(1, [0, 1]), at(2), at(3), at(4, [3, 1]), at(5)]
    one = stack(frames, total=100, cut_at=3)
    thread = written(tmp_path, PLACES, [one]).threads[0]
    assert shown(thread) == [
        "a",
        "f0",
        "c",
        "94 native frames left out",
        "f1",
        "f2",
        "d",
        "f3",
        "f",
    ]


def test_ends_early_and_not_merged(tmp_path):
    frames = [at(0), at(1, [0, 1])]
    early = stack(frames, whole=False, note="it ends early: no code")
    assert shown(written(tmp_path, PLACES, [early]).threads[0]) == ["a", "f0", "f1", "f2", "f3"]
    apart = stack(frames, merged=False)
    thread = written(tmp_path, PLACES, [apart]).threads[0]
    assert shown(thread) == ["a", "b", "f0", "f1", "f2", "f3"]


def test_threads_without_python(tmp_path):
    dump = written(tmp_path, PLACES, [stack([at(0)], thread=None)])
    assert dump.threads[0].native is None
    assert [s.thread for s in dump.native_stacks] == [None]
    assert shown(dump.threads[0]) == ["f0", "f1", "f2", "f3"]


ODD = [
    None, -1, 1 << 63, (1 << 64) - 1, 1.5, True, "", "\x1b[31m", b"\xff\xfe", [], [1], {}, {"a": 1},
    [[]], [0, 1 << 40], [1 << 62, 1 << 62], [-5, 10],
]  # fmt: skip


BUILD = Path(os.environ.get("PYDUMPD_BUILD", "build")).resolve()


def check(dump):
    # The C reader.
    tool = str(BUILD / "pydumpd")
    done = subprocess.run(
        [tool, "show", "--native", "--no-locals", dump.path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^  #(\d)", done.stdout, re.MULTILINE) == list("0123")
    assert "\x1b" not in done.stdout
    done = subprocess.run([tool, "show", "--json", dump.path], capture_output=True, text=True)
    assert len(json.loads(done.stdout)["threads"][0]["frames"]) == 4
    for each in dump.native_stacks:
        assert len(list(each.merge(4))) < 100
        for frame in each.frames:
            assert frame.describe().isprintable()
    thread = dump.threads[0]
    python = [e.number for e in thread.merged if hasattr(e, "lasti")]
    assert python == [0, 1, 2, 3]
    out = io.StringIO()
    prompt = DumpPdb(dump, stdin=io.StringIO(), stdout=out)
    prompt.run_on(prompt.views.of_thread(thread), ["nw", "nw 2", "nw -2"])
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_hostile(tmp_path, odd):
    good = [at(0), at(1, [0, 2]), at(2, [2, 2])]
    frames = [at(0) for _ in range(6)]
    for n, frame in enumerate(frames):
        frame[n] = odd
    rows = [place("a", **{key: odd}) for key in place("a")]
    good += [at(n) for n in range(len(rows))]
    check(written(tmp_path, [*rows, odd], [stack([*frames, odd, [odd] * 6, *good])]))
    for key in stack([]):
        check(written(tmp_path, PLACES, [{**stack(good), key: odd}, odd]))
    check(written(tmp_path, odd, [stack(good)]))
    check(written(tmp_path, PLACES, odd))


def test_python_frames_come_once(tmp_path):
    """Whatever ranges a file claims."""
    for a, b in itertools.product([[0, 4], [3, 1], [0, 0], [2, 9], [1, 2]], repeat=2):
        for cut in (None, 0, 1):
            one = stack([at(0, a), at(1, b)], total=9, cut_at=cut)
            thread = written(tmp_path, PLACES, [one]).threads[0]
            found = [e.number for e in thread.merged if hasattr(e, "lasti")]
            assert found == [0, 1, 2, 3]
