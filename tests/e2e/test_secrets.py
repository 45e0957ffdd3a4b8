# SPDX-License-Identifier: Apache-2.0
"""Secrets stay out of dumps; what is none stays in."""

from __future__ import annotations

import json
import random
import re
import string
from pathlib import Path
from typing import Any

import pytest
from harness import (
    TARGETS,
    Target,
    attach,
    no_leftovers,
    open_dump,
    pydumpd,
    record,
    start_code,
    start_script,
)
from innocent import corpus
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
        jar = module["SessionCookieJar"]
        assert jar.__qualname__ == "SessionCookieJar"
        source = next(s.text for f, s in dump.sources.items() if f.endswith("planted.py"))
        original = (TARGETS / "planted.py").read_text()
        assert len(source) == len(original) and source.count("\n") == original.count("\n")
        assert 'password_of_module = "%s"' % ("*" * 17) in source
        compile(source, "planted.py", "exec")


HOLDER = """
import json, sys
corpus = json.load(open(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read()
"""


def test_innocent(one: Interpreter, tmp_path: Path) -> None:
    """Fewer than one of a hundred innocent strings is redacted."""
    kinds = corpus(1)
    texts = [text for kind in kinds.values() for text in kind]
    assert len(texts) >= 10000, len(texts)
    given, path = tmp_path / "corpus.json", tmp_path / "corpus.pydump"
    given.write_text(json.dumps(kinds))
    with start_code(one, HOLDER, str(given)) as target:
        assert target.line() == "ready"
        attach(target, path)
    lost: dict[str, list[str]] = {}
    with open_dump(path) as dump:
        held = dump.threads[0].frames[-1].locals["corpus"]
        for kind, expected in kinds.items():
            for text, value in zip(expected, held[kind]):
                if type(value) is str:
                    assert value == text
                else:
                    assert "redacted" in repr(value)
                    lost.setdefault(kind, []).append(f"{text[:200]!r} {value!r}"[:500])
    for kind, values in lost.items():
        print(kind, len(values), "of", len(kinds[kind]), *values[:8], sep="\n    ")
    share = sum(map(len, lost.values())) / len(texts)
    print(f"redacted: {share:.3%} of {len(texts)}")
    assert share < 0.01


def test_rules_of_a_file(sleeper: Target, tmp_path: Path) -> None:
    rules = tmp_path / "redact.conf"
    path = tmp_path / "ours.pydump"
    rules.write_text("# ours\nname value\npattern ours acme- acme-[0-9]+\noff env\n")
    attach(sleeper, path, "--redact", rules)
    header = record(path, "header")["redaction"]
    assert header["on"] and header["files"] == [str(rules)]
    by_id = {rule["id"]: rule for rule in header["rules"]}
    assert by_id["ours"]["pattern"] == "acme-[0-9]+" and "env" not in by_id
    off = tmp_path / "off.pydump"
    told = attach(sleeper, off, "--no-redact")
    assert "secrets stay in the dump" in told
    assert record(off, "header")["redaction"] == {"on": False}
    assert record(off, "end")["redacted"] == {}
    assert "secrets were not redacted" in pydumpd("show", off).stdout


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("name password\npattern x abc a(b\n", "2:18", "parenthesis"),
        ("pattern x ab ab+\n", "1:11", "three characters"),
        ("pattern x - a*\n", "1:13", "empty"),
        ("pattern github abc abc\n", "1:9", "taken"),
        ("# so far so good\n\n  nonsense 1\n", "3:3", "none of name"),
        ("off nothing-such\n", "1:5", "no rule"),
        ("allow [a-\n", "1:10", "character class"),
        ("name a/b\n", "1:6", "not a word"),
    ],
)
def test_bad_rules(sleeper: Target, tmp_path: Path, text: str, where: str, what: str) -> None:
    rules, out = tmp_path / "bad.conf", tmp_path / "out"
    rules.write_text(text)
    out.mkdir()
    done = pydumpd("attach", sleeper.pid, "--dir", out, "--redact", rules)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.startswith(f"pydumpd: {rules}:{where}: ") and what in done.stderr
    assert no_leftovers(out) and sleeper.unharmed()


def test_rules_that_are_not_there(sleeper: Target, tmp_path: Path) -> None:
    done = pydumpd("attach", sleeper.pid, "--dir", tmp_path, "--redact", tmp_path / "none.conf")
    assert done.returncode == 2 and f"cannot read rules {tmp_path}/none.conf: " in done.stderr
    done = pydumpd("attach", sleeper.pid, "--dir", tmp_path, "--redact", "x", "--no-redact")
    assert done.returncode == 2 and "not both" in done.stderr
    assert no_leftovers(tmp_path)


def test_limits_do_not_uncover(one: Interpreter, tmp_path: Path) -> None:
    """A secret that a limit cuts in two is known as one."""
    path = tmp_path / "cut.pydump"
    token = "ghp_" + "".join(
        random.Random(5).choice(string.ascii_letters + string.digits) for _ in range(36)
    )
    code = f"""
import sys
def hold(a):
    first = {token!r} * 1
    second = "text and then " + first + " and more" * 100
    third = bytearray(second.encode())
    print("ready", flush=True)
    sys.stdin.read()
hold(1)
"""
    with start_code(one, code) as target:
        assert target.line() == "ready"
        attach(target, path, "--max-string", "20", "--max-blob", "20")
    everything = raw(path)
    assert token[:6].encode() not in everything
    with open_dump(path) as dump:
        values = dump.threads[0].frames[0].locals
        assert len(values["second"]) == 14 + 40 + 900
        assert repr(values["second"]).startswith("'text and then ******'")


@pytest.mark.parametrize("limit", ["--depth=1", "--depth=3", "--max-objects=3000", "--no-globals"])
def test_names_beyond_a_limit(one: Interpreter, tmp_path: Path, limit: str) -> None:
    """What tells that a text is a secret may not be in the dump itself."""
    path = tmp_path / "small.pydump"
    told = plant(one, path, limit)
    assert not found(path, told["secrets"])


def test_names_far_beyond_a_limit(one: Interpreter, tmp_path: Path) -> None:
    """One holder of a text among many objects, in none of the first places; what it holds is a
    text of its own that is equal."""
    path = tmp_path / "far.pydump"
    secret = "far-7q-" + "xk2vq9"
    code = """
import sys

class Box:
    def __init__(self):
        self.label = "plain"

def wait():
    shown = "".join(["far-7q-", "xk2vq9"])
    boxes = [Box() for _ in range(400)]
    boxes[390].inner = {"password": "".join(["far-7q", "-xk2vq9"])}
    print("ready", flush=True)
    sys.stdin.readline()

wait()
"""
    with start_code(one, code) as target:
        assert target.line() == "ready"
        attach(target, path, "--depth=1", "--no-globals")
    everything = raw(path)
    assert secret.encode() not in everything
    with open_dump(path) as dump:
        frame = dump.threads[0].frames
        values = next(f for f in frame if f.name == "wait").locals
        assert len(values["boxes"]) == 400
        assert secret not in repr(values["shown"])
