# SPDX-License-Identifier: Apache-2.0
"""The list of open files, against what the program knows of them."""

from __future__ import annotations

from pathlib import Path

import harness
from harness import attach, start_code
from interpreters import Interpreter

OPEN = """
import json, os, socket, sys
server = socket.create_server(("127.0.0.1", 0)) if hasattr(socket, "create_server") else None
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
datagram = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
datagram.bind(("::1", 0))
pair = socket.socketpair()
path = sys.argv[1]
named = socket.socket(socket.AF_UNIX)
named.bind(path + ".sock")
file = open(path, "w+b")
file.write(b"x" * 100)
file.flush()
file.seek(42)
os.lseek(file.fileno(), 42, 0)
print(json.dumps({
    "server": [server.fileno(), server.getsockname()],
    "client": [client.fileno(), client.getsockname(), client.getpeername()],
    "accepted": [accepted.fileno()],
    "datagram": [datagram.fileno(), datagram.getsockname()[:2]],
    "named": named.fileno(),
    "pair": pair[0].fileno(),
    "file": file.fileno(),
    "open": sorted(int(x) for x in os.listdir("/proc/self/fd"))[:-1],
}), flush=True)
sys.stdin.read()
"""


def text(address: list[object]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def test_open_files(one: Interpreter, tmp_path: Path) -> None:
    with start_code(one, OPEN, str(tmp_path / "f")) as target:
        told = target.json()
        attach(target, tmp_path / "d")
    fds = harness.open_dump(tmp_path / "d").fds
    assert set(told["open"]) <= set(fds)
    file = fds[told["file"]]
    assert file.target == str(tmp_path / "f") and file.pos == 42
    assert file.flags is not None and file.flags & 3 == 2 and file.family is None

    server = fds[told["server"][0]]
    assert server.target.startswith("socket:[")
    assert (server.family, server.type, server.state) == ("AF_INET", "SOCK_STREAM", "LISTEN")
    assert (server.local, server.peer) == (text(told["server"][1]), None)
    client = fds[told["client"][0]]
    assert client.state == "ESTABLISHED"
    assert (client.local, client.peer) == (text(told["client"][1]), text(told["client"][2]))
    accepted = fds[told["accepted"][0]]
    assert (accepted.local, accepted.peer) == (client.peer, client.local)
    datagram = fds[told["datagram"][0]]
    assert (datagram.family, datagram.type) == ("AF_INET6", "SOCK_DGRAM")
    assert (datagram.local, datagram.peer) == (text(told["datagram"][1]), None)
    named = fds[told["named"]]
    assert (named.family, named.type) == ("AF_UNIX", "SOCK_STREAM")
    assert named.local == str(tmp_path / "f") + ".sock"
    assert (fds[told["pair"]].family, fds[told["pair"]].local) == ("AF_UNIX", None)
