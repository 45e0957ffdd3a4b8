# SPDX-License-Identifier: Apache-2.0
"""What a dump costs: the process, the dumper, the file, the reader; beside the
peers. README.md beside this file tells how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

import guarded  # noqa: E402
import measure  # noqa: E402
import peers  # noqa: E402
from processes import Failed, Target  # noqa: E402

Row = dict[str, Any]


class Workload(NamedTuple):
    """What of a workload says something."""

    modes: tuple[str, ...] = ("auto", "copy", "fork", "stop", "locals")
    peers: tuple[str, ...] = tuple(peers.PEERS)
    memory: int = 1 << 30  # bytes that must be free for it
    quick: float = 1.0  # its scale in a quick run, without mode stop; 0: not in it
    bulk: bool = False  # hold copy mode against a plain read
    fork: str = ""  # the mode whose pause is held against a fork of its own


_ALL = tuple(peers.PEERS)
WORKLOADS = {
    "small": Workload(),
    "threads20": Workload(modes=("auto", "copy", "fork", "locals")),
    "threads200": Workload(modes=("auto", "copy", "fork", "locals"), quick=0),
    "threads1000": Workload(modes=("auto", "copy", "fork", "locals")),
    "service": Workload(modes=("auto", "copy", "fork", "locals")),
    "records": Workload(memory=2 << 30, quick=0.2, bulk=True, fork="fork"),
    "irregular": Workload(quick=0.2, bulk=True),
    "deep": Workload(modes=("auto", "locals"), quick=0, peers=("py-spy", "pystack")),
    # A copy of it would take 4 GB more.
    "huge": Workload(
        modes=("auto", "locals"), memory=10 << 30, quick=0, peers=("gcore",), fork="auto"
    ),
}
#: What is asked for like a workload: what "pydumpd run" costs.
GUARDED = "run"
#: Seconds after which a quick run begins nothing more.
QUICK = 95.0
#: What several runs are put together of: all but these.
_TEXT = ("mode", "objects", "threads")


def together(rows: list[Row]) -> Row:
    """The median of several runs, and the least and the most of each."""
    out: Row = {"runs": len(rows)}
    for key in {k: None for row in rows for k in row}:
        values = [row[key] for row in rows if key in row]
        if key in _TEXT:
            out[key] = values[-1]
        else:
            out[key] = {
                "median": statistics.median(values), "min": min(values), "max": max(values),
            }  # fmt: skip
    return out


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Bench:
    """One run of all that was asked for."""

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.runs = args.runs or (1 if args.quick else 5)
        self.python = args.python
        self.env: peers.Environment | None = None
        if not args.no_peers:
            progress("making an environment for the peers")
            self.env = peers.Environment(Path(args.peers_env).resolve(), args.python)
            self.python = self.env.python
        self.deadline = time.monotonic() + QUICK if args.quick else float("inf")

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def workload(self, name: str) -> Row:
        what = WORKLOADS[name]
        scale = what.quick if self.args.quick else 1.0
        scale *= self.args.scale
        need = int(what.memory * max(scale, 0.1))
        out: Row = {"workload": name, "scale": scale, "modes": {}, "notes": []}
        if measure.memory_free() < need:
            out["notes"].append(f"left out: it wants {need / 1e9:.1f} GB of free memory")
            return out
        if self.late():
            out["notes"].append("left out: the time of a quick run is over")
            return out
        try:
            with Target(self.python, name, scale) as target:
                out["rss_mb"] = target.rss() / 1e6
                out["pass_before_s"] = target.ask("pass")
                missing = target.ask("missing")
                if missing:
                    out["notes"].append("not there: " + ", ".join(missing))
                self._modes(name, what, target, out)
            self._opening(name, out)
        except Failed as e:
            out["notes"].append(f"failed: {e}")
        if self.env is not None:
            self._peers(name, what, scale, out)
        return out

    def guarded(self) -> Row:
        out: Row = {"workload": GUARDED, "scale": self.args.scale, "programs": {}, "notes": []}
        for name in guarded.PROGRAMS:
            progress(f"{GUARDED}: {name}")
            try:
                out["programs"][name] = guarded.measure(
                    self.args.pydumpd, self.python, name,
                    self.args.pairs or guarded.PAIRS_OF_A_RUN * self.runs,
                    guarded.PHASE * self.args.scale,
                )  # fmt: skip
            except Failed as e:
                out["notes"].append(f"failed: {name}: {e}")
        return out

    def _modes(self, name: str, what: Workload, target: Target, out: Row) -> None:
        runs = 1 if name == "huge" and self.args.quick else self.runs
        for mode in what.modes:
            if self.late() or (self.args.quick and mode == "stop"):
                continue
            rows = []
            for i in range(runs):
                progress(f"{name}: {mode}, {i + 1} of {runs}")
                try:
                    rows.append(measure.dump(self.args.pydumpd, target, mode, self._file(mode)))
                except Failed as e:
                    out["notes"].append(f"{mode}: {e}")
                    break
            if rows:
                out["modes"][mode] = together(rows)
        tool = Path(self.args.pydumpd).parent / "bulkread"
        if what.bulk and tool.exists():
            rows = [measure.bulk_read(str(tool), target) for _ in range(max(runs, 3))]
            out["bulk_read"] = together(rows)
            if "copy" in out["modes"]:
                told = out["modes"]["copy"]["pause_told_ms"]["median"]
                out["copy_over_bulk"] = told / out["bulk_read"]["bulk_read_ms"]["median"]
        if out["modes"].get(what.fork, {}).get("mode") == "fork":
            out["own_fork"] = together([measure.own_fork(target) for _ in range(max(runs, 3))])
            told = out["modes"][what.fork]["pause_told_ms"]["median"]
            out["fork_over_own"] = told / out["own_fork"]["own_fork_ms"]["median"]

    def _file(self, mode: str) -> Path:
        return self.folder / f"{mode}.pydump"

    def _opening(self, name: str, out: Row) -> None:
        made = [mode for mode in out["modes"] if self._file(mode).exists()]
        if not made or self.late():
            return
        rows = []
        for i in range(self.runs + 1):  # the first compiles modules
            progress(f"{name}: opening, {i} of {self.runs}")
            args = (self.args.pydumpd, sys.executable, self._file(made[0]), name, self.folder)
            rows.append(measure.opening(*args))
        out["opening"] = together(rows[1:])
        for mode in made:
            self._file(mode).unlink()

    def _peers(self, name: str, what: Workload, scale: float, out: Row) -> None:
        assert self.env is not None
        out["peers"] = {}
        patience = 6.0 if self.args.quick else 120.0
        for peer in _ALL:
            if self.late():
                out["peers"][peer] = {"not": "the time of a quick run is over"}
                continue
            if peer not in what.peers:
                out["peers"][peer] = {"not": "not measured here"}
                continue
            rows: list[Row] = []
            why = ""
            try:
                with Target(self.python, name, scale) as target:
                    while len(rows) < self.runs and not why:
                        progress(f"{name}: {peer}, {len(rows) + 1} of {self.runs}")
                        begin = time.monotonic()
                        rows.append(peers.measure(self.env, peer, target, self.folder, patience))
                        # One run of a slow one has to do.
                        if time.monotonic() - begin > (3 if self.args.quick else 20):
                            break
            except Failed as e:
                why = str(e)
            except Exception as e:  # one peer must not end the run
                why = f"{type(e).__name__}: {e}"
            found: Row = together(rows) if rows else {}
            if why:
                found["not"] = why
            same = "locals" if peer in ("py-spy", "pystack") else "auto"
            if rows and same in out["modes"]:
                found["beside"] = same
                found["ratios"] = ratios(out["modes"][same], found)
            out["peers"][peer] = found


def ratios(own: Row, peer: Row) -> Row:
    """How many times as much a peer takes; of objects/s, how many times fewer."""
    out = {}
    for key in ("pause_felt_ms", "total_s", "bytes", "bytes_per_object", "peak_mb"):
        if key in peer and own[key]["median"] and peer[key]["median"]:
            out[key] = peer[key]["median"] / own[key]["median"]
    if "objects_per_s" in peer:
        out["objects_per_s"] = own["objects_per_s"]["median"] / peer["objects_per_s"]["median"]
    return out


#: What is compared, where a larger ratio is better for pydumpd.
COMPARED = {
    "pause_felt_ms": "pause", "total_s": "total", "objects_per_s": "objects/s",
    "bytes_per_object": "bytes/object", "peak_mb": "own memory",
}  # fmt: skip


def standing(rows: list[Row]) -> list[Row]:
    """For each workload and peer, how many times better pydumpd is in what
    both can do; below 1 it is behind."""
    return [
        {"workload": row["workload"], "peer": peer, "beside": found["beside"],
         "ratios": {k: v for k, v in found["ratios"].items() if k in COMPARED}}
        for row in rows
        for peer, found in row.get("peers", {}).items()
        if found.get("ratios")
    ]  # fmt: skip


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.1f} ahead" if ratio >= 1 else f"{1 / ratio:,.1f} behind"


def shown_standing(rows: list[Row]) -> str:
    """The summary as text: no row is left out."""
    stands = standing(rows)
    line = "{:12} {:10} {:7}" + " {:>15}" * len(COMPARED)
    lines = ["== times ahead or behind (medians)"]
    lines.append(line.format("workload", "peer", "beside", *COMPARED.values()))
    for s in stands:
        cells = [_times(s["ratios"].get(k)) for k in COMPARED]
        lines.append(line.format(s["workload"], s["peer"], s["beside"], *cells))
    for key, word in COMPARED.items():
        both = [s["ratios"][key] for s in stands if key in s["ratios"]]
        if both:
            lines.append(f"{word}: ahead in {sum(v >= 1 for v in both)} of {len(both)}")
    lines += [
        f"{row['workload']}: {peer} not: {found['not']}"
        for row in rows
        for peer, found in row.get("peers", {}).items()
        if "not" in found and found["not"] != "not measured here"
    ]
    return "\n".join(lines)


def _spread(value: Row, digits: int = 1) -> str:
    return f"{value['median']:,.{digits}f} ({value['min']:,.{digits}f}-{value['max']:,.{digits}f})"


def _percent(ratio: Row) -> str:
    more = [f"{100 * (ratio[k] - 1):+.2f}" for k in ("median", "min", "max")]
    return f"{more[0]} % ({more[1]} to {more[2]})"


def shown(out: Row) -> str:
    """One workload as text."""
    lines = [f"== {out['workload']}" + (f", scale {out['scale']:g}" if out["scale"] != 1 else "")]
    for name, p in out.get("programs", {}).items():
        lines.append(
            f"{name:14} processor time {_percent(p['cpu_ratio'])}, "
            f"time {_percent(p['time_ratio'])}; "
            f"{_spread(p['us_each'])} us more for each {p['unit']} ({p['unit_ms']:.2f} ms alone), "
            f"{p['watchdog_us_each']:.1f} of them the watchdog's [{p['pairs']} pairs]"
        )
    if "rss_mb" in out:
        lines[0] += f": {out['rss_mb']:,.0f} MB resident"
    columns = "{:7} {:7} {:>21} {:>18} {:>9} {:>9} {:>8} {:>10} {:>7} {:>8} {:>8} {:>10}"
    if out.get("modes"):
        lines.append(
            columns.format(
                "asked",
                "mode",
                "pause felt, ms",
                "undisturbed, ms",
                "told, ms",
                "total, s",
                "objects",
                "objects/s",
                "B/obj",
                "peak MB",
                "grown MB",
                "pass, ms",
            )  # fmt: skip
        )
    for asked, m in out.get("modes", {}).items():
        lines.append(
            columns.format(
                asked,
                m["mode"],
                _spread(m["pause_felt_ms"]),
                _spread(m["quiet_gap_ms"]),
                f"{m['pause_told_ms']['median']:.1f}",
                f"{m['total_s']['median']:.2f}",
                f"{m['objects']:,}",
                f"{m['objects_per_s']['median']:,.0f}",
                f"{m['bytes_per_object']['median']:.1f}",
                f"{m['peak_mb']['median']:.0f}",
                f"{m['growth_after_pass_mb']['median']:.1f}",
                f"{m['pass_after_s']['median'] * 1e3:.1f}",
            )
        )
        if "client_ms" in m:
            lines.append(
                f"        a client waited for {_spread(m['client_ms'])} ms at most; "
                f"{_spread(m['client_quiet_ms'])} ms undisturbed"
            )
    if "pass_before_s" in out:
        lines.append(f"pass over all objects before the dumps: {out['pass_before_s'] * 1e3:.1f} ms")
    if "copy_over_bulk" in out:
        bulk = out["bulk_read"]
        lines.append(
            f"copy mode: pause told {out['copy_over_bulk']:.2f} times a plain read of "
            f"{bulk['bulk_read_mb']['median']:.0f} MB ({_spread(bulk['bulk_read_ms'])} ms)"
        )
    if "fork_over_own" in out:
        lines.append(
            f"fork mode: pause told {out['fork_over_own']:.2f} times a fork that the process "
            f"makes by itself ({_spread(out['own_fork']['own_fork_ms'])} ms)"
        )
    if "opening" in out:
        o = out["opening"]
        lines.append(
            f"opening: {_spread(o['open_more_ms'], 0)} ms more than pdb "
            f"({o['pdb_ms']['median']:.0f} ms); first p: {_spread(o['first_p_ms'])} ms"
        )
    for peer, found in out.get("peers", {}).items():
        if "not" in found:
            lines.append(f"{peer:10} not: {found['not']}")
        if "pause_felt_ms" not in found:
            continue
        bits = [f"pause felt {_spread(found['pause_felt_ms'])} ms"]
        bits.append(f"total {found['total_s']['median']:.2f} s")
        bits.append(f"{found['bytes']['median']:,.0f} bytes")
        if "objects_per_s" in found:
            bits.append(f"{found['objects']:,} objects, {found['objects_per_s']['median']:,.0f}/s")
        lines.append(f"{peer:10} " + ", ".join(bits) + f" [{found['runs']} runs]")
        words = {**COMPARED, "bytes": "bytes"}
        over = found.get("ratios", {})
        lines.append(
            f"           times {found.get('beside')}: "
            + ", ".join(f"{words[k]} {v:.2f}" for k, v in over.items())
        )
    lines += [f"note: {note}" for note in out["notes"]]
    return "\n".join(lines)


def machine(args: argparse.Namespace) -> Row:
    version = subprocess.run([args.python, "-V"], capture_output=True, text=True).stdout.strip()
    return {
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": version,
        "quick": args.quick,
    }


def main() -> int:
    known = [*WORKLOADS, GUARDED]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pydumpd", required=True)
    parser.add_argument("--python", default=sys.executable, help="that the targets run with")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--peers-env", help="folder of the peers' environment")
    parser.add_argument(
        "--quick", action="store_true", help="smaller and fewer, once; ends in two minutes"
    )
    parser.add_argument("--runs", type=int, default=0, help="of each mode")
    parser.add_argument("--pairs", type=int, default=0, help="of phases, of each program of run")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the workloads")
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(known)}")
    args = parser.parse_args()
    for name in args.workloads:
        if name not in known:
            parser.error(f"no workload {name!r}: one of {', '.join(known)}")
    args.pydumpd = str(Path(args.pydumpd).resolve())
    args.peers_env = args.peers_env or str(Path(args.pydumpd).parent / "bench-env")
    all_of_them = [name for name, w in WORKLOADS.items() if w.quick] if args.quick else known
    chosen = args.workloads or all_of_them
    about = machine(args)
    if not args.json:
        print(f"{about['python']}, {about['cpus']} CPUs, load {about['load']:.1f} at the start")
        print("medians (least-most); see tests/bench/README.md", flush=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="pydumpd-bench-") as folder:
        bench = Bench(args, Path(folder))
        if bench.env is not None:
            for name, why in bench.env.missing.items():
                if not args.json:
                    print(f"note: {name}: {why}")
            about["peers"] = {
                p: bench.env.version(p) for p in peers.PEERS[:3] if p not in bench.env.missing
            }
        for name in chosen:
            rows.append(bench.guarded() if name == GUARDED else bench.workload(name))
            progress("")
            if not args.json:
                print("\n" + shown(rows[-1]), flush=True)
    if args.json:
        told = {"machine": about, "workloads": rows, "standing": standing(rows)}
        print(json.dumps(told, indent=1))
    elif bench.env is not None:
        print("\n" + shown_standing(rows))
    return 1 if any(n.startswith("failed") for r in rows for n in r["notes"]) else 0


if __name__ == "__main__":
    sys.exit(main())
