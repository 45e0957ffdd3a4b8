# SPDX-License-Identifier: Apache-2.0
"""What is expected on this machine is there."""

from interpreters import discover, missing, required


def test_required_are_here() -> None:
    """PYDUMPD_REQUIRE, which .ci/run sets, names the versions."""
    assert missing() == [], f"of {required()} here are {[i.key for i in discover()]}"


def test_at_least_one() -> None:
    assert discover()
