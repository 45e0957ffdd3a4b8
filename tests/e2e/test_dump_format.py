# SPDX-License-Identifier: Apache-2.0
"""Dumps: the C writer and reader against a decoder written from doc/FORMAT.md alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import harness
import msgpack
import pytest
import zstandard

ORACLE = harness.TOP / "tests" / "oracle"
sys.path.insert(0, str(ORACLE))

import decode  # noqa: E402

TOOL = str(harness.BUILD / "dumptool")


def write(path: Path, *args: int) -> Path:
    subprocess.run([TOOL, "write", str(path), *map(str, args)], check=True)
    return path


def read(path: Path) -> list[str]:
    """Every object by the C reading API."""
    done = subprocess.run([TOOL, "read", str(path)], capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()


def line(o: dict[str, Any]) -> str:
    """An object of the oracle as dumptool prints it."""
    mark = o["mark"] or {"mark": 0}
    text = mark.get("text", "").encode("utf-8", "surrogateescape")
    return " ".join(
        [
            f"{o['addr']:x} {o['kind']} {o['type']:x} {o['size']} {o['refcnt']} refs",
            *(f"{r:x}" for r in o["refs"]),
            "attrs",
            *(f"{a[0]}:{a[1]}:{a[2]:x}{'=' + a[3].hex() if a[3:] else ''}" for a in o["attrs"]),
            f"value {o['value'].hex() or '-'} mark {mark['mark']} {mark.get('total', 0)}",
            text.hex() or "-",
        ]
    )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("dump") / "sample.pydump", 7, 30000)


def damaged(path: Path, at: int, name: str) -> Path:
    """A copy with a byte changed."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    copy = path.with_name(name)
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize(
    "args",
    [(1, 0), (2, 1), (3, 20000), (4, 3000, 70000), (5, 400, 10, 200, 5 << 20)],
    ids=["empty", "one", "batches", "types", "large"],
)
def test_reader_and_oracle_agree(tmp_path: Path, args: tuple[int, ...]) -> None:
    path = write(tmp_path / "x.pydump", *args)
    dump = decode.read(path)
    assert len(dump["objects"]) == args[1]
    assert read(path) == [line(o) for o in dump["objects"]]
    assert dump["index"] == {o["addr"]: o["frame"] for o in dump["objects"]}
    assert dump["numbers"][0] == "header" and dump["numbers"][-2:] == ["toc", "end"]


def test_frames_are_as_the_format_says(sample: Path) -> None:
    data = sample.read_bytes()
    dump = decode.read(sample)
    toc = dump["toc"][0]["frames"]
    assert [entry[3] for entry in toc] == dump["numbers"][:-2]
    end = 0
    for offset, compressed, raw, kind, *extra in toc:
        assert offset == end
        end = offset + compressed
        parameters = zstandard.get_frame_parameters(data[offset:end])
        assert parameters.content_size == raw and parameters.has_checksum
        assert raw <= 1 << 20
        content = zstandard.ZstdDecompressor().decompress(data[offset:end])
        frame = msgpack.unpackb(content, unicode_errors="surrogateescape")
        assert next(iter(frame)) == "kind" and frame["kind"] == kind
        if kind == "objects":
            assert extra == [frame["n"]]
        elif kind == "index":
            assert extra == [frame["lo"], frame["hi"]]
    assert dump["end"][0]["toc"] == end
    assert dump["header"][0]["magic"] == "pydump"
    documented = (harness.TOP / "doc" / "FORMAT.md").read_text()
    for name, encoding in dump["header"][0]["columns"].items():
        kind, *steps = encoding.split()
        assert f"| {name} | {kind} | {' '.join(steps)} |" in documented


def test_seekable_table(sample: Path) -> None:
    data = sample.read_bytes()
    assert data[-4:] == bytes.fromhex("b1ea928f") and data[-5] == 0
    n = int.from_bytes(data[-9:-5], "little")
    table = data[-9 - 8 * n - 8 :]
    assert table[:4] == bytes.fromhex("5e2a4d18")
    assert int.from_bytes(table[4:8], "little") == len(table) - 8
    sizes = [int.from_bytes(table[i : i + 4], "little") for i in range(8, 8 + 8 * n, 8)]
    assert sum(sizes) == len(data) - len(table)
    assert n == len(decode.read(sample)["numbers"])


def test_cut_anywhere_serves_what_is_whole(sample: Path, tmp_path: Path) -> None:
    data = sample.read_bytes()
    whole = [line(o) for o in decode.read(sample)["objects"]]
    frames = decode.read(sample)["toc"][0]["frames"]
    dice = random.Random(5)
    cuts = [dice.randrange(frames[0][1], len(data)) for _ in range(40)]
    for cut in [*cuts, len(data) - 1, frames[-1][0]]:
        path = tmp_path / "cut.pydump"
        path.write_bytes(data[:cut])
        expected = sum(f[4] for f in frames if f[3] == "objects" and f[0] + f[1] <= cut)
        assert read(path) == whole[:expected]
        shown = harness.pydumpd("show", path, "--no-locals")
        assert shown.returncode == 0, shown.stderr
        peeked = harness.pydumpd("peek", path)
        assert peeked.returncode == 0 and f"{expected} objects" in peeked.stdout
        # What follows the end frame is a convenience.
        if cut < frames[-1][0] + frames[-1][1]:
            assert "cut short at byte" in peeked.stdout
            assert "incomplete: cut short" in shown.stdout


def test_damage_is_told_and_stays_local(sample: Path) -> None:
    frames = decode.read(sample)["toc"][0]["frames"]
    offset, size, *_ = next(f for f in frames if f[3] == "objects")
    path = damaged(sample, offset + size // 2, "damaged.pydump")
    done = subprocess.run([TOOL, "read", str(path)], capture_output=True, text=True)
    assert done.returncode == 1 and f"damaged at byte {offset}" in done.stderr
    shown = harness.pydumpd("show", path)
    assert shown.returncode == 0
    assert "the dump is damaged" in shown.stdout


def test_damaged_tail_is_found_by_hopping(sample: Path) -> None:
    size = sample.stat().st_size
    whole = read(sample)
    for back in (3, 12, 30):
        assert read(damaged(sample, size - back, f"tail{back}.pydump")) == whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 something else", "is not a dump"),
        (b"\x7fELF and so on", "'pydumpd core FILE'"),
        (b"\x1f\x8b and so on", "gzip"),
        (zstandard.ZstdCompressor().compress(b"hello"), "no readable header"),
        (zstandard.ZstdCompressor().compress(msgpack.packb({"kind": "header"})), "magic"),
    ],
    ids=["empty", "zip", "elf", "gzip", "zstd", "other"],
)
def test_what_is_no_dump(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.pydump"
    path.write_bytes(content)
    for command in ("show", "peek"):
        done = harness.pydumpd(command, path)
        assert done.returncode == 1 and done.stdout == ""
        assert said in done.stderr and done.stderr.count("\n") == 1


def test_newer_format_is_refused_with_the_cure(tmp_path: Path) -> None:
    header = {"kind": "header", "magic": "pydump", "format": 9, "oldest_reader": 8}
    path = tmp_path / "x.pydump"
    path.write_bytes(zstandard.ZstdCompressor().compress(msgpack.packb(header)))
    for command in ("show", "peek"):
        done = harness.pydumpd(command, path)
        assert done.returncode == 1 and "needs a newer pydumpd" in done.stderr


def test_unknown_keys_and_frames_are_ignored(sample: Path, tmp_path: Path) -> None:
    data = sample.read_bytes()
    toc = decode.read(sample)["toc"][0]["frames"]
    end, last = toc[0][1], sum(toc[-1][:2])
    header = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(data[:end]))
    new = {**header, "format": 2, "hologram": [1, {"a": None}]}
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    path = tmp_path / "newer.pydump"
    path.write_bytes(
        compressor.compress(msgpack.packb(new))
        + data[end:last]
        + compressor.compress(msgpack.packb({"kind": "hologram", "of": 1}))
        + data[last:]
    )
    assert read(path) == read(sample)


def test_a_bomb_is_not_unpacked(tmp_path: Path, sample: Path) -> None:
    """A few hundred bytes that claim a gigabyte cost no gigabyte."""
    data = sample.read_bytes()
    end = decode.read(sample)["toc"][0]["frames"][0][1]
    # A frame header with a content size of 2**30 and one empty last block.
    bomb = bytes.fromhex("28b52ffda0") + (1 << 30).to_bytes(4, "little") + b"\x01\x00\x00"
    path = tmp_path / "bomb.pydump"
    path.write_bytes(data[:end] + bomb)
    before = time.monotonic()
    done = harness.pydumpd("show", path)
    assert done.returncode == 0 and time.monotonic() - before < 60
    assert "damaged at byte" in done.stdout


def test_usage_and_missing_files(tmp_path: Path) -> None:
    for command in ("show", "peek"):
        assert harness.pydumpd(command).returncode == 2
        assert harness.pydumpd(command, "--no-such-option").returncode == 2
        done = harness.pydumpd(command, tmp_path / "none.pydump")
        assert done.returncode == 1 and "No such file" in done.stderr
    assert harness.pydumpd("show", tmp_path).returncode == 1
    done = harness.pydumpd("peek", tmp_path)
    assert done.returncode == 0 and "no dumps" in done.stderr


def test_nothing_of_the_dump_reaches_the_terminal(sample: Path) -> None:
    """The sample's names hold escape sequences and bytes that are no text."""
    for args in (["show", sample], ["show", "--json", sample], ["peek", sample]):
        done = subprocess.run(
            [str(harness.PYDUMPD), *map(str, args)], capture_output=True, check=True
        )
        text = done.stdout.decode("utf-8")  # strictly
        assert not [c for c in text if ord(c) < 32 and c != "\n" or 0x7F <= ord(c) < 0xA0]
        assert "[31m" in text or args[0] == "peek"


def test_show_json(sample: Path) -> None:
    shown = json.loads(harness.pydumpd("show", "--json", "--thread", "1", sample).stdout)
    assert shown["complete"] is True and shown["objects"] == 30000
    assert shown["header"]["process"]["pid"] == 42
    (thread,) = shown["threads"]
    assert thread["index"] == 1 and len(thread["frames"]) == 3
    by_address = {o["addr"]: o for o in decode.read(sample)["objects"]}
    for frame in thread["frames"]:
        assert frame["line"] == frame["number"] + 1
        assert len(frame["vars"]) == 8 and frame["stack"][0]["repr"] == "1"
        for variable in frame["vars"]:
            o = by_address.get(variable["address"])
            if o and o["kind"] == 3 and not o["mark"]:
                value = int.from_bytes(o["value"], "little", signed=True)
                assert str(value) in variable["repr"]


def test_part_of_a_killed_dumper_opens(tmp_path: Path) -> None:
    """What the writer left when it was killed is a dump that was cut short."""
    for wait in (0.05, 0.2, 0.4):
        writer = subprocess.Popen([TOOL, "write", str(tmp_path / "big.pydump"), "1", "3000000"])
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert not (tmp_path / "big.pydump").exists()
        for part in tmp_path.iterdir():
            assert part.name.startswith(".big.pydump.") and part.suffix == ".part"
            assert part.stat().st_mode & 0o777 == 0o600
            if part.stat().st_size > 1 << 16:
                expected = decode.read(part)["objects"]
                assert read(part) == [line(o) for o in expected]
            os.unlink(part)


def test_a_live_dump(sleeper: harness.Target, tmp_path: Path) -> None:
    """All of it by both decoders, and what show makes of it."""
    path = tmp_path / "live.pydump"
    harness.attach(sleeper, path)
    dump = decode.read(path)
    lines = [line(o) for o in dump["objects"]]
    assert len(lines) > 1000 and read(path) == lines
    assert len({o["addr"] for o in dump["objects"]}) == len(lines)
    shown = harness.pydumpd("show", path).stdout
    assert "value = {'a': [1]}" in shown
    peeked = harness.pydumpd("peek", path).stdout
    assert f"pid {sleeper.pid}" in peeked and f"{len(lines)} objects" in peeked
    assert peeked.rstrip().endswith("complete")
