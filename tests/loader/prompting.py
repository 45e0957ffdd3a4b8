# SPDX-License-Identifier: Apache-2.0
"""Runs the loader as a program."""

import os
import subprocess
import sys

LOADER = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "loader")


def run(*args, stdin="", cwd=None, env=None):
    environ = dict(os.environ, NO_COLOR="1", TERM="dumb")
    path = [os.path.abspath(LOADER), environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    environ.update(env or {})
    return subprocess.run(
        [sys.executable, "-m", "pydumpd", *map(str, args)],
        input=stdin, capture_output=True, encoding="utf-8", cwd=cwd, env=environ, timeout=120,
    )  # fmt: skip


def commands(path, *cmds, **kw):
    args = [a for c in cmds for a in ("-c", c)]
    got = run(path, *args, **kw)
    assert got.returncode == 0, got.stderr
    assert "Traceback (most recent call last)" not in got.stdout + got.stderr
    return got.stdout
