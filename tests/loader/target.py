# SPDX-License-Identifier: Apache-2.0
# A program to dump. It prints what the interpreter itself says of its stacks.
import json
import os
import sys
import threading
import time
import traceback

told = {"stacks": {}}
ready = threading.Barrier(3)


def here(name):
    told["stacks"][name] = traceback.format_list(traceback.extract_stack(sys._getframe(1)))
    ready.wait()
    time.sleep(1000)


class Account:
    rate = 5

    def __init__(self, owner):
        self.owner = owner

    def pay(self, amount, *rest, fee=1, **more):
        def closure(n):
            total = n + amount + fee
            found = [total, here("worker")]
            return found, rest, more, self

        return [closure(i) for i in range(1)]


def fail(depth):
    if depth:
        return fail(depth - 1) + {"a": 1}["a"]
    raise LookupError("no such account", depth)


def recover():
    try:
        try:
            fail(3)
        except LookupError as e:
            raise RuntimeError("pay failed") from e
    except RuntimeError as error:
        told["exception"] = traceback.format_exception(type(error), error, error.__traceback__)
        here("recover")


class Body:
    text = "größe"
    inner = [text for text in ["x"]]
    threading.Thread(target=lambda: Account("Zoë").pay(1, 2, fee=3, k="v"), daemon=True,
                     name="worker").start()  # fmt: skip
    threading.Thread(target=recover, daemon=True, name="recover").start()
    ready.wait()
    told["pid"] = os.getpid()
    told["stacks"]["main"] = traceback.format_list(traceback.extract_stack(sys._getframe())[:-1])
    print(json.dumps(told), flush=True)
    time.sleep(1000)
