# SPDX-License-Identifier: Apache-2.0
"""Holds secrets in all the places that a program has for them.

planted.py SEED --password VALUE --api-key=VALUE: prints a JSON object with the
"secrets" that it made or was given, by place, and "innocent" values; then waits
for its standard input to end. Python 3.7 to 3.15.
"""

from __future__ import annotations

import array
import asyncio
import base64
import collections
import contextlib
import functools
import io
import json
import os
import queue
import random
import string
import subprocess
import sys
import threading
import types

SECRETS = {}
RANDOM = random.Random(int(sys.argv[1]))
LETTERS = string.ascii_letters + string.digits
#: In the source alone, and in the constants of its code.
LITERALS = [
    "lit-module-0a91fk", "lit-call-7d23mq", "lit-dict-5e18xw", "lit-default-3c77zp",
    "lit-never-called-9b42", "lit-annotated-6f05", "lit-joined-one-28", "lit-joined-two-41",
    "lit-attribute-77a1", "lit-comment-4d4d9", "lit-exec-81c2d3", "lit-exec-call-5b6a",
    "lit-compare-33e7f", "lit-environ-c0ffee1", "lit-tuple-d00d11",
]  # fmt: skip

password_of_module = "lit-module-0a91fk"
SETTINGS = {"user": "lit", "secret_key": "lit-dict-5e18xw"}
joined_password = (
    "lit-joined-one-28"  # they stay two
    "lit-joined-two-41"
)
api_token: str = "lit-annotated-6f05"
# the old one was: password = "lit-comment-4d4d9"
os.environ["LATE_PASSWORD"] = "lit-environ-c0ffee1"
PAIRS = [("user", "bob"), ("password", "lit-tuple-d00d11")]


UNSEEN = {}
# A text that is gone by the time of the dump: its constants are not.
exec(
    "def unseen(c):\n    c.password = %r + c.x(secret_key=%r)\n"
    % tuple("unseen-%d-%s" % (i, sys.argv[1] + "f00d") for i in (71, 72)),
    globals(),
    UNSEEN,
)


def never_called(connection):
    """Its constants are in the dump all the same."""
    secret = "lit-never-called-9b42"
    connection.password = "lit-attribute-77a1"
    if connection.passwd == "lit-compare-33e7f":
        return None
    return connect("db.example", password="lit-call-7d23mq") or secret


class SessionCookieJar:
    """Annotations are text here, as their evaluation is postponed: types."""

    session_token: BearerToken | None  # noqa: F821
    cookies: dict[str, SessionCookieJar]


def login(user, password: PlainSecret | bytes, cookies: SessionCookieJar | None = None):  # noqa: F821
    return None


def one_argument(password: PlainSecret | None):  # noqa: F821
    return None


def connect(host, user="bob", password="lit-default-3c77zp", **options):
    return None


MADE = {}
exec(
    "def made():\n    password = 'lit-exec-81c2d3'\n"
    "    return connect(password='lit-exec-call-5b6a') or password\n",
    globals(),
    MADE,
)


def new(place, n=14, alphabet=LETTERS, form="%s", mark="7q"):
    """A secret that is in no source: the mark makes it no plain word."""
    text = form % (mark + "".join(RANDOM.choice(alphabet) for _ in range(n - len(mark))))
    SECRETS[place] = text
    return text


def hidden(place, **options):
    """The same, as two objects: it is found by its content."""
    text = new(place, **options)
    return text, (text + " ")[:-1]


class Account:
    secret_key = new("class attribute")

    def __init__(self):
        self.password = new("attribute")
        self.apiKey = new("camel case attribute")
        self.user = "alice"
        self._auth_token = new("private attribute")


class Slots:
    __slots__ = ("passwd", "user")

    def __init__(self):
        self.passwd = new("slot")
        self.user = "carol"


class WithDict(dict):
    pass


class LoginError(Exception):
    def __init__(self, message, credentials):
        super().__init__(message)
        self.credentials = credentials


Pair = collections.namedtuple("Pair", "user token")

KEYS = [
    "password", "PASSWORD", "db_password", "userPassword", "api_key", "apiKey", "X-Api-Key",
    "secret", "client_secret", "token", "access_token", "refreshToken", "authorization",
    "Authorization", "cookie", "Set-Cookie", "private_key", "credentials", "passphrase",
    "session_id", "SESSIONID", "aws_secret_access_key", "signing_key", "X-Auth-Token", "csrftoken",
    "password_hash", "passwd", "pwd", "oauth-token", "old password",
]  # fmt: skip


def patterns():
    """What is a secret by itself, under names that tell nothing."""
    hexes = string.digits + "abcdef"
    segment = base64.urlsafe_b64encode
    out = [
        new("openai", 40, form="sk-%s"),
        new("openai project", 48, form="sk-proj-%s"),
        new("github", 36, form="ghp_%s"),
        new("github oauth", 36, form="gho_%s"),
        new("github pat", 60, LETTERS + "_", form="github_pat_%s"),
        new("gitlab", 20, form="glpat-%s"),
        new("slack bot", 40, form="xoxb-%s"),
        new("slack user", 40, form="xoxp-%s"),
        new("aws id", 16, string.ascii_uppercase + string.digits, form="AKIA%s", mark="7Q"),
        new("aws key", 40, LETTERS + "/+"),
        new("google", 35, form="AIza%s"),
        new("stripe", 24, form="sk_live_%s"),
        new("npm", 36, form="npm_%s"),
        new("pypi", 60, form="pypi-%s"),
        new("huggingface", 34, form="hf_%s"),
        new("random 24", 24),
        new("random 32", 32),
        new("random 64", 64),
        new("random base64", 43, LETTERS + "-_"),
        new("random base32", 32, string.ascii_lowercase + string.digits),
    ]
    head = segment(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = segment(json.dumps({"sub": new("jwt", 20)}).encode()).decode().rstrip("=")
    SECRETS["jwt"] = body
    out.append("%s.%s.%s" % (head, body, new("jwt signature", 43)))
    bearer = new("bearer", 30)
    out += ["Bearer " + bearer, "the header was Authorization: Bearer %s, and failed" % bearer]
    basic = base64.b64encode(("bob:" + new("basic inner", 12)).encode()).decode()
    SECRETS["basic"] = basic
    out.append("Basic " + basic)
    key = "\n".join(new("pem %d" % i, 64, LETTERS + "+/") for i in range(6))
    out.append("-----BEGIN RSA PRIVATE KEY-----\n%s\n-----END RSA PRIVATE KEY-----\n" % key)
    out.append("postgres://bob:%s@db.example:5432/app" % new("url"))
    out.append("redis://:%s@cache.example/0" % new("url without user"))
    out.append(b"https://bob:" + new("url bytes").encode() + b"@example.org/x")
    out.append("connect to db.example with password=%s now" % new("assignment"))
    out.append('{"name": "x", "api_key": "%s"}' % new("json text"))
    out.append("curl -H 'X-Api-Key: %s' https://example.org" % new("header text"))
    out.append("mysql --password %s -h db.example" % new("option text"))
    out.append("Set-Cookie: sid=%s; Path=/" % new("cookie text"))
    out.append("https://example.org/cb?access_token=%s&x=1" % new("query text"))
    out.append("<user><password>%s</password></user>" % new("xml text"))
    out.append("[db]\nuser = bob\npassword = %s\n" % new("ini text"))
    out.append("$2b$12$" + new("bcrypt", 53, LETTERS))
    out.append({new("key of a dict", 36, form="ghp_%s"): "bob"})
    out.append(bytearray(new("bytearray token", 36, form="ghp_%s").encode()))
    del hexes
    return out


def by_name():
    """Dicts, headers, containers."""
    under = {key: new("key " + key) for key in KEYS}
    raw = {key.encode(): new("bytes key " + key).encode() for key in KEYS[:20]}
    headers = [("Host", "example.org"), ("Authorization", new("header pair", 12))]
    asgi = [(b"host", b"example.org"), (b"cookie", new("asgi pair", 12).encode())]
    nested = {
        "service": {"passwords": [new("nested %d" % i) for i in range(5)]},
        "secrets": {"a": {"b": (new("nested tuple"), {new("nested set")})}},
        "cookies": {"sid": new("cookie jar"), "theme": new("cookie jar 2")},
    }
    weird = {
        "password": "pass w\u00f6rd " + new("non-ascii", 8, form="\u00fc%s\u20ac"),
        "secret": new("spaces", 20, string.ascii_lowercase + " "),
        "token": bytearray(new("bytearray").encode()),
        "api_key": memoryview(new("memoryview").encode()),
        "tokens": collections.deque([new("deque")]),
        "private_key": io.BytesIO(new("BytesIO").encode()),
        "credentials": io.StringIO(new("StringIO")),
        "client_secret": array.array("b", new("array").encode()),
    }
    return under, raw, headers, asgi, nested, weird


def by_content():
    """The same secret by an innocent way, met before or after its name."""
    out = []
    for i in range(40):
        text, copy = hidden("content %d" % i)
        holder = {"password": copy} if i % 2 else types.SimpleNamespace(api_token=copy)
        out.append([text, "it was %s, said the log" % text, text.encode(), holder])
    text, copy = hidden("in buffers")
    buffers = [
        io.StringIO("x " + text),
        io.BytesIO(b"y " + text.encode()),
        bytearray(text, "ascii"),
    ]
    out.append([buffers, {"password": copy}])
    try:
        raise LoginError("%s was refused" % new("exception message"), None)
    except LoginError as e:
        e.credentials = (
            "bob",
            SECRETS["exception message"][:-1] + SECRETS["exception message"][-1],
        )
        out.append(e)
    named = types.SimpleNamespace()
    setattr(named, new("attribute name", 36, form="ghp_%s"), 1)
    out.append(named)
    return out


def functions():
    """Closures, defaults, generators, coroutines, partials."""
    password = new("closure")

    def use():
        return password

    def positional(user, token=new("positional default", 20)):
        return token

    def keyword(*, api_key=new("keyword default")):
        return api_key

    def generate(secret):
        local_password = new("generator local")
        yield 1
        return secret, local_password

    async def talk():
        session_token = new("coroutine local", 20)
        await asyncio.sleep(3600)
        return session_token

    generator = generate(new("generator argument"))
    next(generator)
    coroutine = talk()
    with contextlib.suppress(BaseException):
        coroutine.send(None)
    part = functools.partial(connect, "db.example", password=new("partial"))
    return use, positional, keyword, generator, coroutine, part


def in_thread(secret, ready, **options):
    passphrase = new("local of a thread")
    ready.put(1)
    threading.Event().wait()
    return passphrase, options


INNOCENT = {
    "path": "/usr/lib/python3.11/site-packages/django/contrib/auth/hashers.py",
    "sha1": "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "camel": "AbstractSingletonProxyFactoryBean",
    "snake": "test_password_validator_is_called_with_user",
    "url": "https://example.org/articles/2024/05/how-to-choose-a-password?page=2#top",
    "sentence": "Please enter your password: it must have 12 characters.",
    "tokenizer": "tokenizer", "secretary": "secretary",
    "time": "2024-05-01T12:34:56.789012+00:00",
    "sql": "SELECT id, name FROM users WHERE password_set = 1 ORDER BY created_at DESC",
    "annotation": "PlainSecret | bytes", "another": "SessionCookieJar | None",
    "one": "PlainSecret | None", "of class": "BearerToken | None",
    "wheel": "numpy-1.26.4-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
}  # fmt: skip


def main():
    given = sys.argv[3]
    SECRETS["argument"] = given
    SECRETS["argument with ="] = sys.argv[4].partition("=")[2]
    for name in ("DB_PASSWORD", "PLANTED_TOKEN", "PLANTED_MODE", "DATABASE_URL"):
        value = os.environ[name]
        SECRETS["environment " + name] = value.rpartition("@")[0].rpartition(":")[2] or value
    for i in (71, 72):
        SECRETS["constant without a source %d" % i] = "unseen-%d-%s" % (i, sys.argv[1] + "f00d")
    for i, text in enumerate(LITERALS):
        SECRETS["literal %d" % i] = text
    del LITERALS[:]
    account, slots, pair = Account(), Slots(), Pair("dave", new("namedtuple", 20))
    subclass = WithDict(password=new("dict subclass"))
    subclass.token = new("attribute of a dict subclass", 20)
    innocent_count = {"token_count": 7, "password_length": "twelve", "secretary": "eve"}
    names, contents, found, made = by_name(), by_content(), patterns(), functions()
    environment = dict(os.environ)
    child = subprocess.Popen.__new__(subprocess.Popen)
    child.args = ["mysql", "--password", new("arguments of a child"), "-h", "db.example"]
    child.returncode, child._child_created = 0, False
    ready = queue.Queue()
    text, copy = hidden("name of a thread")
    keep = {"password": copy}
    for n in range(3):
        threading.Thread(
            target=in_thread,
            name="worker %d of %s" % (n, text if n == 0 else "pool"),
            args=(new("thread argument %d" % n), ready),
            kwargs={"token": new("thread keyword %d" % n, 20)},
            daemon=True,
        ).start()
        ready.get()
    password, token = new("local"), new("local token", 20)
    del text, copy, given
    print(json.dumps({"secrets": dict(SECRETS), "innocent": INNOCENT}), flush=True)
    SECRETS.clear()
    try:
        raise KeyError("no such user: %s" % password)
    except KeyError:
        sys.stdin.read()
    print("bye", flush=True)
    return (account, slots, pair, subclass, names, contents, found, made, environment, keep, token,
            innocent_count, child, SessionCookieJar, login, one_argument)  # fmt: skip


if __name__ == "__main__":
    main()
