# SPDX-License-Identifier: Apache-2.0
"""A dump that ends anywhere shows what it still has."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import attach, open_dump, pydumpd, start_script
from interpreters import Interpreter

CUTS = int(os.environ.get("PYDUMPD_CUTS") or 150)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from interpreters import newest

    path = tmp_path_factory.mktemp("whole") / "whole.pydump"
    with start_script(newest(), "truth.py") as target:
        target.json()
        attach(target, path)
    return path


def ends(path: Path) -> list[tuple[int, str]]:
    """Where each frame of the file ends, and its kind."""
    import msgpack
    import zstandard

    data, offset, found = path.read_bytes(), 0, []
    while offset < len(data):
        if int.from_bytes(data[offset : offset + 4], "little") & 0xFFFFFFF0 == 0x184D2A50:
            break
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        raw = unpacker.decompress(data[offset:])
        offset = len(data) - len(unpacker.unused_data)
        found.append((offset, msgpack.unpackb(raw, strict_map_key=False)["kind"]))
    return found


def look_at_all(dump: Any) -> None:
    """Decodes every variable; what is missing says so and does not raise."""
    for thread in dump.threads:
        for frame in thread.frames[:3]:
            for name in frame.locals:
                repr(frame.locals[name])


@pytest.mark.slow
def test_cut_anywhere(whole: Path, tmp_path: Path) -> None:
    import pydumpd as loader

    data = whole.read_bytes()
    frames = ends(whole)
    with open_dump(whole) as dump:
        everything = [[f.name for f in t.frames] for t in dump.threads]
    assert sum(map(len, everything)) > 100
    places = random.Random(11)
    # Half of the places in what comes first: header, threads, frames.
    early = next(end for end, kind in frames if kind == "objects")
    cuts = [places.randrange(early) for _ in range(CUTS // 2)]
    cuts += [places.randrange(len(data)) for _ in range(CUTS - len(cuts))]
    path = tmp_path / "cut.pydump"
    shown_something = 0
    for number, cut in enumerate(cuts):
        path.write_bytes(data[:cut])
        have = [kind for end, kind in frames if end <= cut]
        try:
            dump = open_dump(path)
        except loader.DumpError as error:
            assert "header" not in have, (cut, error)
            assert "\n" not in str(error)
            dump = None
        if dump is not None:
            with dump:
                # Without the seekable table it is still found by scanning.
                assert not dump.complete or "end" in have, cut
                names = [[f.name for f in t.frames] for t in dump.threads]
                if "threads" in have:
                    assert len(names) == len(everything), cut
                if have.count("frames") == sum(k == "frames" for _, k in frames):
                    assert names == everything, cut
                    shown_something += 1
                if number % 15 == 0:
                    look_at_all(dump)
        if number % 5 == 0:
            for command in ("show", "peek"):
                done = pydumpd(command, path)
                assert done.returncode == (0 if "header" in have else 1), (
                    command,
                    cut,
                    done.stderr,
                )
                if "threads" in have and command == "show":
                    assert "MainThread" in done.stdout
    assert shown_something > CUTS // 4


@pytest.mark.slow
def test_flipped_bytes(whole: Path, tmp_path: Path) -> None:
    """Damage in the middle is an error or a value, never a crash."""
    import pydumpd as loader

    data = whole.read_bytes()
    places = random.Random(12)
    path = tmp_path / "flipped.pydump"
    for number in range(30):
        damaged = bytearray(data)
        for _ in range(places.choice([1, 1, 3, 50])):
            damaged[places.randrange(len(damaged))] ^= 1 << places.randrange(8)
        path.write_bytes(damaged)
        try:
            with open_dump(path) as dump:
                if number % 10 == 0:
                    look_at_all(dump)
                else:
                    [list(f.locals) for t in dump.threads for f in t.frames]
        except loader.DumpError as error:
            assert "\n" not in str(error)
        for command in ("show", "peek") if number % 4 == 0 else ():
            assert pydumpd(command, path).returncode in (0, 1)


def test_decodes_by_the_oracle(one: Interpreter, whole: Path) -> None:
    """The frames are what doc/FORMAT.md says, read without our code."""
    kinds = [kind for _, kind in ends(whole)]
    assert kinds[0] == "header" and kinds[-1] == "end" and kinds[-2] == "toc"
    end = harness.record(whole, "end")
    counted = sum(r["n"] for r in harness.records(whole) if r["kind"] == "objects")
    assert end["objects"] == counted
    names = harness.frame_names(whole)
    assert end["frames"] == len(names)
