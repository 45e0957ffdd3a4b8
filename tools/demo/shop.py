# SPDX-License-Identifier: Apache-2.0
"""A small shop that hangs, as real programs do.

Two workers lock the stock and the ledger in opposite orders. Orders come in,
and soon every thread waits for another. Nothing here knows of pydumpd.
"""

import queue
import sys
import threading

stock_lock = threading.Lock()
ledger_lock = threading.Lock()
stock = {"apples": 12, "pears": 3, "plums": 0}
ledger = []


class OutOfStock(Exception):
    """An item that is not there."""


class Order:
    def __init__(self, number, customer, items):
        self.number = number
        self.customer = customer
        self.items = items
        self.problems = []


def take(order, item, count):
    left = stock[item] - count
    if left < 0:
        raise OutOfStock("%s: %d wanted, %d there" % (item, count, stock[item]))
    stock[item] = left


def sell(order, met):
    """Locks the stock, then the ledger."""
    with stock_lock:
        for item, count in order.items.items():
            try:
                take(order, item, count)
            except OutOfStock as problem:
                order.problems.append(problem)
        met.wait()
        with ledger_lock:
            ledger.append((order.number, order.items))


def audit(met):
    """Locks the ledger, then the stock: the wrong way round."""
    with ledger_lock:
        checked = {"entries": len(ledger), "totals": [n for n, _ in ledger]}
        met.wait()
        with stock_lock:
            checked["stock"] = dict(stock)
    return checked


def seller(orders, met):
    while True:
        order = orders.get()
        try:
            sell(order, met)
        finally:
            orders.task_done()


def main():
    orders = queue.Queue()
    met = threading.Barrier(2)
    customers = {"ada": {"city": "London", "orders": [1, 3]}, "bob": {"orders": [2]}}
    threading.Thread(target=seller, args=(orders, met), name="seller", daemon=True).start()
    threading.Thread(target=audit, args=(met,), name="auditor", daemon=True).start()
    orders.put(Order(1, customers["ada"], {"apples": 2, "plums": 1}))
    print("open", flush=True)
    orders.join()  # never comes back
    return 0


if __name__ == "__main__":
    sys.exit(main())
