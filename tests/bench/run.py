# SPDX-License-Identifier: Apache-2.0
"""What a dump costs: the process, the dumper, the file, the reader.

The target measures its own longest gap, so that the pause is what it felt.
Numbers of different runs are not comparable on a busy machine; ratios within
one are. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
LOADER = TOP / "tools" / "loader"

# Each builds its heap, then spins and keeps the longest gap between two turns.
PULSE = """
import sys, threading, time
def pulse():
    print("ready", flush=True)
    go = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), go.set()), daemon=True).start()
    last, gap = time.perf_counter(), 0.0
    while not go.is_set():
        now = time.perf_counter()
        gap = max(gap, now - last)
        last = now
        time.sleep(0.0002)
    print(gap, flush=True)
"""
WORKLOADS = {
    "small": PULSE + "pulse()",
    "records": PULSE
    + """
class P:
    def __init__(self, i):
        self.i, self.name, self.v = i, "n%d" % i, i * 1.5
dicts = [{"id": i, "name": "u%d" % i, "score": i * 0.5} for i in range(500000)]
instances = [P(i) for i in range(500000)]
pulse()
""",
    "threads": PULSE
    + """
threading.stack_size(1 << 18)
for _ in range(1000):
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
pulse()
""",
}
OPEN = """
import sys, time
sys.path.insert(0, sys.argv[2])
import pydumpd
begin = time.perf_counter()
dump = pydumpd.open(sys.argv[1])
frame = dump.threads[0].frames[0]
opened = time.perf_counter()
names = list(frame.locals)
value = frame.locals[names[0]] if names else None
print(opened - begin, time.perf_counter() - opened)
"""


def measure(pydumpd: str, python: str, name: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{name}.pydump"
    target = subprocess.Popen(
        [python, "-c", WORKLOADS[name]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert target.stdin and target.stdout
    try:
        assert target.stdout.readline() == "ready\n"
        time.sleep(0.2)
        begin = time.perf_counter()
        dumper = subprocess.Popen(
            [pydumpd, "attach", str(target.pid), "-q", "-o", str(path)]
        )
        _, status, usage = os.wait4(dumper.pid, 0)
        total = time.perf_counter() - begin
        dumper.returncode = os.waitstatus_to_exitcode(status)
        if dumper.returncode:
            raise SystemExit(f"bench: {name}: attach failed")
        target.stdin.write("\n")
        target.stdin.flush()
        gap = float(target.stdout.readline())
    finally:
        target.kill()
        target.wait()
    shown = subprocess.run(
        [pydumpd, "show", "--json", "--no-locals", "--max-frames=1", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    end = json.loads(shown.stdout)["end"]
    opened = subprocess.run(
        [sys.executable, "-c", OPEN, str(path), str(LOADER)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {
        "workload": name,
        "objects": end["objects"],
        "pause_felt_ms": gap * 1e3,
        "pause_ms": end["pause_ns"] / 1e6,
        "total_s": total,
        "objects_per_s": end["objects"] / (end["walk_ns"] / 1e9),
        "bytes_per_object": path.stat().st_size / end["objects"],
        "peak_mb": usage.ru_maxrss / 1e3,
        "open_ms": float(opened[0]) * 1e3,
        "first_value_ms": float(opened[1]) * 1e3,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pydumpd", required=True)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pydumpd-bench-") as folder:
        rows = [
            measure(args.pydumpd, args.python, name, Path(folder))
            for name in args.workloads or WORKLOADS
        ]
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(
            "{workload:8} {objects:9,} objects  pause {pause_felt_ms:.1f} ms felt, "
            "{pause_ms:.1f} ms told  {total_s:.2f} s  {objects_per_s:,.0f} objects/s  "
            "{bytes_per_object:.1f} bytes/object  peak {peak_mb:.0f} MB  "
            "open {open_ms:.0f} ms, first value {first_value_ms:.0f} ms".format(**row)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
