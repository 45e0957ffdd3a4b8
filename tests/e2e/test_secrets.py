# SPDX-License-Identifier: Apache-2.0
"""Secrets stay out of dumps; what is none stays in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness import TARGETS, attach, open_dump, record, start_script
from interpreters import Interpreter

ARGV_PASSWORD = "arg-u7d61kz"
ARGV_KEY = "arg-key-92hx1"
ENVIRONMENT = {
    "DB_PASSWORD": "env-aa19-kdr",
    "PLANTED_TOKEN": "env-tok-5512-x",
    "PLANTED_MODE": "env-mode-production-7",
    "DATABASE_URL": "postgres://bob:env-url-pw-61@db.example/app",
}


def raw(path: Path) -> bytes:
    """All that the file holds, decompressed."""
    import zstandard

    data, out = path.read_bytes(), []
    while len(data) >= 8:
        if int.from_bytes(data[:4], "little") & 0xFFFFFFF0 == 0x184D2A50:
            data = data[8 + int.from_bytes(data[4:8], "little") :]
            continue
        one = zstandard.ZstdDecompressor().decompressobj()
        out.append(one.decompress(data))
        data = one.unused_data
    return b"".join(out)


def plant(interpreter: Interpreter, path: Path, *options: str, seed: int = 1) -> dict[str, Any]:
    """Dumps the target; gives what it said."""
    script = start_script(
        interpreter,
        "planted.py",
        str(seed),
        "--password",
        ARGV_PASSWORD,
        "--api-key=" + ARGV_KEY,
        env=ENVIRONMENT,
    )
    with script as target:
        told = target.json()
        attach(target, path, *options)
        target.close_input()
        assert target.line() == "bye"
    return told


def found(path: Path, secrets: dict[str, str]) -> dict[str, str]:
    everything = raw(path)
    out = {place: s for place, s in secrets.items() if s.encode() in everything}
    for code in ("utf-16-le", "utf-32-le"):
        if re.search(re.escape("7q".encode(code)), everything):
            out.update((place, s) for place, s in secrets.items() if s.encode(code) in everything)
    return out


def test_planted(interpreter: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "planted.pydump"
    told = plant(interpreter, path, seed=interpreter.hex & 0xFFFF)
    secrets, innocent = told["secrets"], told["innocent"]
    assert len(secrets) >= 200, len(secrets)
    assert not found(path, secrets)

    header, end = record(path, "header"), record(path, "end")
    assert header["redaction"]["on"] and not header["redaction"]["files"]
    assert {"name", "env", "random", "github", "pem"} <= {
        rule["id"] for rule in header["redaction"]["rules"]
    }
    assert end["redacted"]["name"] > 60 and end["redacted"]["env"] > 2
    assert end["redacted"]["url-password"] >= 3
    with open_dump(path) as dump:
        frame = next(f for f in dump.threads[0].frames if f.name == "main")
        values = frame.locals
        text = repr(values["password"])
        assert re.fullmatch(r"<redacted str, 14 characters, rule \S+, tag [0-9a-f]{8}>", text)
        assert len(values["password"]) == 14 and isinstance(values["password"], str)
        account = values["account"]
        assert account.user == "alice" and values["innocent_count"]["secretary"] == "eve"
        assert values["innocent_count"]["password_length"] == "twelve"
        assert account.password != values["password"] and account.password == account.password
        under, headers = values["names"][0], values["names"][2]
        assert len(under) == 30 and headers[0] == ("Host", "example.org")
        # Asterisks, and as many as there were characters.
        content = values["contents"][0]
        inside = re.fullmatch(r"'it was (\*+), said the log' <redacted: .*>", repr(content[1]))
        assert inside and len(inside[1]) == len(content[0]) == len(content[2])
        assert content[0] == content[3].api_token
        module = frame.globals
        for name, value in innocent.items():
            assert module["INNOCENT"][name] == value, name
        source = next(s.text for f, s in dump.sources.items() if f.endswith("planted.py"))
        original = (TARGETS / "planted.py").read_text()
        assert len(source) == len(original) and source.count("\n") == original.count("\n")
        assert 'password_of_module = "%s"' % ("*" * 17) in source
        compile(source, "planted.py", "exec")
