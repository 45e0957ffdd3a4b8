# SPDX-License-Identifier: Apache-2.0
"""Prints the line tables of many code objects, and what they mean.

Runs unchanged on 3.6 to 3.15. For each code object two lines: the input of
tests/tools/linetool.c, and the answer that this interpreter itself gives.
"""

import dis
import os
import sys
import types

MODULES = (
    "argparse ast asyncio/base_events asyncio/tasks collections/__init__ csv "
    "dataclasses decimal _pydecimal difflib doctest enum functools inspect "
    "json/decoder logging/__init__ pickle tarfile threading typing unittest/mock "
    "xml/etree/ElementTree zipfile/__init__ zipfile"
).split()


def codes(code):
    todo = [code]
    while todo:
        one = todo.pop()
        yield one
        todo.extend(c for c in one.co_consts if isinstance(c, types.CodeType))


def answer(code):
    """[(line, end_line, col, end_col)] for every code unit; -1 is none."""
    units = len(code.co_code) // 2
    if hasattr(code, "co_positions"):
        return [
            tuple(-1 if part is None else part for part in (p[0], p[1], p[2], p[3]))
            for p in code.co_positions()
        ]
    result = []
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            result += [(-1 if line is None else line, -1, -1, -1)] * ((end - start) // 2)
        return result
    starts = dict(dis.findlinestarts(code))
    line = code.co_firstlineno
    for unit in range(units):
        line = starts.get(unit * 2, line)
        result.append((line, -1, -1, -1))
    return result


def main():
    model = "lnotab"
    if sys.version_info >= (3, 11):
        model = "locations"
    elif sys.version_info >= (3, 10):
        model = "deltas"
    where = os.path.dirname(os.__file__)
    # A body of 300 blank and 300 long lines: big deltas, both signs.
    texts = {
        "<gaps>": "def f(x):\n" + "\n" * 300 + "    y = (x +\n" + "\n" * 200
        + "      1 +" + " " * 500 + "x)\n    return y\n"
    }
    for name in MODULES:
        path = os.path.join(where, name + ".py")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                texts[path] = f.read()
    for path, text in sorted(texts.items()):
        for code in codes(compile(text, path, "exec")):
            table = code.co_lnotab if model == "lnotab" else code.co_linetable
            print(model, code.co_firstlineno, len(code.co_code), table.hex() or "-")
            print(" ".join(",".join(map(str, p)) for p in answer(code)))


main()
