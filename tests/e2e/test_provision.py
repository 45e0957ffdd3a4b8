# SPDX-License-Identifier: Apache-2.0
"""tools/interpreters.sh: what it says and leaves behind when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import TOP

SCRIPT = TOP / "tools" / "interpreters.sh"
NOBODY = 65534


def run(cache: Path, *args: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(SCRIPT), *args],
        env={**os.environ, "PYDUMPD_CACHE": str(cache), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_unknown_suite(tmp_path: Path) -> None:
    done = run(tmp_path, "nosuch")
    assert done.returncode == 1
    assert done.stderr == (
        "interpreters: no suite nosuch; there are: bullseye trixie forky\n"
    )
    assert list(tmp_path.iterdir()) == []


def stamped(cache: Path) -> None:
    """A cache in which all is said to be there."""
    for line in SCRIPT.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(bullseye|trixie|forky) python3", line)
        if match:
            (cache / "suites" / match[1]).mkdir(parents=True)
            (cache / "suites" / f"{match[1]}.stamp").write_text(line + "\n")


def test_nothing_to_do(tmp_path: Path) -> None:
    stamped(tmp_path)
    # Without apt, debootstrap or root: none of them is asked.
    done = run(tmp_path, PYDUMPD_MIRROR="http://127.0.0.1:9/debian")
    assert (done.returncode, done.stderr) == (0, "")


def test_another_list_of_packages_is_noticed(tmp_path: Path) -> None:
    if os.geteuid() or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap")
    stamped(tmp_path)
    (tmp_path / "suites" / "trixie.stamp").write_text("trixie python3\n")
    # Nobody listens on the discard port: as without a network.
    done = run(tmp_path, PYDUMPD_MIRROR="http://127.0.0.1:9/debian")
    assert done.returncode == 1
    assert re.search(r"^interpreters: trixie: failed: E: .*Release", done.stderr, re.MULTILINE)
    assert "bullseye" not in done.stderr and "forky" not in done.stderr
    left = sorted(p.name for p in (tmp_path / "suites").iterdir())
    assert left == [
        ".lock", "bullseye", "bullseye.stamp", "forky", "forky.stamp",
        "trixie", "trixie.log", "trixie.stamp",
    ]
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_without_root() -> None:
    setpriv = shutil.which("setpriv")
    if os.geteuid() or not setpriv:
        pytest.skip("needs root, to give it up")
    # Where nobody may read; pytest's own folders are ours alone.
    with tempfile.TemporaryDirectory() as name:
        tools = Path(name)
        tools.chmod(0o755)
        # No sudo is found, and only what is needed before it is.
        for tool in ("sh", "sed", "awk", "id", "cat"):
            (tools / tool).symlink_to(shutil.which(tool) or tool)
        script = tools / "interpreters.sh"
        shutil.copy(SCRIPT, script)
        done = subprocess.run(
            [setpriv, f"--reuid={NOBODY}", "--clear-groups", str(tools / "sh"), str(script)],
            env={"PATH": name, "HOME": "/nonexistent", "PYDUMPD_CACHE": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "interpreters: cannot provide bullseye trixie forky: not root, and there is no sudo\n"
    )
