# SPDX-License-Identifier: Apache-2.0
"""C types whose contents readers follow chains for, as an independent decoder of
the file sees them: against what the target says is in them."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

from harness import TOP, attach, start_script
from interpreters import Interpreter

sys.path.insert(0, str(TOP / "tests" / "oracle"))
import decode  # noqa: E402


def text(value: bytes) -> str:
    return value.decode("utf-8", "surrogatepass")


def numbers(value: bytes) -> list[int]:
    return [number for (number,) in struct.iter_unpack("<q", value)]


def field(entry: list[Any]) -> tuple[str, Any]:
    """What expectations call the field's kind, and its value as they have it."""
    origin, _, value, *tail = entry
    signed = value - (1 << 64) if value >> 63 else value
    if origin == 10:
        return "text", text(tail[0])
    if origin == 11:
        return "bytes", tail[0].hex()
    if origin == 12:
        return "ints", numbers(tail[0])
    return {
        5: ("ref", value),
        6: ("int", signed),
        7: ("int", value),
        8: ("float", struct.unpack("<d", struct.pack("<Q", value))[0]),
        9: ("bool", bool(value)),
        13: ("address", value),
    }.get(origin, ("other", value))


def differences(told: dict[str, Any], entry: dict[str, Any] | None) -> list[str]:
    """What of one object is not as the target told it."""
    if entry is None:
        return ["not in the dump"]
    fields: dict[str, list[tuple[str, Any]]] = {}
    for attr in entry["attrs"]:
        # Members that the type itself tells of may be described too.
        if attr[0] < 5:
            continue
        fields.setdefault(attr[1], []).append(field(attr))
    out = [f"{name} is there {len(f)} times" for name, f in fields.items() if len(f) > 1]
    for what, expected in told.items():
        kind, _, name = what.partition(" ")
        if kind == "mark":
            got: Any = (entry["mark"] or {}).get("mark")
        elif kind == "items":
            got = entry["refs"]
        elif kind == "pairs":
            flat = entry["refs"]
            got = [list(pair) for pair in zip(flat[::2], flat[1::2])]
        elif kind == "none":
            got = fields.get(name)
        else:
            got = dict(fields.get(name, [])).get(kind, f"only {fields.get(name)}")
        if got != expected:
            out.append(f"{what}: {got!r:.200}, not {expected!r:.200}")
    if "mark" not in told and entry["mark"]:
        out.append(f"marked: {entry['mark']}")
    return out


def test_records(interpreter: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "records.pydump"
    with start_script(interpreter, "records.py") as target:
        truth = target.json()
        attach(target, path)
        assert target.unharmed()
        target.close_input()
        assert target.wait() == 0
    objects = {entry["addr"]: entry for entry in decode.read(path)["objects"]}
    wrong = [
        f"{name}: {line}"
        for name, address, told in truth
        for line in differences(told, objects.get(address))
    ]
    assert len(truth) > 100
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:40])
