# SPDX-License-Identifier: Apache-2.0
"""A dump that limits keep small: all it reads is kept while the process stands."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import harness
import pytest
from harness import BUILD, Target, attach, open_dump, pydumpd, record, start_code, thread_with
from interpreters import Interpreter

# Behind a churn(): it goes on until the standard input ends.
RUN = """
def end():
    sys.stdin.read()

threading.Thread(target=churn, daemon=True).start()
threading.Thread(target=end).start()
"""

# One thread writes the same number everywhere, place by place, and goes on to
# the next: at any moment each place has the number of the one before it, or
# the one before that number.
CHURN = """
import sys, threading

class Box:
    pass

def churn():
    numbers, table, box = [1000] * 300, dict.fromkeys(map(str, range(60)), 1000), Box()
    box.number, number = 1000, 1000
    told = False
    while True:
        number += 1
        for i in range(300):
            numbers[i] = number * 1000003
        for key in table:
            table[key] = number * 1000003
        box.number = number * 1000003
        text = "%d " % number * 40
        if not told:
            told = True
            print("ready", flush=True)
"""

# All of it moves: objects are made and freed, frames come and go, and another
# part of a heap is in reach each time. Whatever has `number` in it has the one
# of its moment.
MOVING = """
import sys, threading

SCALE = 1000003

class Box:
    pass

heap = [[[[(i * SCALE, str(i), [i, -i], {"k": i}) for i in range(20000)]]]]

def step(box, number, depth, seed, chain):
    mine = number * SCALE
    if depth:
        return step(box, number, depth - 1, seed, chain + [mine])
    for i in range(20):
        seed = (seed * 1103515245 + 12345) % (1 << 31)
        cell = heap[0][0][0][seed % 20000]
        box.state = (mine, [mine] * (seed % 50), {str(j): mine for j in range(seed % 20)})
        text, data = "%d " % mine * 40, b"%d " % mine * 40
        items, power = {mine + j for j in range(seed % 30)}, mine ** 5
    return seed

def churn():
    box, number, seed, told = Box(), 1000, 1, False
    box.state = (number * SCALE, [], {})
    places = [[number * SCALE] for _ in range(40)]
    while True:
        number += 1
        for i in range(40):
            places[i] = [number * SCALE, str(number * SCALE)]
        seed = step(box, number, number % 12, seed, [])
        if not told:
            told = True
            print("ready", flush=True)
"""

# Nothing in it changes. A secret is in reach under another name.
STILL = """
import sys, threading

class Account:
    def __init__(self, name):
        self.name, self.password, self.rows = name, "horse battery staple", [[i] for i in range(70)]
        self.passwords = ["correct %d donkey" % i for i in range(60)]

def hold(depth, account, **more):
    lock = threading.Lock()
    lock.acquire()
    text, data, numbers = "text " * 4000, b"data" * 9000, list(range(900))
    table = {i: "value %d" % i for i in range(300)}
    same, passwords = account.password, account.passwords
    last = passwords[59]
    settings = {"api_key": "sk_live_51Hq8RmZb0xYw", "nested": {"deep": [1, 2.5, 3j, None]}}
    if depth:
        return hold(depth - 1, account, again=account)
    print("ready", flush=True)
    lock.acquire()

for i in range(2):
    threading.Thread(target=hold, args=(15, Account("a%d" % i)), daemon=True).start()
sys.stdin.read()
"""


def verbose(target: Target, path: Path, *args: str) -> str:
    """A dump in mode stop out of what was kept."""
    said = attach(target, path, "-v", "--capture=stop", *args)
    assert "rehearsed: " in said and "kept while it stood" in said, said
    assert record(path, "header")["capture"]["mode"] == "stop"
    return said


def settled(value: Any, native: bool = False) -> Any:
    """What does not depend on when the dump was made, or how fast."""
    passing = {"time", "capture", "pause_ns", "walk_ns", "total_ns", "toc", "size", "left_ns",
               "rss", "sure", "file", "path", "file_bytes"}  # fmt: skip
    if native:  # there is a second for lines of C
        passing |= {"line", "inlined"}
    if isinstance(value, dict):
        return {
            k: settled(v, native or k == "native") for k, v in value.items() if k not in passing
        }
    if isinstance(value, list):
        return [settled(v, native) for v in value]
    return value.partition(", time left")[0] if isinstance(value, str) else value


def shown(path: Path) -> Any:
    done = pydumpd("show", "--json", path)
    assert done.returncode == 0, done.stderr
    return settled(json.loads(done.stdout))


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for k in {**a, **b} for d in differences(a.get(k), b.get(k), f"{where}/{k}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, v in enumerate(a) for d in differences(v, b[i], f"{where}/{i}")]
    return [] if a == b else [f"{where}: {a} != {b}"]


def objects(path: Path) -> list[str]:
    """A line for each object."""
    done = subprocess.run([BUILD / "dumptool", "read", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


def rest(target: Target, folder: Path) -> None:
    """Until none of its threads runs any more."""
    looks = []
    while len(looks) < 3 or looks[-1] != looks[-2]:
        path = folder / f"look{len(looks)}"
        attach(target, path, "--capture=copy", "--depth=1", "--no-redact", "--native=off")
        looks.append(shown(path))


def test_of_one_moment(interpreter: Interpreter, tmp_path: Path) -> None:
    with start_code(interpreter, CHURN + RUN) as target:
        assert target.line() == "ready"
        for number in range(4):
            path = tmp_path / str(number)
            verbose(target, path, "--depth=3", *(["--no-globals"] if number % 2 else []))
            with open_dump(path) as dump:
                frame = next(f for f in thread_with(dump, "churn").frames if f.name == "churn")
                values = frame.locals
                places = [*values["numbers"], *values["table"].values(), values["box"].number]
            places = [p // 1000003 for p in places if p != 1000]
            assert len(places) > 300
            assert places == sorted(places, reverse=True), places
            assert values["number"] - 1 <= places[-1] <= places[0] <= values["number"], places
            assert all(p * 1000003 % 1000003 == 0 for p in places)
        assert target.unharmed()


def check_step(values: dict[str, Any], mine: int) -> None:
    """The frame of step() that changes things; what is half made is missing."""
    assert values["mine"] == mine
    assert all(c == mine for c in values["chain"])
    cell = values.get("cell")
    if cell is not None:
        i = cell[0] // 1000003
        assert cell == (i * 1000003, str(i), [i, -i], {"k": i})
    for name, want in [("text", "%d " % mine * 40), ("data", b"%d " % mine * 40)]:
        assert values.get(name, want) == want, name
    # One that is being made may be in one of them.
    assert values.get("power", mine**5) == mine**5
    items = values.get("items", set())
    assert items == {mine + j for j in range(len(items))}


@pytest.mark.versions((3, 7), (3, 12), (3, 15))
def test_of_one_moment_in_motion(interpreter: Interpreter, tmp_path: Path) -> None:
    """What was read in two stops is never put together."""
    with start_code(interpreter, MOVING + RUN) as target:
        assert target.line() == "ready"
        for number in range(4):
            path = tmp_path / str(number)
            limit = ["--depth=5", "--max-objects=3000"][number % 2]
            verbose(target, path, limit, "--native=off", "--no-redact")
            with open_dump(path) as dump:
                frames = thread_with(dump, "churn").frames
                churn = next(f for f in frames if f.name == "churn").locals
                mine = churn["number"] * 1000003
                places = [p[0] for p in churn["places"]]
                assert places == sorted(places, reverse=True), places
                assert mine - 1000003 <= places[-1] <= places[0] <= mine
                assert all(str(p[0]) == p[1] for p in churn["places"] if len(p) > 1)
                for frame in frames:
                    if frame.name == "step":
                        check_step(frame.locals, mine)
                state = churn["box"].state
                assert state[0] in (mine, mine - 1000003)
                assert all(x == state[0] for x in [*state[1], *state[2].values()])
        assert target.unharmed()


def compare_modes(interpreter: Interpreter, tmp_path: Path, limits: list[str]) -> None:
    with start_code(interpreter, STILL) as target:
        assert (target.line(), target.line()) == ("ready", "ready")
        # Both threads wait; and the first stop restarts their calls, which shows.
        rest(target, tmp_path)
        stop = tmp_path / "stop"
        said = verbose(target, stop, "--no-redact", *limits)
        assert "all that is needed was read at once" in said
        for mode in ["copy", "fork"][: 2 if interpreter.root is None else 1]:
            path = tmp_path / mode
            attach(target, path, f"--capture={mode}", "--no-redact", *limits)
            assert objects(path) == objects(stop), said
            assert not differences(shown(path), shown(stop)), said
        verbose(target, tmp_path / "clean", *limits)
        hidden = b"horse battery".hex(), b"59 donkey".hex(), b"sk_live".hex()
        assert all(any(h in line for line in objects(stop)) for h in hidden[:2])
        assert not any(h in line for h in hidden for line in objects(tmp_path / "clean"))
        assert "horse battery" not in json.dumps(shown(tmp_path / "clean"))
        assert target.unharmed()


@pytest.mark.parametrize(
    "limits", [["--depth=1", "--no-globals"], ["--max-objects=600"]], ids="-".join
)
def test_the_same_in_each_mode(interpreter: Interpreter, tmp_path: Path, limits: list[str]) -> None:
    compare_modes(interpreter, tmp_path, limits)


@pytest.mark.versions((3, 8), (3, 12), (3, 15))  # most of it is no other than at depth 1
def test_the_same_at_depth_3(interpreter: Interpreter, tmp_path: Path) -> None:
    compare_modes(interpreter, tmp_path, ["--depth=3"])


# A list that takes a while to read; what it is asked it answers.
LARGE = """
import sys

def hold(n):
    big = [None] * n
    print("ready", flush=True)
    for line in sys.stdin:
        print(len(big), big.count(None), flush=True)

hold(int(sys.argv[1]))
"""


def traced(target: Target) -> bool:
    return "TracerPid:\t0" not in Path(f"/proc/{target.pid}/status").read_text()


@pytest.mark.versions((3, 8), (3, 13))  # it is the same for all
def test_killed_while_it_reads(interpreter: Interpreter, tmp_path: Path) -> None:
    """The process runs on, whatever became of the dumper."""
    n = 5_000_000
    argv = ["attach", "-q", "--capture=stop", "--depth=1", "-o", str(tmp_path / "d")]
    with start_code(interpreter, LARGE, str(n)) as target:
        assert target.line() == "ready"
        for _ in range(3):
            dumper = subprocess.Popen([str(harness.PYDUMPD), *argv, str(target.pid)])
            while not traced(target) and dumper.poll() is None:
                pass
            dumper.kill()
            dumper.wait()
            assert target.ask("") == f"{n} {n}"
            deadline = time.monotonic() + harness.PATIENCE
            while not target.unharmed():
                assert time.monotonic() < deadline
            for left in tmp_path.iterdir():
                left.unlink()
        verbose(target, tmp_path / "d", "--depth=1")
        with open_dump(tmp_path / "d") as dump:
            assert len(thread_with(dump, "hold").frames[0].locals["big"]) == n
        target.close_input()
        assert target.wait() == 0


def test_more_than_is_kept(one: Interpreter, tmp_path: Path) -> None:
    """It stands for all of it, as for a dump without limits."""
    n = 9_000_000
    with start_code(one, LARGE, str(n)) as target:
        assert target.line() == "ready"
        said = attach(target, tmp_path / "d", "-v", "--capture=stop", "--depth=1")
        assert "rehearsed: more is read than can be kept" in said and "kept while" not in said
        with open_dump(tmp_path / "d") as dump:
            assert len(thread_with(dump, "hold").frames[0].locals["big"]) == n
        # Another way is there for those who let it choose.
        said = attach(target, tmp_path / "auto", "-v", "--depth=1")
        assert "capture: fork" in said or "capture: copy" in said, said
        assert target.ask("") == f"{n} {n}"


CODE = """
import mmap, sys, threading

def hold(code):
    lock = threading.Lock()
    lock.acquire()
    print("ready", flush=True)
    lock.acquire()

code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
                 prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
threading.Thread(target=hold, args=(code,), daemon=True).start()
sys.stdin.read()
"""


def test_code_in_no_file(one: Interpreter, tmp_path: Path) -> None:
    """It may change: native stacks are unwound before the process runs."""
    with start_code(one, CODE) as target:
        assert target.line() == "ready"
        rest(target, tmp_path)
        said = verbose(target, tmp_path / "d", "--depth=1")
        assert "unwound while it stands: there is code that is in no file" in said
        assert "all that is needed was read at once" not in said
        attach(target, tmp_path / "copy", "--capture=copy", "--depth=1")
        a, b = shown(tmp_path / "d"), shown(tmp_path / "copy")
        assert all(t["native"] for t in a["threads"])
        assert not differences(a["threads"], b["threads"]), said


def test_auto_says_why(one: Interpreter, tmp_path: Path) -> None:
    with start_code(one, STILL) as target:
        assert (target.line(), target.line()) == ("ready", "ready")
        near = attach(target, tmp_path / "near", "-v", "--depth=1", "--no-globals")
        assert "rehearsed: " in near
        assert ("capture: stop (to read what the limits leave" in near) == (
            record(tmp_path / "near", "header")["capture"]["mode"] == "stop"
        )
        for number, far in enumerate(([], ["--depth=1", "--gc"], ["--capture=copy", "--depth=1"])):
            assert "rehearsed" not in attach(target, tmp_path / str(number), "-v", *far)


def test_max_pause(one: Interpreter, tmp_path: Path) -> None:
    with start_code(one, LARGE, "1000000") as target:
        assert target.line() == "ready"
        limits = ["--capture=stop", "--depth=1"]
        verbose(target, tmp_path / "d", *limits, "--max-pause=100000")
        assert not record(tmp_path / "d", "end")["cut"].get("timeout")
        argv = ["attach", target.pid, "-o", tmp_path / "e", *limits]
        done = pydumpd(*argv, "--max-pause=0.01")
        assert done.returncode == 1
        assert "--max-pause" in done.stderr or "did not stop in time" in done.stderr
        assert not (tmp_path / "e").exists()
        done = pydumpd(*argv, "--timeout=0.0001")
        assert done.returncode == 0, done.stderr
        assert record(tmp_path / "e", "end")["cut"].get("timeout")
        assert target.ask("") == "1000000 1000000"
        assert target.unharmed()
