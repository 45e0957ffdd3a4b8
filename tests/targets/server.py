# SPDX-License-Identifier: Apache-2.0
"""A threaded HTTP server, or with "asyncio" an asynchronous one, on a free port.

Tells its port as JSON. Answers /NUMBER with the number's square. Every SIGUSR1
is answered with a line "signal N". The end of standard input ends it; the last
line is JSON: how many requests it served and how many timer ticks it made.
"""

import asyncio
import json
import os
import select
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn

SERVED = []
SIGNALS = []


def on_signal(number, frame):
    SIGNALS.append(number)
    os.write(1, b"signal %d\n" % len(SIGNALS))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = int(self.path[1:])
        history = [number] * 50
        body = str(number * number).encode()
        SERVED.append(number)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        del history

    def log_message(self, *args):
        pass


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    request_queue_size = 100


def wait_for_end():
    """A read alone would miss signals that come just before it blocks."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    while True:
        ready, _, _ = select.select([0, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 4096):
            return


def threaded():
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    wait_for_end()
    server.shutdown()


TICKS = []


async def tick():
    while True:
        TICKS.append(1)
        await asyncio.sleep(0.01)


async def answer(reader, writer):
    while True:
        request = await reader.readuntil(b"\r\n\r\n")
        number = int(request.split()[1][1:])
        for _ in range(3):
            await asyncio.sleep(0)
        SERVED.append(number)
        body = str(number * number).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


async def serve(loop):
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    ticking = loop.create_task(tick())
    idle = [loop.create_task(asyncio.sleep(3600 + i)) for i in range(100)]
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"port": port}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    ticking.cancel()
    for task in idle:
        task.cancel()
    server.close()


def quiet(loop, context):
    """Connections that the test closed."""


def asynchronous():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(quiet)
    loop.run_until_complete(serve(loop))


signal.signal(signal.SIGUSR1, on_signal)
if sys.argv[1:] == ["asyncio"]:
    asynchronous()
else:
    threaded()
print(json.dumps({"served": len(SERVED), "ticks": len(TICKS)}), flush=True)
os._exit(0)
