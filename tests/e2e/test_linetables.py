# SPDX-License-Identifier: Apache-2.0
"""Line tables against what each interpreter says of its own code objects."""

from __future__ import annotations

import subprocess

import harness
import pytest
from interpreters import Interpreter, environment


@pytest.mark.every_build
def test_every_code_unit(interpreter: Interpreter) -> None:
    said = subprocess.run(
        interpreter.argv("-c", (harness.TARGETS / "linetables.py").read_text()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    ).stdout.splitlines()
    tables, expected = said[0::2], said[1::2]
    assert len(tables) == len(expected) > 500
    decoded = subprocess.run(
        [str(harness.BUILD / "linetool")],
        input="\n".join(tables) + "\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(decoded) == len(expected)
    for table, got, want in zip(tables, decoded, expected):
        assert got == want, table
