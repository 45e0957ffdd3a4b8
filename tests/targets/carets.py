# SPDX-License-Identifier: Apache-2.0
"""An exception whose traceback has frames that still run.

Prints JSON: for each entry of the traceback line, end line, columns, name; and
the text that traceback makes of it. Runs on Python 3.7 to 3.15.
"""

import json
import sys
import traceback


def inner(values, index):
    "\u20ac"; before = 1  # fmt: skip
    return (before +
            values["caf\u00e9"][index] / (index - index)) * 2


def outer():
    table = {"caf\u00e9": [1, 2, 3]}
    return [inner(table, 1), 1]


def hold():
    try:
        "\u20ac\u20ac"; outer() + [None]  # fmt: skip
    except ZeroDivisionError as error:
        told = traceback.TracebackException.from_exception(error)
        names = "lineno", "end_lineno", "colno", "end_colno", "name"
        entries = [[getattr(s, n, None) for n in names] for s in told.stack]
        print(json.dumps([entries, list(told.format())]), flush=True)
        sys.stdin.read()


hold()
