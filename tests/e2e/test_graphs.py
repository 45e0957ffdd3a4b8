# SPDX-License-Identifier: Apache-2.0
"""Random object graphs are shown as the target tells them."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import harness
import pytest
from compare import first_difference
from harness import attach, open_dump, start_script
from interpreters import Interpreter

# PYDUMPD_GRAPHS=1000 for a longer run.
COUNT = int(os.environ.get("PYDUMPD_GRAPHS") or 100)
# Other graphs every time, and the same ones again when asked for.
SEED = int(os.environ.get("PYDUMPD_SEED") or random.SystemRandom().randrange(10**9))


@pytest.mark.every_build
def test_graphs(interpreter: Interpreter, tmp_path: Path) -> None:
    from canon import Canon

    path = tmp_path / "graphs.pydump"
    told = []
    with start_script(interpreter, "graphs.py", str(SEED), str(COUNT)) as target:
        while (line := target.line()) != "ready":
            told.append(json.loads(line))
        # Random text may look like a secret.
        attach(target, path, "--no-redact")
        target.close_input()
        assert target.wait() == 0
    assert len(told) == COUNT
    problems = []
    with open_dump(path) as dump:
        frame = harness.thread_with(dump, "hold_graphs").frames[0]
        graphs = frame.locals["graphs"]
        assert len(graphs) == COUNT
        for number, (truth, graph) in enumerate(zip(told, graphs)):
            try:
                shown = json.loads(json.dumps(Canon(standard=True, consume=True).of(graph)))
            except Exception as error:
                problems.append(f"seed {SEED + number}: {type(error).__name__}: {error}")
                continue
            if shown != truth:
                difference = first_difference(truth, shown)
                problems.append(f"seed {SEED + number}: {difference}")
    assert not problems, f"{len(problems)} of {COUNT} differ:\n" + "\n".join(problems[:20])
