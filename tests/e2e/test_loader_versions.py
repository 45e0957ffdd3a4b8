# SPDX-License-Identifier: Apache-2.0
"""The oldest and the newest Python at hand open the dumps of every version."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator

import harness
import pytest
from harness import TARGETS, TOP, attach, start_script
from interpreters import Interpreter, discover, environment, one_of_each

LOADERS = [i for i in discover() if i.version >= (3, 8) and not i.debug]


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    """A dump and the truth of every version and kind of build."""
    folder = tmp_path_factory.mktemp("dumps")
    made = []
    for interpreter in one_of_each():
        path = folder / f"{interpreter.key}.pydump"
        with start_script(interpreter, "truth.py", env={"TRUTH_LARGE": "300"}) as target:
            truth = target.line()
            attach(target, path)
        path.with_suffix(".json").write_text(truth)
        made.append((path, path.with_suffix(".json")))
    return made


def provide(interpreter: Interpreter, folder: Path) -> bool:
    """Puts msgpack, and zstandard where the library has none, into folder."""
    import msgpack

    # Its own fallback in Python serves every version.
    shutil.copytree(
        Path(msgpack.__file__).parent,
        folder / "msgpack",
        ignore=shutil.ignore_patterns("*.so", "__pycache__"),
    )
    if interpreter.version >= (3, 14):
        return True
    here = interpreter.argv("-c", "import zstandard")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    if subprocess.run(here, env=environment(), **quiet).returncode == 0:
        return True
    inside = str(folder)[len(interpreter.root or "") :]
    pip = interpreter.argv("-m", "pip", "install", "-q", "--target", inside, "zstandard")
    done = subprocess.run(pip, env=environment(), **quiet)
    return done.returncode == 0


@contextlib.contextmanager
def folder_for(candidates: list[Interpreter]) -> Iterator[tuple[Interpreter, Path]]:
    """The first that can be given what the loader needs, and a folder with it."""
    for interpreter in candidates:
        world = Path(interpreter.root or "/")
        folder = Path(tempfile.mkdtemp(prefix="pydumpd-loader-", dir=world / "tmp"))
        try:
            if provide(interpreter, folder):
                yield interpreter, folder
                return
        finally:
            shutil.rmtree(folder)
    pytest.skip("no Python can be given zstandard")


@pytest.mark.slow
@pytest.mark.parametrize("which", ["oldest", "newest"])
def test_opens_every_version(which: str, dumps: list[tuple[Path, Path]]) -> None:
    with folder_for(LOADERS if which == "oldest" else LOADERS[::-1]) as (python, folder):
        print("opened with", python.key)
        shutil.copytree(TOP / "tools/loader/pydumpd", folder / "pydumpd")
        for file in (TOP / "tests/e2e/compare.py", TARGETS / "canon.py"):
            shutil.copy(file, folder)
        inside = f"/tmp/{folder.name}"
        pairs = []
        for dump, truth in dumps:
            shutil.copy(dump, folder)
            shutil.copy(truth, folder)
            pairs.append((f"{inside}/{dump.name}", f"{inside}/{truth.name}"))
        (folder / "pairs.json").write_text(json.dumps(pairs))
        done = subprocess.run(
            python.argv(f"{inside}/compare.py", inside, inside, f"{inside}/pairs.json"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            timeout=harness.PATIENCE * 5,
        )
        assert done.returncode == 0, done.stdout[:6000]
        assert done.stdout.count(" same\n") == len(one_of_each()), done.stdout[:6000]


def test_installs(tmp_path: Path) -> None:
    """The package is one that pip can install."""
    # setuptools builds beside its sources.
    source = tmp_path / "loader"
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    shutil.copytree(TOP / "tools" / "loader", source, ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target"]
        + [str(tmp_path / "site"), str(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode and "setuptools" in done.stdout:
        pytest.skip("pip cannot get setuptools here")
    assert done.returncode == 0, done.stdout
    code = "import pydumpd; print(pydumpd.__version__)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=environment({"PYTHONPATH": str(tmp_path / "site")}),
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert shown.stdout.startswith("0."), shown
