# SPDX-License-Identifier: Apache-2.0
"""What one dump costs: the process, the dumper, the file, the reader."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from processes import Failed, Talker, Target, environment, run

Row = dict[str, Any]
#: The values of the frames' variables and no more, cut as py-spy and pystack
#: cut them (after 100 and some characters) and without native stacks, as these
#: were asked.
LOCALS = [
    "--depth=1",
    "--no-globals",
    "--max-items=100",
    "--max-string=1000",
    "--native=off",
]
#: Seconds of the span without a dump that the felt pause is held against.
_QUIET = (0.3, 10.0)
#: The local variable that is printed first, and the thread that has it.
FIRST = {
    "records": ("dicts", "0"),
    "huge": ("shards", "0"),
    "irregular": ("made", "0"),
    "deep": ("n", "deep"),
    "service": ("orders", "0"),
}


def gap_of(target: Target, seconds: float) -> float:
    """The longest gap of a target that is left alone for that long."""
    target.ask("reset")
    time.sleep(seconds)
    return float(target.ask("gap"))


def span_of(seconds: float) -> float:
    return min(max(seconds, _QUIET[0]), _QUIET[1])


def dump(tool: str, target: Target, mode: str, path: Path) -> Row:
    """One dump in a mode, and what the target felt of it."""
    path.unlink(missing_ok=True)
    before = target.rss()
    argv = [tool, "attach", str(target.pid), "-q", "-o", str(path)]
    argv += LOCALS if mode == "locals" else [f"--capture={mode}"]
    target.ask("reset")
    if target.client is not None:
        target.client.ask("begin")
    ran = run(argv, 600)
    felt = float(target.ask("gap"))
    row: Row = {"pause_felt_ms": felt * 1e3, "total_s": ran.seconds, "peak_mb": ran.peak / 1e6}
    if target.client is not None:
        # Beyond the dump, as long as what follows a pause takes.
        time.sleep(0.05)
        row["client_ms"] = target.client.ask("longest")[0] * 1e3
    after = target.rss()
    row["pass_after_s"] = target.ask("pass")
    row["pass_again_s"] = target.ask("pass")
    if target.client is not None:
        target.client.ask("begin")
    row["quiet_gap_ms"] = gap_of(target, span_of(ran.seconds)) * 1e3
    if target.client is not None:
        row["client_quiet_ms"] = target.client.ask("longest")[0] * 1e3
    row["growth_mb"] = (after - before) / 1e6
    row["growth_after_pass_mb"] = (target.rss() - before) / 1e6
    row.update(_told(tool, path))
    return row


def _told(tool: str, path: Path) -> Row:
    shown = run([tool, "show", "--json", "--no-locals", "--max-frames=1", str(path)], 600)
    told = json.loads(shown.output)
    end, size = told["end"], path.stat().st_size
    return {
        "mode": told["header"]["capture"]["mode"],
        "objects": end["objects"],
        "threads": end["threads"],
        "pause_told_ms": end["pause_ns"] / 1e6,
        "objects_per_s": end["objects"] / (end["walk_ns"] / 1e9),
        "bytes": size,
        "bytes_per_object": size / end["objects"],
    }


def bulk_read(tool: str, target: Target) -> Row:
    """A plain read of the memory that copy mode copies."""
    ran = run([tool, str(target.pid)], 60)
    size, nanoseconds = map(int, ran.output.split())
    return {"bulk_read_mb": size / 1e6, "bulk_read_ms": nanoseconds / 1e6}


def own_fork(target: Target) -> Row:
    """A fork that the target makes by itself, as long as it holds it up."""
    return {"own_fork_ms": target.ask("fork") * 1e3}


def _prompt(argv: list[str], prompt: bytes, env: dict[str, str]) -> tuple[Talker, float]:
    begin = time.perf_counter()
    talker = Talker(argv, env)
    try:
        talker.until(prompt, 120)
    except BaseException:
        talker.__exit__()
        raise
    return talker, time.perf_counter() - begin


def opening(tool: str, python: str, path: Path, workload: str, folder: Path) -> Row:
    """The time from the start of "pydumpd load" to its prompt, beyond that of
    pdb on a script of one line, and of the first "p" there."""
    env = {**environment(), "PYDUMPD_PYTHON": python, "NO_COLOR": "1", "TERM": "dumb"}
    # Compiled modules, as an installed package has them.
    env["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    script = folder / "script.py"
    script.write_text("pass\n")
    plain, seconds = _prompt([python, "-m", "pdb", str(script)], b"(Pdb) ", env)
    plain.__exit__()
    name, thread = FIRST.get(workload, ("value", "0"))
    argv = [tool, "load", str(path), "--thread", thread]
    opened, own = _prompt(argv, b"(pydumpd) ", env)
    with opened:
        # From pulse() to who called it, which has the workload.
        opened.say("up")
        opened.until(b"(pydumpd) ")
        begin = time.perf_counter()
        opened.say(f"p {name}")
        shown = opened.until(b"(pydumpd) ", 120)
        first = time.perf_counter() - begin
    if b"***" in shown or not shown.strip():
        raise Failed(f"p {name}: {shown.decode(errors='replace').strip()[:100] or 'nothing'}")
    return {
        "pdb_ms": seconds * 1e3,
        "open_ms": own * 1e3,
        "open_more_ms": (own - seconds) * 1e3,
        "first_p_ms": first * 1e3,
    }


def memory_free() -> int:
    """Bytes that new processes could have."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGESIZE")
