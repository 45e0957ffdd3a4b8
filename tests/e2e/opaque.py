# SPDX-License-Identifier: Apache-2.0
"""How much of a dump is opaque: objects of C types with bytes that no
attribute, field, dict or list of weak references accounts for.

    opaque.py DUMP [LINES]     prints the share, and the types that make it
"""

from __future__ import annotations

import collections
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "loader"))

POINTER, SLOT, MEMBER, DICT, GUESS, INLINE = 8, 1, 3, 2, 4, 0


class Share:
    """Objects by type: how many there are, and how many are opaque."""

    def __init__(self, dump: Any) -> None:
        self.graph = dump.graph
        self.total: collections.Counter[int] = collections.Counter()
        self.hidden: collections.Counter[int] = collections.Counter()
        self.why: dict[int, str] = {}
        for rec in records(dump):
            self.total[rec.type] += 1
            if rec.kind.name == "object" and self.unaccounted(rec):
                self.hidden[rec.type] += 1

    def basicsize(self, at: int) -> int:
        rec = self.graph.record(at)
        if rec is None or rec.kind.name != "type":
            return 0
        numbers = rec.data.partition(b"\0")[2].partition(b"\0")[2]
        return int.from_bytes(numbers[:8], "little")

    def unaccounted(self, rec: Any) -> int:
        """Bytes of its C types that nothing shown stands for."""
        classes = self.graph.classes
        header = 16
        for owner in classes.mro(rec.type):
            name = classes.name(owner)
            if name == "object":
                header = self.basicsize(owner) or header
            elif classes.is_c(owner):
                break
        else:
            return 0
        size = self.basicsize(owner) - header
        named = [(o, n) for o, n in rec.shape if o in (SLOT, MEMBER)]
        size -= POINTER * len(named)
        if any(o in (DICT, INLINE) for o, _ in rec.shape):
            size -= POINTER
        # A list of weak references: the dump does not say whether there is one.
        size -= POINTER
        if size > 0 and rec.type not in self.why:
            guesses = sum(o == GUESS for o, _ in rec.shape)
            self.why[rec.type] = f"{size} bytes of {classes.name(owner)}, {guesses} guesses"
        return max(size, 0)

    @property
    def percent(self) -> float:
        return 100.0 * sum(self.hidden.values()) / max(sum(self.total.values()), 1)

    def lines(self, count: int = 15) -> list[str]:
        out = [f"{self.percent:.2f} % of {sum(self.total.values())} objects are opaque"]
        for at, n in self.hidden.most_common(count):
            out.append(f"  {n:6} {self.graph.classes.name(at) or hex(at)} ({self.why[at]})")
        return out


def records(dump: Any) -> Any:
    """Every record of a dump."""
    for addr in dump.file.addresses():
        rec = dump.graph.record(addr)
        if rec is not None:
            yield rec


def main() -> int:
    import pydumpd

    with pydumpd.open(sys.argv[1]) as dump:
        print("\n".join(Share(dump).lines(int(sys.argv[2]) if len(sys.argv) > 2 else 15)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
