# SPDX-License-Identifier: Apache-2.0
"""A corpus of strings that are no secrets, by kind: what programs hold."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import random
import re
import sys
import sysconfig
import uuid
import zlib
from pathlib import Path


def library() -> list[Path]:
    """Sources of the standard library, in a fixed order."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(folder.glob("*.py")) + sorted(folder.glob("*/*.py"))
    return [f for f in files if "site-packages" not in f.parts and "test" not in f.parts][:400]


def from_sources() -> dict[str, list[str]]:
    """Identifiers, docstrings and literals, lines and names of modules."""
    names: set[str] = set()
    docs: list[str] = []
    texts: set[str] = set()
    lines: list[str] = []
    for file in library():
        source = file.read_text(errors="replace")
        names.update(re.findall(r"[A-Za-z_][A-Za-z_0-9]{3,}", source))
        lines += source.splitlines()[::25]
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                docs.append(ast.get_docstring(node) or "")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return {
        "identifiers": sorted(names)[:: max(1, len(names) // 4000)],
        "docstrings": [d for d in docs if d][:1500],
        "literals": sorted(texts)[:: max(1, len(texts) // 3000)],
        "lines": [x for x in lines if x.strip()][:2000],
        "modules": sorted(sys.builtin_module_names) + [f.stem for f in library()],
        "paths": [str(f) for f in library()]
        + [str(f.with_suffix(".cpython-311.pyc")) for f in library()],
    }


def made(rnd: random.Random) -> dict[str, list[str]]:
    """Kinds that have a form."""

    def hexes(n: int) -> str:
        return "%0*x" % (n, rnd.getrandbits(4 * n))

    def word() -> str:
        return rnd.choice(WORDS)

    digest = [hashlib.new(h, hexes(8).encode()) for h in ("md5", "sha1", "sha256", "sha512")] * 50
    date = "%04d-%02d-%02d"
    pixel = b"\x89PNG\r\n\x1a\n" + zlib.compress(bytes(range(256)) * 40)

    def day() -> str:
        return date % (rnd.randrange(1990, 2030), rnd.randrange(1, 13), rnd.randrange(1, 29))

    return {
        "digests": [d.hexdigest() for d in digest] + ["sha256:" + hexes(64) for _ in range(50)],
        "integrity": [
            "%s-%s" % (d.name, base64.b64encode(d.digest()).decode()) for d in digest[2:80:4]
        ],
        "records": [
            "%s/%s.py,sha256=%s,%d"
            % (
                word(),
                word(),
                base64.urlsafe_b64encode(hashlib.sha256(hexes(8).encode()).digest())
                .decode()
                .rstrip("="),
                rnd.randrange(9999),
            )
            for _ in range(150)
        ],
        "uuids": [str(uuid.UUID(int=rnd.getrandbits(128))) for _ in range(300)],
        "hex": [hexes(rnd.choice([8, 12, 16, 24, 32, 40])) for _ in range(300)],
        "numbers": [str(rnd.getrandbits(rnd.choice([16, 32, 64, 128]))) for _ in range(300)],
        "dates": [day() for _ in range(200)]
        + ["%sT%02d:00:00.%06d+00:00" % (day(), i % 24, i) for i in range(200)],
        "versions": [
            "%d.%d.%d%s" % (i % 9, i % 23, i % 7, rnd.choice(["", "rc1", ".post2", "-beta.3"]))
            for i in range(200)
        ],
        "urls": [
            "https://www.%s.example/%s/%s-%s-%s/%d?page=%d&q=%s#%s"
            % (word(), word(), word(), word(), word(), i, i, word(), word())
            for i in range(500)
        ],
        "emails": ["%s.%s@%s.example" % (word(), word(), word()) for _ in range(200)],
        "sentences": [
            " ".join(word() for _ in range(rnd.randrange(4, 20))).capitalize() + "."
            for _ in range(1000)
        ],
        "sql": [
            "SELECT %s, %s FROM %s WHERE %s = %%s AND created > '%s' ORDER BY %s"
            % (word(), word(), word(), word(), day(), word())
            for _ in range(300)
        ],
        "json": [
            json.dumps({word(): word(), word(): i, "id": str(uuid.UUID(int=i)), "on": True})
            for i in range(300)
        ],
        "html": [
            '<div class="%s-%s"><a href="/%s/%d" id="%s">%s</a></div>'
            % (word(), word(), word(), i, word(), word())
            for i in range(300)
        ],
        "images": [
            "data:image/png;base64," + base64.b64encode(pixel + bytes([i])).decode()
            for i in range(20)
        ],
        "wheels": [
            "%s_%s-%d.%d.%d-cp3%d-cp3%d-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
            % (word(), word(), i % 5, i % 9, i % 4, i % 15, i % 15)
            for i in range(200)
        ],
        "logs": [
            "%s 12:%02d:%02d,%03d INFO %s.%s: %s %s %s took %d ms (id=%s)"
            % (day(), i % 60, i % 59, i, word(), word(), word(), word(), word(), i, hexes(8))
            for i in range(500)
        ],
        "camel": [
            "".join(word().capitalize() for _ in range(rnd.randrange(3, 7))) for _ in range(500)
        ],
        "kebab": ["-".join(word() for _ in range(rnd.randrange(3, 7))) for _ in range(300)],
        "constants": [
            "_".join(word().upper() for _ in range(rnd.randrange(3, 6))) for _ in range(300)
        ],
        "containers": ["%s-%s-%s-%s" % (word(), word(), hexes(10), hexes(5)) for _ in range(200)],
        "headers": [
            "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0" % (i, i)
            for i in range(60, 140)
        ],
        "mentions": ABOUT,
    }


def corpus(seed: int) -> dict[str, list[str]]:
    """Kind -> strings; more than 10,000 together, each once."""
    seen: set[str] = set()
    out = {}
    for kind, texts in {**from_sources(), **made(random.Random(seed))}.items():
        out[kind] = [t for t in dict.fromkeys(texts) if t not in seen]
        seen.update(out[kind])
    return out


ABOUT = [
    "password", "Password:", "Enter your password", "The password must have 8 characters",
    "token", "tokens", "tokenizer", "token_count", "secretary", "api_key is required",
    "authorization", "Invalid token: unexpected end of input", "password: the user's password",
    "secret = get_secret(name)", "password=None", "password: Optional[str] = None",
    "Bearer authentication", "basic authentication", "Basic usage of the module",
    "https://example.org/password/reset/done/", "http://localhost:8080/token",
    "key: value", "session: closed", "cookie", "Set-Cookie", "private key", "public_key",
    "-----BEGIN CERTIFICATE-----", "ssh-rsa", "pass", "compass", "bypass", "passenger", "passport",
    "reset_password_confirm", "change_password", "has_usable_password", "password_validators",
    "django.contrib.auth.password_validation.MinimumLengthValidator",
]  # fmt: skip

WORDS = """
    account active address admin after agent archive area article author balance basket before
    billing board book border branch bridge browser budget buffer build button cache calendar
    camera cancel card category center change channel chapter city client cloud color column
    comment company config contact content context control corner country course create current
    customer daily data date default delete delivery department design detail device digital
    discount display document domain download driver during dynamic early edit element email
    empty engine entry error event every example export field filter final finance first folder
    follow footer form forward frame front future garden gateway general global graph green
    group guest header health height history hotel house image import index insert invoice item
    journal keyboard label language large later layout letter level library light limit link
    list local location logger longer machine mail market member memory menu message method
    middle mobile model module money month mountain music native network news night normal
    notice number object office online open option order origin output owner package page paper
    parent partner party path pattern payment people period person phone photo picture place
    plan platform player point policy position price print private process product profile
    program project property public quality query question queue quick random range rate reader
    record region release remote report request result review river road round route sales
    sample school screen script search season section select sender series server service
    session setting shape share short signal simple single small social source space special
    speed sport stage standard start state station status stock storage store street student
    style subject summer support switch system table target task team template text thread
    ticket time title total traffic train transfer travel tree trial turn type under update
    upload user value vendor version video view village visit visitor volume water weather
    website week weight width window winter word worker world yellow young zone
""".split()

if __name__ == "__main__":
    json.dump(corpus(1), sys.stdout)
