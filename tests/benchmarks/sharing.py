# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Several programs that are moved at once over one link: what each gets of it, with `--bandwidth` and without.

Measured while the memory of all of them goes ahead: from when the last has begun with that until the first has done it.
"""

from __future__ import annotations

import time
from bisect import bisect
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier

from tests.benchmarks import moving
from tests.benchmarks.native import Bench
from transproc import log
from transproc.cluster.events import Silent
from transproc.cluster.phase import Phase
from transproc.cluster.start import Program
from transproc.process.criu import Options

LINKS = {"100mbit": 64, "1gbit": 256}
"""Megabytes of each program; from 256 on they go straight from node to node."""
LIMIT = 2_000_000
"""Bytes a second (`--bandwidth`)."""
CASES: dict[str, list[int | None]] = {
    "one": [None],
    "three": [None] * 3,
    "three, 2 MB/s each": [LIMIT] * 3,
    "three, the first with 2 MB/s": [LIMIT, None, None],
}
"""The limits of those that are moved at once."""


@dataclass
class Shared:
    """What each of some programs got of a link."""

    link: str
    case: str
    rates: list[float]
    """Bytes a second."""
    seconds: list[float]
    """Until the memory of each had gone ahead."""

    @property
    def total(self) -> float:
        """Bytes a second, of all."""
        return sum(self.rates)

    @property
    def ratio(self) -> float:
        """The most to the least of those with the same limit."""
        limits = CASES[self.case]
        alike = [
            [r for r, one in zip(self.rates, limits, strict=True) if one == limit] for limit in {*limits}
        ]
        return max(max(rates) / min(rates) for rates in alike)


class _Ahead(Silent):
    """Hears how much of a program's memory has gone ahead, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, int]] = []
        """Seconds of the monotonic clock, and bytes that have gone by then."""
        self.end = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[log.Step]:
        """As `Events` says."""
        with super().step(name) as step:
            if name != Phase.PRECOPY:
                yield step
                return
            step.hear = lambda done, total: self.told.append((time.monotonic(), done))
            step.progress(0, 0)
            yield step
            self.end = time.monotonic()

    @property
    def begin(self) -> float:
        """When it began."""
        return self.told[0][0]

    def at(self, moment: float) -> float:
        """Bytes that had gone by then."""
        number = min(max(bisect(self.told, (moment, 0)), 1), len(self.told) - 1)
        (before, less), (after, more) = self.told[number - 1 : number + 1]
        return less + (more - less) * (moment - before) / max(after - before, 1e-6)


def measure(link: str, work: Path, *, rounds: int = 1, cases: Sequence[str] = tuple(CASES)) -> list[Shared]:
    """Each case so often, in turn."""
    words = [str(moving.compiled(work)), str(LINKS[link]), str(moving.PERMILLE)]
    with ExitStack() as stack, log.step(f"several at once, {link}"):
        directory, machines = moving.nodes(stack, link, work)
        benches = []
        for number in range(max(map(len, CASES.values()))):
            (place := directory / f"of{number}").mkdir()
            benches.append(Bench(machines, place, Program(words), name=f"bench{number}"))
            stack.callback(benches[-1].close)
        found = [_move(benches, link, case) for _ in range(rounds) for case in cases]
        for bench in benches:
            moving.expect_right(bench)
    return found


def _move(benches: list[Bench], link: str, case: str) -> Shared:
    for bench in benches:
        if bench.job.node != benches[-1].job.node:
            bench.migration().run()  # all go the same way
    limits = CASES[case]
    together = Barrier(len(limits))

    def one(bench: Bench, limit: int | None) -> _Ahead:
        heard = _Ahead()
        migration = bench.migration(Options(precopy=True, rate=limit), heard)
        together.wait()
        migration.run()
        return heard

    with ThreadPoolExecutor(len(limits)) as pool:
        heard = list(pool.map(one, benches, limits))
    begin, end = max(each.begin for each in heard), min(each.end for each in heard)
    rates = [(each.at(end) - each.at(begin)) / (end - begin) for each in heard]
    shared = Shared(link, case, rates, [each.end - each.begin for each in heard])
    log.note(f"{case}: {', '.join(f'{rate / 1e6:.2f}' for rate in rates)} MB/s")
    return shared
