# SPDX-License-Identifier: Apache-2.0
"""Packages from PyPI for targets: installed once into the project's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from interpreters import Interpreter, discover, environment, suites_folder

# With PYDUMPD_REQUIRE_PACKAGES=1 what cannot be installed is a failure.
REQUIRED = os.environ.get("PYDUMPD_REQUIRE_PACKAGES") == "1"


def folder() -> Path:
    return suites_folder().parent / "packages"


def find(short: str) -> Interpreter:
    """A release build of a version that shares our files and has pip."""
    for i in discover():
        if i.short == short and i.root is None and i.origin in ("pyenv", "given"):
            return i
    pytest.skip(f"no CPython {short} with pip on this machine")


def install(interpreter: Interpreter, *requirements: str) -> str:
    """A folder for PYTHONPATH that has them; skips when they are not to be had."""
    name = "-".join([interpreter.short, *requirements]).replace("==", "")
    place = folder() / name.replace("/", "_")
    if (place / ".whole").is_file():
        return str(place)
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (place / ".whole").is_file():
            return str(place)
        shutil.rmtree(place, ignore_errors=True)
        argv = [
            *("-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *(
                "--no-input",
                "--no-compile",
                "--only-binary",
                ":all:",
                "--retries",
                "1",
                "--timeout",
                "10",
            ),
            *("--target", str(place), *requirements),
        ]
        # pip's own settings say which index is used.
        kept = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
        try:
            done = subprocess.run(
                interpreter.argv(*argv),
                env=environment(kept),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
            )
            problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
            failed = done.returncode != 0
        except (subprocess.TimeoutExpired, OSError, socket.error) as e:
            problem, failed = [str(e)], True
        if not failed:
            (place / ".whole").touch()
            return str(place)
        shutil.rmtree(place, ignore_errors=True)
    why = f"cannot install {' '.join(requirements)}: {' '.join(problem)[:300]}"
    if REQUIRED:
        pytest.fail(why)
    pytest.skip(why)
