# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Downtime between two native nodes, against CRIU's own dump, copy and restore over the same connections, in turn.

Both are of one process on the same two nodes (`tests/native`); CRIU alone neither pauses at equivalence points nor
transforms. The login shell of the nodes does nothing, or takes 0.3 s, as on machines with large profiles.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.workloads import COMPILER, within
from tests.native.nodes import NativeNodes, Setting
from transproc import log
from transproc.cluster import transfer
from transproc.cluster.events import Events, Silent
from transproc.cluster.files import JobFiles
from transproc.cluster.job import Job
from transproc.cluster.members import IMAGES
from transproc.cluster.migration import Migration
from transproc.cluster.node import Node, read
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.paths import SOURCE
from transproc.process.criu import Options
from transproc.run import run
from transproc.transform import pipeline

SIZES = (0, 64, 1024)
"""Megabytes that the process has filled."""
FOLLOWING = (4, 64, 512, 4096)
PROFILES = {"quick": "", "0.3 s": "sleep 0.3"}


@dataclass
class Native:
    """Seconds; `steps` are medians of a migration's."""

    name: str
    downtime: list[float] = field(default_factory=list)
    criu: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    """From `Migration.run` to its end; connections are opened in it."""
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Of medians."""
        return statistics.median(self.downtime) / statistics.median(self.criu)


def compiled(work: Path) -> Path:
    """A program that fills its memory and says so."""
    program = work / "counter"
    if not program.with_name("counter.x86_64").exists():
        run([COMPILER, "-O2", "-o", program, SOURCE / "tests/native/counter.c"])
    return program


def measure(megabytes: int, profile: str, work: Path, *, rounds: int) -> Native:
    """As many migrations as dumps and restores by CRIU, in turn."""
    result = Native(f"{megabytes} MB, {profile} shell")
    program = compiled(work)
    words = [str(10**9), "20000", str(megabytes)]
    with (
        log.step(f"native downtime of {result.name}") as step,
        tempfile.TemporaryDirectory(dir=work) as directory,
        NativeNodes(Path(directory) / "nodes", Setting(PROFILES[profile], exchange="")) as machines,
    ):
        bench = Bench(machines, Path(directory), Program([str(program), *words]))
        try:
            bench.measure(result, rounds)
        finally:
            bench.close()
        step.detail = f"{result.ratio:.2f}"
    return result


@dataclass
class Following:
    """Of a process whose memory follows it (`--lazy`): seconds down, and until the last page was there."""

    name: str
    downtime: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    """From its going on to the last page."""
    bytes: int = 0


def measure_following(sizes: Sequence[int], work: Path, *, rounds: int) -> list[Following]:
    """Processes with so many megabytes, moved in turn."""
    results = [Following(f"{size} MB") for size in sizes]
    program = compiled(work)
    with (
        log.step(f"memory follows: {', '.join(map(str, sizes))} MB"),
        tempfile.TemporaryDirectory(dir=work) as directory,
        NativeNodes(Path(directory) / "nodes", Setting(exchange="")) as machines,
        ExitStack() as stack,
    ):
        benches = []
        for size in sizes:
            place = Path(directory) / f"of{size}"
            place.mkdir()
            words = [str(program), str(10**9), "20000", str(size)]
            benches.append(Bench(machines, place, Program(words), name=f"bench{size}"))
            stack.callback(benches[-1].close)
        for _ in range(rounds):
            for bench, result in zip(benches, results, strict=True):
                hop = bench.migration(Options(lazy=True)).run()
                result.downtime.append(hop.downtime)
                result.pages.append(hop.steps["pages"])
                result.bytes = hop.bytes_sent
    return results


class Bench:
    """A job on two nodes."""

    def __init__(self, machines: NativeNodes, directory: Path, program: Program, name: str = "bench") -> None:
        self.store = JobStore(directory / "jobs")
        self.job = Job(name, "na", [program.name, *program.argv[1:]])
        self.machines = machines
        self.nodes: dict[str, Node] = {}
        self.connect()
        start(self.store, self.place(self.job), program)
        while not self.place(self.job).read("stdout"):  # its memory is filled
            time.sleep(0.1)

    def connect(self) -> None:
        """Anew, as a command does."""
        for node in self.nodes.values():
            node.close()
        self.nodes = {node.name: node for node in read(self.machines.configuration)}

    def place(self, job: Job, name: str | None = None) -> Place:
        return Place(self.nodes[name or job.node], job)

    def measure(self, result: Native, rounds: int) -> None:
        hops = []
        for _ in range(rounds):
            result.criu.append(self.plain())
            move = self.migration(Options(choose=True))
            begin = time.perf_counter()
            hops.append(move.run())
            result.whole.append(time.perf_counter() - begin)
        result.downtime = [hop.downtime for hop in hops]
        result.steps = {key: statistics.median(hop.steps[key] for hop in hops) for key in hops[0].steps}

    def migration(self, options: Options | None = None, events: Events | None = None) -> Migration:
        """To the other node."""
        self.connect()
        target = "nb" if self.job.node == "na" else "na"
        places = self.place(self.job), self.place(self.job, target)
        return Migration(
            self.store, self.job, *places, transform=pipeline.carry, options=options, events=events
        )

    def plain(self) -> float:
        """CRIU's dump, a copy of images and files to the other node, and CRIU's restore there; the copy is then ended."""
        source = self.place(self.job)
        target = self.place(self.job, "nb" if self.job.node == "na" else "na")
        target.prepare(transfer.binary(self.store, self.job, target.node.isa))
        source.make_images()
        source.get_ready()
        target.get_ready()
        begin = time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            data = pool.submit(JobFiles(source, target).send)
            source.criu.dump(self.job.pid, source.dump, prefix=within(self.job.pid))
            source.node.relay(source.dump, target.node, IMAGES, directory=target.images)
            data.result()
        target.criu.restore(target.tool, target.dump, state=target.directory)
        target.resume(self.job.pid)
        seconds = time.perf_counter() - begin
        target.kill(self.job.pid, moved=True)
        target.remove()
        source.resume(self.job.pid)
        return seconds

    def undo(self) -> None:
        """After a failure of `plain`."""
        place = self.place(self.job, "nb" if self.job.node == "na" else "na")
        place.end()
        self.place(self.job).resume(self.job.pid)

    def close(self) -> None:
        discard(Context(self.store, self.place, pipeline.carry, Silent()), self.job.name)
        for node in self.nodes.values():
            node.close()
