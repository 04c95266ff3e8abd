# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Downtime of migrations between ISAs, against CRIU's own dump and restore within one ISA, over the same connections.

The yardstick is what any migration by CRIU costs: dump, copy of images and files to the host and back to a node of the same ISA,
restore. Both are measured in one run, on the same two nodes, with the same program; only ratios mean something where nodes are
emulated.
"""

from __future__ import annotations

import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.workloads import WITH_PASS, within
from transproc import log
from transproc.cli import common
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.operations import discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.paths import SOURCE
from transproc.transform import pipeline

PROGRAMS = {
    "nbody": (SOURCE / "examples/nbody/nbody.c", ["1000", "500000"]),
    "threads": (SOURCE / "tests/programs/threads.c", ["100000000"]),
    "64 MB": (SOURCE / "tests/programs/big.c", ["64", "1000000"]),
}
NODES = ("x86", "arm")
SETTLE = 3.0
"""Seconds for which a program runs before and between migrations."""


@dataclass
class Downtime:
    """Seconds; `across` in both directions, `within` for each ISA in the nodes' order."""

    name: str
    across: list[float] = field(default_factory=list)
    within: list[float] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)
    """Medians of a migration's steps."""

    @property
    def ratio(self) -> float:
        """Of medians."""
        return statistics.median(self.across) / statistics.median(self.within)


def measure(name: str, directory: Path, *, rounds: int) -> Downtime:
    """Each round: within the first ISA, to the second, within the second, and back."""
    source, arguments = PROGRAMS[name]
    WITH_PASS.build(source, directory)
    program = Program([str(directory / f"{source.stem}.pass"), *arguments])
    context = common.context()
    store = context.store
    job = Job(store.free_name("bench-downtime"), NODES[0], [program.name, *arguments])
    result = Downtime(name)
    hops = []
    with log.step(f"downtime of {name}") as step:
        try:
            start(store, common.place_of(job), program)
            for number in range(2 * rounds):
                time.sleep(SETTLE)
                result.within.append(_within(store, job))
                time.sleep(SETTLE)
                target = common.place_of(job, NODES[(number + 1) % 2])
                migration = Migration(store, job, common.place_of(job), target, transform=pipeline.carry)
                hops.append(migration.run())
        finally:
            discard(context, job.name)
        result.across = [hop.downtime for hop in hops]
        result.steps = {key: statistics.median(hop.steps[key] for hop in hops) for key in hops[0].steps}
        step.detail = f"{result.ratio:.2f}"
    return result


def _within(store: JobStore, job: Job) -> float:
    """CRIU alone, with no pause and no transformation: from the dump's beginning until the program runs again."""
    place: Place = common.place_of(job)
    here = store.move(job.name) / "images" / "dump"
    shutil.rmtree(here, ignore_errors=True)
    place.make_images()
    begin = time.perf_counter()
    place.criu.dump(job.pid, place.dump, prefix=within(job.pid))
    with ThreadPoolExecutor(1) as pool:
        data = pool.submit(_copy_data, place, store.move(job.name) / "data")
        place.node.get(place.dump, here)
        place.node.put(here, f"{place.images}/image")
        data.result()
    seconds = time.perf_counter() - begin
    place.kill(job.pid, moved=True)  # elsewhere it would not have to be gone before the copy is there
    begin = time.perf_counter()
    place.criu_restore()
    place.resume(job.pid)
    return seconds + time.perf_counter() - begin


def _copy_data(place: Place, here: Path) -> None:
    """There and back; the copy is not put in the place of the original, whose files are the same."""
    shutil.rmtree(here, ignore_errors=True)
    place.node.get(place.data, here)
    place.node.put(here, f"{place.directory}/copy")
