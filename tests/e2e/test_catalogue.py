# SPDX-License-Identifier: Apache-2.0
"""Every type of the catalogue is shown as it was, or says what is missing."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import catalogue_doc
import harness
from harness import TARGETS, attach, open_dump, start_script
from interpreters import Interpreter, environment
from verdicts import LEVELS, Verdict, judge

#: Why of some types more cannot be told. Each that is opaque stands here.
WHY = {
    "ssl.MemoryBIO": "What is in it belongs to OpenSSL, whose structs are no interface",
    "ssl.SSLObject": "That version asks OpenSSL for it",
    "weakref.finalize": "What it knows is in a registry of its class, by itself as the key",
    "xml.etree.ElementTree.XMLParser": "It has no attributes there; its state belongs to expat",
    "zlib.Compress": "It has no attributes; its state belongs to zlib",
    "bz2.BZ2Compressor": "It has no attributes; its state belongs to libbz2",
    "lzma.LZMACompressor": "It has no attributes; its state belongs to liblzma",
    "_lsprof.Profiler": "Its counts are in trees of C structs that nothing describes",
    "_multibytecodec.MultibyteIncrementalEncoder": "Its codec is a table of C functions",
    "fractions.Fraction": "Of a class of the program that derives from it: no code of it is run",
    "pathlib.PurePosixPath": "Of a class of the program that derives from it: no code of it is run",
    "instance": "A __repr__ of the program is not run",
}


@functools.lru_cache(maxsize=None)
def truth_here() -> dict[str, Any]:
    """What the same program tells under the Python of the loader."""
    done = subprocess.run(
        [sys.executable, str(TARGETS / "catalogue.py")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(),
        check=True,
    )
    return {s["name"]: s for s in json.loads(done.stdout)["specimens"]}


def verdicts_of(interpreter: Interpreter, path: Path) -> dict[str, tuple[str, Verdict]]:
    """Specimen -> (type, verdict)."""
    with start_script(interpreter, "catalogue.py") as target:
        told = target.json()
        attach(target, path)
        target.close_input()
        assert target.wait() == 0
    found = {}
    with open_dump(path) as dump:
        frame = harness.thread_with(dump, "hold").frames[0]
        specimens = frame.locals["specimens"]
        for truth in told["specimens"]:
            assert truth["repr"] is not None, truth
            assert not [p for p in truth["probes"] if p[1][0] == "raises"], truth
            value = specimens[truth["name"]]
            verdict = judge(truth, truth_here().get(truth["name"]), value)
            found[truth["name"]] = truth["kind"], verdict
    return found


def report(found: dict[str, tuple[str, Verdict]]) -> str:
    lines = []
    for name, (_, verdict) in found.items():
        lines += [f"{name}: {what}" for what in verdict.wrong]
    count = {level: 0 for level in LEVELS}
    for _, verdict in found.values():
        count[verdict.level] += 1
    return f"{count}\n" + "\n".join(lines[:100])


def test_catalogue(interpreter: Interpreter, tmp_path: Path) -> None:
    found = verdicts_of(interpreter, tmp_path / "catalogue.pydump")
    seen = catalogue_doc.cells(found, WHY)
    updating = os.environ.get("PYDUMPD_UPDATE")
    if updating:
        catalogue_doc.update(interpreter, seen)
    wrong = [name for name, (_, verdict) in found.items() if verdict.wrong]
    assert not wrong, report(found)
    unexplained = [k for k, cell in seen.items() if cell.level == "opaque" and k not in WHY]
    assert not unexplained, f"opaque, and WHY says nothing of {unexplained}"
    problems = [] if updating else catalogue_doc.compare(interpreter, seen)
    assert not problems, "make types writes doc/TYPES.md anew:\n" + "\n".join(problems[:60])
