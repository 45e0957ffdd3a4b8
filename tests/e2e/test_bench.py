# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says: all columns, plausible ones."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from harness import BUILD, PATIENCE, PYDUMPD, TOP

RUN = TOP / "tests" / "bench" / "run.py"


def bench(*args: str) -> Any:
    argv = [sys.executable, str(RUN), "--pydumpd", str(PYDUMPD), "--no-peers", "--runs=1"]
    done = subprocess.run([*argv, *args], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_column_is_there() -> None:
    told = json.loads(bench("--json", "--scale=0.01", "records", "service"))
    assert set(told["machine"]) >= {"kernel", "cpus", "load", "python"}
    records, service = told["workloads"]
    assert records["notes"] == [] and service["notes"] == []
    assert set(records["modes"]) == {"auto", "copy", "fork", "stop", "locals"}
    for asked, mode in [*records["modes"].items(), *service["modes"].items()]:
        assert mode["mode"] in ("copy", "fork", "stop") and mode["runs"] == 1
        assert asked in ("auto", "locals", mode["mode"])
        assert mode["objects"] > (2 if asked == "locals" else 20000) and mode["threads"] >= 2
        for name in (
            "pause_felt_ms", "quiet_gap_ms", "pause_told_ms", "total_s", "objects_per_s", "bytes",
            "bytes_per_object", "peak_mb", "pass_after_s", "pass_again_s",
        ):  # fmt: skip
            least, median, most = (mode[name][k] for k in ("min", "median", "max"))
            assert 0 < least <= median <= most, (asked, name)
        assert mode["pause_told_ms"]["median"] < mode["total_s"]["median"] * 1e3
        assert asked == "locals" or mode["bytes_per_object"]["median"] < 100
        assert {"growth_mb", "growth_after_pass_mb"} <= set(mode)
    assert records["modes"]["auto"]["objects"] > 6 * 5000
    assert all("client_ms" in m and "client_quiet_ms" in m for m in service["modes"].values())
    for workload in (records, service):
        opening = workload["opening"]
        assert opening["open_ms"]["median"] > opening["pdb_ms"]["median"] > 0
        assert opening["first_p_ms"]["median"] > 0
        assert workload["rss_mb"] > 5 and workload["pass_before_s"] > 0
    if (BUILD / "bulkread").exists():
        assert records["bulk_read"]["bulk_read_mb"]["median"] > 1
        assert records["copy_over_bulk"] > 0


def test_what_standing_by_costs() -> None:
    """Each program runs and is watched; how much it is, this machine now cannot
    say."""
    told = json.loads(bench("--json", "run", "--pairs=3"))
    (run,) = told["workloads"]
    assert run["notes"] == [], run
    assert set(run["programs"]) == {
        "CPU-bound", "with hang, rss", "4 threads", "echo", "thread, 10 ms", "thread, 5 ms",
        "empty thread",
    }  # fmt: skip
    for name, p in run["programs"].items():
        assert 1 <= p["pairs"] <= 3 and p["unit_ms"] > 0, name
        for key in ("cpu_ratio", "time_ratio", "us_each"):
            assert p[key]["min"] <= p[key]["median"] <= p[key]["max"], name
        assert p["cpu_ratio"]["median"] > 0
        # Where no thread is started it does not run.
        assert name not in ("empty thread", "thread, 5 ms") or p["watchdog_us_each"] > 0


def test_text_and_reasons() -> None:
    text = bench("--scale=0.01", "small")
    assert "pause felt" in text and "opening:" in text and "first p:" in text
    done = subprocess.run(
        [sys.executable, str(RUN), "--pydumpd", str(PYDUMPD), "nothing"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "no workload 'nothing'" in done.stderr


def test_a_peer_that_fails_is_named(tmp_path: Any) -> None:
    """Without pip: nothing is installed, and the run goes on."""
    env = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(env)], check=True)
    argv = [sys.executable, str(RUN), "--pydumpd", str(PYDUMPD), "--runs=1", "--quick", "--json"]
    done = subprocess.run(
        [*argv, f"--peers-env={env}", "small"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    told = answer["workloads"][0]
    assert told["modes"] and told["opening"]
    for stands in answer["standing"]:  # gcore, where there is gdb
        assert stands["peer"] == "gcore" and stands["beside"] == "auto"
        ratios = told["peers"]["gcore"]["ratios"]
        assert stands["ratios"]["pause_felt_ms"] == ratios["pause_felt_ms"]
    assert {"coredumpy", "py-spy", "pystack", "gcore"} == set(told["peers"])
    assert "cannot be installed" in told["peers"]["py-spy"]["not"]
