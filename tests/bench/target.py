# SPDX-License-Identifier: Apache-2.0
"""A process to be dumped: target.py WORKLOAD SCALE.

Builds its heap, prints "ready" and then feels its pulse: it sleeps for a
fifth of a millisecond again and again and keeps the longest time between two
turns. Lines on its standard input ask it, one line of JSON answers each:

    reset       begin anew with the longest gap
    gap         the longest gap since, in seconds
    pass        go over all objects of the workload once: seconds
    fork        a fork of it, which ends at once: seconds until it goes on
    port        where the service listens
    coredumpy PATH   dump itself with that package: seconds, objects

Runs under CPython 3.7 and later.
"""

import json
import os
import sys
import threading
import time

gap = 0.0
answers = {}


class P:
    def __init__(self, i):
        self.i, self.name, self.v = i, "n%d" % i, i * 1.5


def objects(n):
    """The workload W: n dicts and as many instances, about 6n objects."""
    dicts = [{"id": i, "name": "u%d" % i, "score": i * 0.5} for i in range(n)]
    instances = [P(i) for i in range(n)]
    return dicts, instances


def visit(dicts, instances):
    """Looks at all of them, which writes to their reference counts."""
    total = 0.0
    for d in dicts:
        total += d["id"] + d["score"] + len(d["name"])
    for p in instances:
        total += p.i + p.v + len(p.name)
    return total


def pulse():
    """Until the input ends."""
    global gap
    threading.Thread(target=listen, name="listener", daemon=True).start()
    print("ready", flush=True)
    last = time.perf_counter()
    while not ended.is_set():
        now = time.perf_counter()
        gap = max(gap, now - last)
        last = now
        time.sleep(0.0002)


ended = threading.Event()


def listen():
    global gap
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "reset":
            gap, answer = 0.0, True
        elif word == "gap":
            answer = gap
        elif word in answers:
            answer = answers[word](*([rest] if rest else []))
        else:
            answer = None
        print(json.dumps(answer), flush=True)
    ended.set()


def coredumpy(path):
    """In this thread, as that package is used; all threads are in its dump."""
    import coredumpy
    from coredumpy.config import config
    from coredumpy.py_object_container import PyObjectContainer

    counts = []
    plain = PyObjectContainer.get_objects

    def counted(self):
        found = plain(self)
        counts.append(len(found))
        return found

    PyObjectContainer.get_objects = counted
    config.dump_timeout = 3600  # who asks has a limit of its own
    begin = time.perf_counter()
    coredumpy.dump(path=path)
    return {"seconds": time.perf_counter() - begin, "objects": counts[-1]}


answers["coredumpy"] = coredumpy


def timed(work, *args):
    def answer():
        begin = time.perf_counter()
        work(*args)
        return time.perf_counter() - begin

    return answer


def fork():
    """What a copy of this process costs it without a dump."""
    begin = time.perf_counter()
    child = os.fork()
    if not child:
        os._exit(0)
    taken = time.perf_counter() - begin
    os.waitpid(child, 0)
    return taken


answers["fork"] = fork


def small(scale):
    value = {"a": [1, 2.5, "three"]}
    answers["pass"] = timed(list, value)
    pulse()


def records(scale):
    dicts, instances = objects(int(500000 * scale))
    answers["pass"] = timed(visit, dicts, instances)
    pulse()


def huge(scale):
    """W, fifteen times: 4 GB."""
    import gc

    gc.disable()
    shards = [objects(int(500000 * scale)) for _ in range(15)]
    answers["pass"] = timed(lambda: [visit(*shard) for shard in shards])
    pulse()


LIBRARIES = """
argparse ast asyncio calendar cgitb collections concurrent.futures configparser csv ctypes
dataclasses datetime decimal difflib email.mime.multipart fractions ftplib heapq html.parser
http.client http.server imaplib inspect ipaddress json logging.handlers mailbox
multiprocessing.pool optparse pathlib pdb pickle pickletools platform plistlib pydoc queue
random re sched shelve smtplib sqlite3 ssl statistics subprocess tarfile tempfile tokenize
typing unittest.mock urllib.request uuid wsgiref.simple_server xml.dom.minidom
xml.etree.ElementTree xmlrpc.client zipfile
flask jinja2 numpy pandas requests rich sqlalchemy werkzeug
""".split()


def irregular(scale):
    """Many libraries, the last of them from PyPI where they are, and records
    of many types."""
    import importlib
    import warnings

    warnings.simplefilter("ignore")
    libraries, missing = [], []
    for name in LIBRARIES:
        try:
            libraries.append(importlib.import_module(name))
        except Exception:
            missing.append(name)
    import collections
    import datetime
    import decimal
    import fractions
    import uuid

    Row = collections.namedtuple("Row", "id when price tags")
    made = []
    for i in range(int(60000 * scale)):
        when = datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=i)
        price = decimal.Decimal(i) / 7
        made.append(
            (
                Row(i, when, price, frozenset(["t%d" % (i % 50), "all"])),
                {"row": i, "text": "line %d of a text" % i, "blob": os.urandom(i % 40)},
                collections.OrderedDict(a=i, b=[i, i + 1], c=(i, None)),
                {i, "s%d" % i, fractions.Fraction(i, 3)},
                P(i),
                collections.deque([i, when, uuid.UUID(int=i)], 5),
                lambda i=i: i,
            )[i % 7]
        )
    tables = []
    if "pandas" not in missing:
        import pandas

        columns = {"n": range(2000), "t": ["x%d" % i for i in range(2000)]}
        tables = [pandas.DataFrame(columns) for _ in range(5)]
    if "flask" not in missing:
        import flask

        tables.append(flask.Flask("bench"))
    answers["pass"] = timed(lambda: [(repr(type(m)), len(made)) for m in made])
    answers["missing"] = lambda: missing
    pulse()


def threads(n):
    def start(scale):
        threading.stack_size(1 << 18)
        for i in range(n):
            threading.Thread(target=wait, args=(i, [i]), daemon=True).start()
        value = {"threads": n}
        answers["pass"] = timed(list, value)
        pulse()

    return start


def wait(number, own):
    while True:
        time.sleep(3600)


def deep(scale):
    """A stack of 20,000 frames."""
    answers["pass"] = timed(list, ())
    sys.setrecursionlimit(100000)
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=descend, args=(int(20000 * scale),), name="deep")
    thread.start()
    thread.join()


def descend(n):
    here = [n]
    if here[0]:
        descend(n - 1)
    else:
        pulse()


def service(scale):
    """A small web service that keeps orders."""
    import http.server

    orders = {i: {"id": i, "items": ["i%d" % j for j in range(5)], "total": i * 1.5}
              for i in range(int(20000 * scale))}  # fmt: skip

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet

        def do_GET(self):
            order = orders.get(int(self.path.rpartition("/")[2]) % len(orders), {})
            body = json.dumps(order).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers["port"] = lambda: server.server_address[1]
    answers["pass"] = timed(lambda: [sum(map(len, o["items"])) for o in orders.values()])
    pulse()


WORKLOADS = {
    "small": small,
    "records": records,
    "irregular": irregular,
    "threads20": threads(20),
    "threads200": threads(200),
    "threads1000": threads(1000),
    "deep": deep,
    "service": service,
    "huge": huge,
}

if __name__ == "__main__":
    WORKLOADS[sys.argv[1]](float(sys.argv[2]))
