# SPDX-License-Identifier: Apache-2.0
"""Computes on, and says what went wrong with it: a target of test_selfcheck.py.

Threads compute and compare, timers and signals arrive and are counted, children
are made by fork and by exec and are all collected, files are opened and closed.
For each line of input it answers with a list of what was not as it should be.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

wrong = []
done = threading.Event()
counts = {"alarm": 0, "self": 0, "sent": 0, "rounds": 0, "children": 0}
known = set()
lock = threading.Lock()


def alarm(number, frame):
    counts["alarm"] += 1


def myself(number, frame):
    counts["self"] += 1


def result():
    value, root = 1, 2.0
    for i in range(1, 2000):
        value = value * i % 1000003
        root = (root + i / root) / 2
    return value, root, sorted(str(i) for i in range(300))


EXPECTED = result()


def compute():
    while not done.is_set():
        if result() != EXPECTED:
            wrong.append("a result")
        counts["rounds"] += 1


def registers(library):
    while not done.is_set():
        changed = library.registers_changed(2000000)
        if changed:
            wrong.append("%d registers" % changed)


def children():
    while not done.is_set():
        with lock:  # one at a time: their number is known
            child = os.fork()
            if not child:
                os._exit(7)
            got, status = os.waitpid(-1, 0)
            if got != child or os.WEXITSTATUS(status) != 7:
                wrong.append("child %d, %d: %x" % (child, got, status))
            try:
                wrong.append("another child %r" % (os.waitpid(-1, os.WNOHANG),))
            except ChildProcessError:
                pass
            text = subprocess.check_output(["/bin/echo", "hello"])
            if text != b"hello\n":
                wrong.append("a program said %r" % text)
        counts["children"] += 2
        done.wait(0.005)


def handles():
    """What is open, without /proc: a changed root may have none."""
    found = []
    for number in range(256):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found


def main():
    signal.signal(signal.SIGALRM, alarm)
    signal.signal(signal.SIGUSR1, myself)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    work = [threading.Thread(target=compute), threading.Thread(target=children)]
    if len(sys.argv) > 1:
        library = ctypes.CDLL(sys.argv[1])
        library.registers_changed.argtypes = [ctypes.c_uint64]
        work.append(threading.Thread(target=registers, args=(library,)))
    for thread in work:
        thread.start()
    with lock:
        before = handles()
    print("ready", flush=True)
    for _ in sys.stdin:
        os.kill(os.getpid(), signal.SIGUSR1)
        counts["sent"] += 1
        with lock:
            if handles() != before:
                wrong.append("handles %s, not %s" % (handles(), before))
        print([counts, wrong], flush=True)
    done.set()
    for thread in work:
        thread.join()
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        wrong.append("a child is left: %r" % (os.waitpid(-1, os.WNOHANG | 0x40000000),))
    except ChildProcessError:
        pass
    if counts["self"] != counts["sent"]:
        wrong.append("%(self)d of %(sent)d signals" % counts)
    print([counts, wrong], flush=True)


main()
