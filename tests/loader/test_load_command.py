# SPDX-License-Identifier: Apache-2.0
"""pydumpd load: which Python it finds, and what it never runs."""

import os
import shutil
import subprocess
import sys

import pytest
from dumpwriter import Writer

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.environ.get("PYDUMPD_BUILD") or os.path.join(TOP, "build")
BINARY = os.path.abspath(os.path.join(BUILD, "pydumpd"))

pytestmark = pytest.mark.skipif(not os.path.exists(BINARY), reason="pydumpd is not built")


@pytest.fixture
def dump(tmp_path):
    w = Writer()
    w.thread([w.frame("f", variables={"n": 42})])
    return w.write(tmp_path / "d.pydump")


@pytest.fixture
def installed(tmp_path):
    """The binary with the package beside it, and no environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    shutil.copy(BINARY, folder / "pydumpd")
    os.symlink(os.path.join(TOP, "tools", "loader"), folder / "loader")
    return folder / "pydumpd"


def run(binary, *args, **kw):
    env = dict(os.environ, PYDUMPD_PYTHON=sys.executable)
    env.update(kw.pop("env", {}))
    return subprocess.run(
        [str(binary), "load", *map(str, args)], stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", env=env, timeout=60, **kw,
    )  # fmt: skip


def test_runs_the_loader(installed, dump):
    got = run(installed, dump, "-c", "p n * 2")
    assert got.returncode == 0 and got.stdout.endswith("84\n"), got.stderr
    got = run(installed, dump + ".none")
    assert got.returncode == 1 and got.stderr.count("\n") == 1
    assert "usage: pydumpd load" in run(installed, "--help").stdout
    assert run(installed).returncode == 2


def test_nothing_beside_the_dump_is_imported(installed, dump, tmp_path):
    for name in ("msgpack", "zstandard", "pydumpd", "pdb", "sitecustomize", "argparse", "ast"):
        (tmp_path / (name + ".py")).write_text("open('RAN', 'w')\n")
    got = run(installed, dump, "-c", "p n", cwd=tmp_path)
    assert got.stdout.endswith("42\n"), got.stderr
    assert not (tmp_path / "RAN").exists()


def test_a_python_that_was_asked_for_and_does_not_do(installed, dump, tmp_path):
    got = run(installed, dump, env={"PYDUMPD_PYTHON": str(tmp_path / "none")})
    assert got.returncode == 1 and got.stdout == ""
    assert got.stderr.startswith("pydumpd: PYDUMPD_PYTHON=") and "cannot be run" in got.stderr
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 3\n")
    old.chmod(0o755)
    assert "older than 3.8" in run(installed, dump, env={"PYDUMPD_PYTHON": str(old)}).stderr
    lacks = tmp_path / "lacks"
    lacks.write_text("#!/bin/sh\nexit 4\n")
    lacks.chmod(0o755)
    got = run(installed, dump, env={"PYDUMPD_PYTHON": str(lacks)})
    assert "pip install msgpack zstandard" in got.stderr and got.returncode == 1


def test_python_from_the_path(installed, dump, tmp_path):
    folder = tmp_path / "path"
    folder.mkdir()
    python = folder / "python3"
    python.write_text('#!/bin/sh\nexec "%s" "$@"\n' % sys.executable)
    python.chmod(0o755)
    got = run(installed, dump, "-c", "p n",
              env={"PYDUMPD_PYTHON": "", "PATH": "%s:/usr/bin:/bin" % folder})  # fmt: skip
    assert got.stdout.endswith("42\n"), got.stderr


@pytest.fixture
def lacking(tmp_path):
    """An environment in which an interpreter has no msgpack, and of which the
    folder path is PATH."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "msgpack.py").write_text("raise ImportError('none')\n")
    (tmp_path / "path").mkdir()
    # An interpreter itself, no script: it is not asked beforehand.
    os.symlink(os.path.realpath(sys.executable), tmp_path / "path" / "python3")
    return {
        "PYTHONPATH": str(tmp_path / "lib"),
        "PATH": "%s:/usr/bin:/bin" % (tmp_path / "path"),
        "PYDUMPD_PYTHON": "",
    }


def test_what_lacks_packages_is_passed_over(installed, dump, tmp_path, lacking):
    python = tmp_path / "path" / "python"
    python.write_text('#!/bin/sh\nunset PYTHONPATH\nexec "%s" "$@"\n' % sys.executable)
    python.chmod(0o755)
    show = "!import os, sys; p(os.environ.get('PYDUMPD_LOAD_TRIED'), sys.argv[1:])"
    got = run(installed, dump, "-c", "p n", "-c", show.replace("p(", "print("), env=lacking)
    assert got.returncode == 0 and "\n42\nNone ['" in got.stdout, got.stderr + got.stdout


def test_no_python_has_the_packages(installed, dump, tmp_path, lacking):
    got = run(installed, dump, "-c", "p n", env=lacking)
    assert got.returncode == 1 and got.stdout == "" and got.stderr.count("\n") == 1
    assert got.stderr.startswith("pydumpd: no Python 3.8 or later with msgpack and zstandard")
    asked = {**lacking, "PYDUMPD_PYTHON": str(tmp_path / "path" / "python3")}
    got = run(installed, dump, env=asked)
    assert got.returncode == 1 and "lacks packages; run: $PYDUMPD_PYTHON -m pip" in got.stderr
    old = "import sys\nsys.version_info = (3, 7, 16, 'final', 0)\n"
    (tmp_path / "lib" / "sitecustomize.py").write_text(old)
    got = run(installed, dump, env=asked)
    assert got.returncode == 1 and got.stderr.endswith("python3: older than 3.8\n")
