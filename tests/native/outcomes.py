# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What became of the jobs that faults struck, as the table of docs/reliability.md.

Tests print it (`pytest -s`). With TRANSPROC_FAULTS=DIR they also keep each outcome there, and

    python -m tests.native.outcomes DIR

writes the table of all of them, which may come from several runs of pytest beside each other, into the document. A row
that was not struck anew, as often, stays with its commit.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from transproc.run import output

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "docs" / "reliability.md"
HEAD = ["operation", "fault", "times", "what became of the job", "commit"]
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
            Path(place).mkdir(parents=True, exist_ok=True)
            with (Path(place) / f"{os.getpid()}.jsonl").open("a") as file:
                file.write(json.dumps(self[-1]) + "\n")


def kept(place: Path) -> list[Outcome]:
    """Those of all runs that were told to keep them there."""
    lines = [line for path in sorted(place.glob("*.jsonl")) for line in path.read_text().splitlines()]
    return [Outcome(*json.loads(line)) for line in lines]


def counted(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], tuple[str, str]]:
    """By operation and fault: how often, and what became of the jobs."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for operation, what, became in outcomes:
        counts[operation, what][became] += 1
    return {
        key: (str(found.total()), ", ".join(f"{became} {count}" for became, count in found.most_common()))
        for key, found in counts.items()
    }


def report(outcomes: Iterable[Outcome]) -> str:
    """A table: what was done, how often, and what became of the job."""
    rows = counted(outcomes)
    order = list(dict.fromkeys(operation for operation, _ in rows))
    listed = sorted(rows.items(), key=lambda row: (order.index(row[0][0]), row[0][1]))
    return "\n".join([*_head(HEAD[:-1]), *(f"| {' | '.join([*key, *row])} |" for key, row in listed)])


def _head(words: list[str]) -> list[str]:
    return [f"| {' | '.join(words)} |", "|---" * len(words) + "|"]


def rows_of(table: str) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Times, what became of the jobs, and the commit, by operation and fault."""
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]
    return {
        (row[0], row[1]): (row[2], row[3], row[4])
        for row in rows
        if len(row) == len(HEAD) and row[2].isdecimal()
    }


def merged(
    table: str, outcomes: Iterable[Outcome], commit: str, day: Callable[[str], str] = lambda commit: commit
) -> str:
    """The table, with what was struck anew at a commit, at least as often as before; sorted as it was. `day`: of a commit."""
    rows = rows_of(table)
    for key, (times, became) in counted(outcomes).items():
        if key not in rows or int(times) >= int(rows[key][0]):
            rows[key] = times, became, commit
    order = list(dict.fromkeys(operation for operation, _ in rows))
    listed = sorted(rows.items(), key=lambda row: (order.index(row[0][0]), row[0][1]))
    total = sum(int(times) for times, _, _ in rows.values())
    days = sorted(day(commit) for _, _, commit in rows.values())
    what = f"{total:,} faults, each row at the commit that it names, of {days[0]} to {days[-1]}:"
    lines = [what, "", *_head(HEAD)]
    return "\n".join([*lines, *(f"| {' | '.join([*key, *row])} |" for key, row in listed)]) + "\n"


def _day(commit: str) -> str:
    return output(["git", "-C", ROOT, "show", "-s", "--format=%cs", commit]).strip()


def main(place: Path) -> None:
    """Writes the document anew."""
    commit = output(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"]).strip()
    document = DOCUMENT.read_text()
    text, count = _TABLE.subn(lambda found: merged(found[0], kept(place), commit, _day), document)
    assert count == 1, f"{DOCUMENT}: no place for the table"
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
