# SPDX-License-Identifier: Apache-2.0
"""Specimens: files, buffers, sockets, selectors, ssl, processes."""

import io
import os
import select
import selectors
import socket
import subprocess
import sys
import tempfile

FOLDER = tempfile.mkdtemp(prefix="pydumpd-cat-")


def path_of(name, content=b"line one\nline two\n"):
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        with open(path, "wb") as file:
            file.write(content)
    return path


def clean():
    """The files stay open; their names go."""
    for name in os.listdir(FOLDER):
        os.unlink(os.path.join(FOLDER, name))
    os.rmdir(FOLDER)


def opened(name, *args, closed=False, read=0, write=None, **options):
    made = open(path_of(name), *args, **options)
    if read:
        made.read(read)
    if write is not None:
        made.write(write)
    if closed:
        made.close()
    return made


def descriptor(name="fileno"):
    return ("x.fileno()", "x.fileno()", "x.fd")


def memory_files(c):
    g = c.group("io.StringIO", "x.getvalue()", "x.tell()", "x.closed")
    g.add("empty", io.StringIO)
    g.add("initial", lambda: io.StringIO("t\u20acxt\nmore"))

    def written():
        made = io.StringIO()
        made.write("one ")
        made.write("\U0001f40d two")
        return made

    def moved():
        made = io.StringIO("0123456789")
        made.seek(3)
        made.write("XY")
        return made

    def shrunk():
        made = io.StringIO("0123456789")
        made.truncate(4)
        return made

    def closed(cls, *args):
        made = cls(*args)
        made.close()
        return made

    g.add("written", written)
    g.add("overwritten", moved)
    g.add("truncated", shrunk)
    g.add("newlines", lambda: io.StringIO("a\r\nb", newline=""))
    c.group("io.StringIO", "x.closed").add("closed", lambda: closed(io.StringIO, "gone"))
    g = c.group("io.BytesIO", "x.getvalue()", "x.tell()", "x.closed")
    g.add("empty", io.BytesIO)
    g.add("initial", lambda: io.BytesIO(b"\x00\xff" * 10))

    def grown():
        made = io.BytesIO(b"abc")
        made.seek(0, 2)
        made.write(b"defg" * 100)
        made.seek(5)
        return made

    g.add("grown", grown)
    c.group("io.BytesIO", "x.closed").add("closed", lambda: closed(io.BytesIO, b"gone"))


def files(c):
    name, mode = "x.name", "x.mode"
    g = c.group("io.TextIOWrapper", name, mode, "x.closed", "x.encoding")
    g.add("reading", lambda: opened("text", encoding="utf-8", read=4), descriptor())
    g.add("writing", lambda: opened("out", "w", encoding="latin-1", write="half"), "x.errors")
    g.add("closed", lambda: opened("text", encoding="utf-8", closed=True))
    c.group("io.TextIOWrapper", name, "x.encoding").add("stdout", lambda: sys.stdout, mode)
    g = c.group("io.FileIO", name, mode, "x.closed")
    g.add("reading", lambda: opened("text", "rb", buffering=0, read=5), descriptor())
    g.add("appending", lambda: opened("out", "ab", buffering=0), descriptor(), "x.closefd")
    g.add("closed", lambda: opened("text", "rb", buffering=0, closed=True))
    g = c.group("io.BufferedReader", name, mode, "x.closed")
    position = ("x.tell()", "x.tell()", "x.pos_in_file", "x.position")
    g.add("reading", lambda: opened("text", "rb", read=5), descriptor(), position)
    g.add("closed", lambda: opened("text", "rb", closed=True))
    g = c.group("io.BufferedWriter", name, mode, "x.closed")
    g.add("writing", lambda: opened("out", "wb", write=b"waiting"), descriptor(), position)
    g = c.group("io.BufferedRandom", name, mode, "x.closed")
    g.add("both", lambda: opened("both", "r+b", read=3), descriptor())

    def pair():
        made = io.BufferedRWPair(io.BytesIO(b"in"), io.BytesIO())
        return made

    c.group("io.BufferedRWPair", "x.closed").add("of memory", pair)
    g = c.group("io.IncrementalNewlineDecoder", ("True", "x.translate", "True"))
    g.add("fresh", lambda: io.IncrementalNewlineDecoder(None, True))
    g = c.group("tempfile._TemporaryFileWrapper", "x.name", "x.file.name")
    g.add("open", lambda: tempfile.NamedTemporaryFile(suffix=".tmp"))
    g = c.group("os.DirEntry", "x.name", "x.path")

    def entry():
        path_of("entry")
        with os.scandir(FOLDER) as entries:
            return next(e for e in entries if e.name == "entry")

    g.add("of a folder", entry)


def sockets(c):
    def fields():
        return (
            ("int(x.family)", "int(x.family)"),
            ("int(x.type)", "int(x.type)"),
            ("x.proto", "x.proto"),
            ("x.fileno()", "x.fileno()", "x.fd", "x.sock_fd"),
        )

    g = c.group("socket.socket", *fields())

    def listening():
        made = socket.socket()
        made.bind(("127.0.0.1", 0))
        made.listen(1)
        return made

    server = c.keep(listening())

    def connected():
        made = socket.create_connection(server.getsockname())
        c.keep(server.accept())
        return made

    peer = ("x.getpeername()", "x.getpeername()", "x.peer")
    own = ("x.getsockname()", "x.getsockname()", "x.address", "x.sockname")
    g.add("listening", lambda: server, own)
    g.add("connected", connected, own, peer)
    g.add("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def timed():
        made = socket.socket()
        made.settimeout(2.5)
        return made

    timeout = ("x.gettimeout()", "x.gettimeout()", "x.timeout")
    g.add("timeout", timed, timeout)

    def unix():
        a, b = socket.socketpair()
        c.keep(b)
        return a

    g.add("unix pair", unix)

    def closed():
        made = socket.socket()
        made.close()
        return made

    g.add("closed", closed)
    c.group("_socket.socket", *fields()).add("plain", lambda: __import__("_socket").socket())


def waiting(c):
    g = c.group("selectors.SelectSelector", "len(x._fd_to_key)")

    def filled(cls):
        made = cls()
        made.register(0, selectors.EVENT_READ, "the data")
        return made

    def key(make):
        return make().get_map()[0]

    data = "x._fd_to_key[0].data"
    g.add("one", lambda: filled(selectors.SelectSelector), data)
    c.group("selectors.PollSelector", data).add("one", lambda: filled(selectors.PollSelector))

    def epoll():
        made = selectors.EpollSelector()
        a, b = socket.socketpair()
        c.keep(a, b)
        made.register(a, selectors.EVENT_WRITE, "the data")
        return made

    c.group("selectors.EpollSelector", "[k.data for k in x._fd_to_key.values()]").add("one", epoll)
    c.group("selectors.SelectorKey", "x.fd", "x.events", "x.data").add(
        "of a selector", lambda: filled(selectors.SelectSelector).get_map()[0]
    )
    g = c.group("select.epoll")
    g.add("open", select.epoll, ("x.fileno()", "x.fileno()", "x.epfd", "x.fd"))

    def poll():
        made = select.poll()
        made.register(0, select.POLLIN)
        return made

    c.group("select.poll").add("one", poll, ("{0: 1}", "x.registered"))


def secure(c):
    def context():
        import ssl

        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        return made

    def memory():
        import ssl

        made = ssl.MemoryBIO()
        made.write(b"pending")
        return made

    def wrapped():
        import ssl

        return context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="a.example")

    g = c.group("ssl.SSLContext")
    g.add("client", context, "x.check_hostname")
    g = c.group("ssl.MemoryBIO")
    g.add("written", memory)
    g = c.group("ssl.SSLObject")
    g.add("client", wrapped, ("'a.example'", "x.server_hostname", "x._sslobj.server_hostname"))


def processes(c):
    def running():
        made = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        return made

    def finished():
        made = subprocess.Popen(["true"], env={})
        made.wait()
        return made

    g = c.group("subprocess.Popen", "x.args", "x.pid", "x.returncode")
    g.add("running", running, "x.stdin.name")
    g.add("finished", finished)
    g = c.group("subprocess.CompletedProcess", "x.args", "x.returncode", "x.stdout")
    g.add("true", lambda: subprocess.run(["echo", "hi"], stdout=subprocess.PIPE))


def collect(c):
    memory_files(c)
    files(c)
    sockets(c)
    waiting(c)
    secure(c)
    processes(c)
    clean()
