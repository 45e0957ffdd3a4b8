# SPDX-License-Identifier: Apache-2.0
"""Load on the service: client.py PORT. Four connections ask one after the other,
each a hundred times a second at most; each line on standard input is answered by
the longest time that one answer took since, and the number of answers."""

import http.client
import json
import sys
import threading
import time

lock = threading.Lock()
longest, count = 0.0, 0


def ask(port: int, first: int) -> None:
    global longest, count
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for i in range(first, 10**9, 4):
        begin = time.perf_counter()
        connection.request("GET", "/orders/%d" % i)
        connection.getresponse().read()
        took = time.perf_counter() - begin
        with lock:
            longest, count = max(longest, took), count + 1
        time.sleep(0.01)


for n in range(4):
    threading.Thread(target=ask, args=(int(sys.argv[1]), n), daemon=True).start()
for _ in sys.stdin:
    with lock:
        print(json.dumps([longest, count]), flush=True)
        longest, count = 0.0, 0
