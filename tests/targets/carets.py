# SPDX-License-Identifier: Apache-2.0
"""An exception whose traceback has frames that still run.

Prints JSON: for each entry of the traceback line, end line, columns, name; and
the text that traceback makes of it. Runs on Python 3.7 to 3.15.
"""

import json
import sys
import traceback


def inner(values, index):
    before = 1
    return (before +
            values["café"][index] / (index - index)) * 2


def outer():
    table = {"café": [1, 2, 3]}
    return [inner(table, 1), 1]


def hold():
    try:
        _ = ("€€", outer() + [None])
    except ZeroDivisionError as error:
        told = traceback.TracebackException.from_exception(error)
        names = "lineno", "end_lineno", "colno", "end_colno", "name"
        entries = [[getattr(s, n, None) for n in names] for s in told.stack]
        print(json.dumps([entries, list(told.format())]), flush=True)
        sys.stdin.read()


hold()
