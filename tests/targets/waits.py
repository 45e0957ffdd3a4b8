# SPDX-License-Identifier: Apache-2.0
"""Programs for the watchdog: what they do is the first argument."""

import os
import signal
import socket
import sys
import threading
import time


def say(text):
    print(text, flush=True)


def stuck():
    """At one instruction until standard input ends."""
    say("ready")
    sys.stdin.read()


def polling():
    """At the same call again and again, which is no hang."""
    say("ready")
    for _ in range(int(sys.argv[2])):
        time.sleep(0.02)


def stuck_thread():
    thread = threading.Thread(target=sys.stdin.read, name="reader")
    thread.start()
    say("ready")
    while thread.is_alive():
        thread.join(0.02)


def grown():
    kept = bytearray(b"x" * (100 << 20))
    say("ready")
    sys.stdin.read()
    return kept


def dumped():
    """Has so much that a dump takes its time; ends in the way of the line."""
    kept = [{n: str(n)} for n in range(40000)]
    say("ready")
    line = sys.stdin.readline()
    if line == "hook\n":
        sys.excepthook = lambda *_: os.abort()
        raise ValueError(len(kept))
    os._exit(3)


def exits():
    import subprocess

    try:
        subprocess.call(["no-such-program"])
    except OSError:
        sys.exit(3)


def exits_at_once():
    mine = ["before the end"]
    os._exit(4 + len(mine) - 1)


def busy():
    """Threads come and go; at each line some end by an exception."""
    told, lines = [], []

    def work(number):
        if number:
            raise ValueError(number)

    def read():
        for line in sys.stdin:
            lines.append(line)

    def thread(number):
        made = threading.Thread(target=work, args=(number,))
        made.start()
        made.join()

    threading.excepthook = lambda args: told.append(args.exc_value.args[0])
    threading.Thread(target=read, daemon=True).start()
    say("ready")
    while lines != ["end\n"]:
        thread(0)
        if lines and lines[0] == "go\n":
            for number in range(1, 6):
                thread(number)
            say("right" if told == [1, 2, 3, 4, 5] else "wrong")
            told.clear()
            lines.pop(0)
    sys.exit(5)


def raising():
    """Threads end by exceptions all the time."""
    lines, told = [], []

    def read():
        for line in sys.stdin:
            lines.append(line)

    def work():
        raise ValueError("again")

    threading.excepthook = lambda args: told.append(args.exc_type)
    threading.Thread(target=read, daemon=True).start()
    say("ready")
    while lines != ["end\n"]:
        told.clear()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if lines and lines[0] == "go\n":
            say("right" if told == [ValueError] else "wrong")
            lines.pop(0)
    sys.exit(5)


def crash_loop():
    for _ in range(int(sys.argv[2])):
        pid = os.fork()
        if not pid:
            os.kill(os.getpid(), signal.SIGSEGV)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGSEGV
    say("all")


def server():
    """Forks workers, and new ones for those that die."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)

    def worker():
        served = 0
        while True:
            connection, _ = listener.accept()
            request = connection.recv(100)
            served += 1
            if request == b"crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if request == b"end":
                os.kill(os.getppid(), signal.SIGTERM)
            connection.sendall(b"pid %d" % os.getpid())
            connection.close()

    def fork():
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            worker()
        return pid

    def end(*_):
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        os._exit(0)

    workers = []
    signal.signal(signal.SIGTERM, end)
    workers.extend(fork() for _ in range(3))
    say(listener.getsockname()[1])
    while True:
        pid, _ = os.wait()
        workers.remove(pid)
        workers.append(fork())


if __name__ == "__main__":
    globals()[sys.argv[1]]()
