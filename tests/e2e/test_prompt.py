# SPDX-License-Identifier: Apache-2.0
"""The prompt on a dump shows what the program's own pdb shows.

prompt.table holds commands that both are given. OWN holds those where a dump has to
say something else, as nothing of the program runs, or says more than pdb.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import PATIENCE, TOP, attach, start_script
from interpreters import Interpreter, discover

VERSIONS = ("3.8", "3.11", "3.13", "3.15")
CHOSEN = {i.short: i for i in discover() if not i.debug and i.short in VERSIONS}


def table(name: str) -> list[str]:
    """The commands in a file of them."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


TABLE, TYPES = table("prompt.table"), table("prompt_types.table")
REFUSED = r"\*\*\* DumpCallError: this is a dump: nothing of the program runs \(%s\)"
NOT_RUN = r"<property area of Square, not run>"
DEEP = r"(.)\1{150,}.*nested too deep to print.*"
OVERFLOW = r"\*\*\* (RecursionError: .*|nested too deep for that)"
#: A command, and what the prompt answers, as a regular expression.
OWN = [
    ("p square.area", NOT_RUN),
    ("p square.area == 5", r"\*\*\* NotDumpedError: not to be compared: " + NOT_RUN),
    ("p bool(square.area)", r"\*\*\* NotDumpedError: neither true nor false: " + NOT_RUN),
    ("pp table", r"\{'x': 1, 'y': \[1, 2\], 3: None\}"),
    ("p deep_list", DEEP),
    ("pp deep_list", DEEP),
    ("p deep_tuple", DEEP),
    ("p deep_dict", r"(\{'k': ){150,}.*nested too deep to print.*"),
    ("p repr(deep_list)", OVERFLOW + r"|'\[+.*"),
    ("p deep_list == deep_twin", OVERFLOW),
    ("p deep_dict == deep_dict_twin", OVERFLOW),
    ("p [x * LIMIT for x in numbers], sum(n for n in numbers)", r"\(\[21, 7, 14\], 6\)"),
    ("p [[y for y in numbers if y > cell] for x in words]", r"\[\[3, 2\], \[3, 2\]\]"),
    ("p any(n == cell for n in numbers), (lambda n: n > cell - 1)(LIMIT)", r"\(True, True\)"),
    ("p loud", r"<__main__.Loud object at 0x[0-9a-f]+>"),
    ("pp loud", r"<__main__.Loud object at 0x[0-9a-f]+>"),
    ("whatis loud", r"<class '__main__.Loud'>"),
    ("p len(loud)", REFUSED % r"Loud.__len__\(\)"),
    ("p bool(loud)", REFUSED % r"Loud.__bool__\(\)"),
    ("p loud == 1", REFUSED % r"Loud.__eq__\(\)"),
    ("p 1 == loud", REFUSED % r"Loud.__eq__\(\)"),
    ("p loud[0]", REFUSED % r"Loud.__getitem__\(\)"),
    ("p loud < 1", REFUSED % r"Loud.__lt__\(\)"),
    ("p list(loud)", REFUSED % r"Loud.__iter__\(\)"),
    ("p 1 in loud", REFUSED % r"Loud.__contains__\(\)"),
    ("p bool(weak)", REFUSED % r"Weak.__bool__\(\)"),
    ("p weak == 5", REFUSED % r"Weak.__eq__\(\)"),
    ("p 5 in [weak]", REFUSED % r"Weak.__eq__\(\)"),
    ("p str(weak)", REFUSED % r"Weak.__str__\(\)"),
    ("p {weak: 1}", r"\*\*\* TypeError: unhashable type: 'Weak'"),
    ("p {loud: 1}", REFUSED % r"Loud.__hash__\(\)"),
    ("p len(short)", REFUSED % r"Short.__len__\(\)"),
    ("p list(short)", REFUSED % r"Short.__iter__\(\)"),
    ("p weak, short", r"\(5, \[1\]\)"),
    ("p len(Thing)", REFUSED % r"Many.__len__\(\)"),
    ("p bool(Thing)", REFUSED % r"Many.__len__\(\)"),
    ("p Thing == 1", REFUSED % r"Many.__eq__\(\)"),
    ("p isinstance(1, Thing)", REFUSED % "__instancecheck__ of Many"),
    ("p isinstance(square.area, int)", r"\*\*\* NotDumpedError: of no known type: " + NOT_RUN),
    ("p callable(square.area)", r"\*\*\* NotDumpedError: not known: " + NOT_RUN),
    ("p loud()", REFUSED % r"Loud.__call__\(\)"),
    ("p loud.x", r"\*\*\* AttributeError: 'Loud' object has no attribute 'x' in the dump .*"),
    ("p loud is loud, isinstance(loud, Loud), type(loud)",
     r"\(True, True, <class '__main__.Loud'>\)"),
    ("p reader()", REFUSED % r"run.<locals>.<lambda>\(\)"),
    ("p square.grow(1)", REFUSED % r"Shape.grow\(\)"),
    ("p Square('x')", REFUSED % r"Square\(\)"),
    ("p dicted['nope']", REFUSED % r"Table.__missing__\(\)"),
    ("import json, inspect", ""),
    ("p json.dumps(plain_data)", r"""'{"s": "t", "n": \[1, 2.5, null, true\], "d": {"e": .*}}'"""),
    ("p json.dumps(names), json.dumps(dicted)", r"""\('\[1, "two"\]', '{"k": "v"}'\)"""),
    ("p json.loads(json.dumps([big_dict, {1: big_list}])) == [big_dict, {'1': big_list}]", "True"),
    ("p json.dumps(big_set)", r"\*\*\* TypeError: Object of type set is not JSON serializable"),
    ("p json.dumps(square)", r"\*\*\* TypeError: Object of type Square is not JSON serializable"),
    ("p json.dumps(deep_list)", OVERFLOW),
    ("p str(inspect.signature(plain)), str(inspect.signature(grow))",
     r"\('\(a, b=2, \*args, c, d=4, \*\*kw\)', '\(by, \*more, factor=2, \*\*rest\)'\)"),
    ("p str(inspect.signature(annotated)), str(inspect.signature(Shape.make))",
     r"""\("\(a: int, b: 'str' = 'x'\) -> list", '\(name\)'\)"""),
    ("p inspect.isfunction(plain), inspect.ismethod(grow), inspect.isgenerator(generator)",
     r"\(True, True, True\)"),
    ("p $_exception", r"RuntimeError\('outer'\)"),
    ("p $_exception.__context__.__notes__", r"\['a note'\]"),
    ("p '$_exception'", r"'\$_exception'"),
    ("exceptions", r" *0  RuntimeError: outer \(handled in thread 0, .*\)"),
    ("p big_list.append", r"\*\*\* AttributeError: .*'real NAME' makes it a real one"),
    ("p type('K', (), {})().__class__.__name__, type(type), isinstance(Square, type)",
     r"\('K', <class 'type'>, True\)"),
    ("x = [n for n in numbers if n > cell]", ""),
    ("p x", r"\[3, 2\]"),
    ("def helper(n): return n * LIMIT + len(numbers)", ""),
    ("p helper(2)", "17"),
    ("for n in numbers: print(n)", r"3\n1\n2"),
    ("p globals()['__builtins__'] is __builtins__", "True"),
    ("import collections, time", ""),
    ("p collections.Counter('aab')", r"Counter\(\{'a': 2, 'b': 1\}\)"),
    ("p time.gmtime(0)", r"time.struct_time\(tm_year=1970, .*"),
    ("p math", r"\*\*\* NameError: name 'math' is not defined.*"),
    ("display LIMIT", "display LIMIT: 7"),
    ("display nope", r"display nope: \*\* raised NameError: name 'nope' is not defined \*\*"),
    ("display", r"Currently displaying:\nnumbers: \[3, 1, 2\]\nLIMIT: 7\nnope: .*"),
    ("p 'it lives'", "'it lives'"),
]  # fmt: skip
MARK = "~~~%d~~~"


def prompt(path: Path, commands: list[str], stdin: str = "") -> list[str]:
    """What the prompt says to each command on the thread of the dump."""
    args = ["-c", "thread"]
    for i, command in enumerate(commands):
        args += ["-c", "p %r" % (MARK % i), "-c", command]
    env = dict(os.environ, NO_COLOR="1", PYTHONPATH=str(TOP / "tools" / "loader"))
    done = subprocess.run(
        [sys.executable, "-m", "pydumpd", str(path), *args],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=env,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    said = re.split(r"'~~~\d+~~~'\n", done.stdout)[1:]
    assert len(said) == len(commands), done.stdout[-2000:]
    return said


def differing(commands: list[str], truth: list[str], said: list[str]) -> list[str]:
    """What the program's own pdb answered otherwise."""
    # What newer Pythons add to the message is of this one, not of the dump.
    hint = re.compile(r"(NameError: name '\w+' is not defined)\. .*")
    return [
        f"{command}\n  pdb    {want}  prompt {got}"
        for command, want, got in zip(commands, truth, said)
        if hint.sub(r"\1", want) != hint.sub(r"\1", got)
    ]


@pytest.mark.parametrize("chosen", list(CHOSEN.values()), ids=[i.key for i in CHOSEN.values()])
def test_prompt(chosen: Interpreter, tmp_path: Path) -> None:
    path = tmp_path / "d.pydump"
    with start_script(chosen, "prompt.py") as target:
        target.say(json.dumps(TABLE))
        truth = target.json()["shown"]
        attach(target, path)
    said = prompt(path, TABLE + [command for command, _ in OWN])
    wrong = differing(TABLE, truth, said)
    wrong += [
        f"{command}\n  want   {want}\n  prompt {got}"
        for (command, want), got in zip(OWN, said[len(TABLE) :])
        if not re.fullmatch(want, got.rstrip("\n"))
    ]
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)


@pytest.mark.parametrize("chosen", list(CHOSEN.values()), ids=[i.key for i in CHOSEN.values()])
def test_types(chosen: Interpreter, tmp_path: Path) -> None:
    """Standard types that are written in Python."""
    path = tmp_path / "d.pydump"
    with start_script(chosen, "prompt_types.py") as target:
        target.say(json.dumps(TYPES))
        truth = target.json()["shown"]
        attach(target, path)
    wrong = differing(TYPES, truth, prompt(path, TYPES))
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)


def test_interact(tmp_path: Path) -> None:
    """Several lines at once, with names of the program and of the prompt."""
    path = tmp_path / "d.pydump"
    with start_script(CHOSEN[max(CHOSEN)], "prompt.py") as target:
        target.say("[]")
        target.json()
        attach(target, path)
    lines = (
        "def f(n):\n    return n + LIMIT\n\nprint(f(cell), [f(x) for x in numbers], type(names))\n"
    )
    (said,) = prompt(path, ["interact"], lines)
    assert "8 [10, 8, 9] <class '__main__.Names'>" in said
