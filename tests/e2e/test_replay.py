# SPDX-License-Identifier: Apache-2.0
"""What threads are changing is shown as it was at the pause, to the last step."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import attach, open_dump, start_script
from interpreters import Interpreter


def differences(path: Path) -> list[str]:
    """Values that are neither as before nor as after the step that had begun."""
    from pydumpd import NotDumpedError
    from replay import following, fresh, step, values

    wrong, seen = [], 0
    with open_dump(path) as dump:
        for thread in dump.threads:
            frame = next((f for f in thread.frames if f.name == "change"), None)
            if frame is None or "done" not in frame.locals:
                continue
            names = frame.locals
            state, x, possible = fresh(), names["seed"], []
            for number in range(names["begun"] + 1):
                if number >= names["done"]:
                    possible.append(values(state))
                x = following(x)
                call, arguments = step(state, x)
                call(*arguments)
            for name in possible[0]:
                try:
                    shown = values({**fresh(), name: names["state"][name]})[name]
                except NotDumpedError:
                    continue  # it says that it was in the middle of the step
                seen += 1
                if shown not in [p[name] for p in possible]:
                    wrong.append(f"{name} at step {names['begun']} of seed {names['seed']}")
    return wrong if seen else ["nothing was seen"]


@pytest.mark.parametrize("mode", ["copy", "fork", "stop"])
@pytest.mark.versions((3, 8), (3, 13))  # how containers are read other tests have for all
def test_as_it_was_at_the_pause(interpreter: Interpreter, tmp_path: Path, mode: str) -> None:
    wrong = []
    for number in range(3):
        path = tmp_path / str(number)
        with start_script(interpreter, "replay.py") as target:
            assert target.line() == "ready"
            attach(target, path, f"--capture={mode}", "--native=off", "--no-globals", "--no-redact")
            assert target.unharmed()
        wrong = differences(path)
        # C code may be caught between two stores: not three times in a row.
        if not wrong:
            break
    assert not wrong
