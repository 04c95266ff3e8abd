# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What became of the jobs that faults struck, as the table of docs/reliability.md.

Tests print it (`pytest -s`). With TRANSPROC_FAULTS=DIR they also keep each outcome there, and

    python -m tests.native.outcomes DIR

writes the table of all of them, which may come from several runs of pytest beside each other, into the document.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from transproc.run import output

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "reliability.md"
_TABLE = re.compile(r"(?<=<!-- faults -->\n).*?(?=<!-- end of faults -->)", re.DOTALL)


class Outcome(NamedTuple):
    """`operation`, and `what` struck it; `became`: of the job."""

    operation: str
    what: str
    became: str


class Outcomes(list[Outcome]):
    """Those of one run."""

    def add(self, operation: str, what: str, became: str) -> None:
        """Keeps one more."""
        self.append(Outcome(operation, what, became))
        if place := os.environ.get("TRANSPROC_FAULTS"):
            with (Path(place) / f"{os.getpid()}.jsonl").open("a") as file:
                file.write(json.dumps(self[-1]) + "\n")


def kept(place: Path) -> list[Outcome]:
    """Those of all runs that were told to keep them there."""
    lines = [line for path in sorted(place.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [Outcome(*json.loads(line)) for line in lines]


def report(outcomes: Iterable[Outcome]) -> str:
    """A table: what was done, how often, and what became of the job."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for operation, what, became in outcomes:
        counts[operation, what][became] += 1
    order = list(dict.fromkeys(operation for operation, _ in counts))
    lines = ["| operation | fault | times | what became of the job |", "|---|---|---|---|"]
    for (operation, what), found in sorted(
        counts.items(), key=lambda row: (order.index(row[0][0]), row[0][1])
    ):
        words = ", ".join(f"{became} {count}" for became, count in found.most_common())
        lines.append(f"| {operation} | {what} | {found.total()} | {words} |")
    return "\n".join(lines)


def main(place: Path) -> None:
    """Writes the document anew."""
    outcomes = kept(place)
    commit = output(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).strip()
    head = f"{len(outcomes)} faults, {time.strftime('%-d %B %Y')}, commit {commit}:\n\n"
    text, count = _TABLE.subn(lambda _: f"{head}{report(outcomes)}\n", DOCUMENT.read_text())
    assert count == 1, f"{DOCUMENT}: no place for the table"
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
