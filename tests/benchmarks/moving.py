# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How memory moves over links of a known rate: plain, ahead, behind, against CRIU alone over the same connections, in turn.

The program writes one hundredth of its pages a second all the while, and says at its end whether its memory is as it should be.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.chart import Line, chart
from tests.benchmarks.links import limited
from tests.benchmarks.native import Bench
from tests.benchmarks.workloads import COMPILER
from tests.native.nodes import NativeNodes, Setting
from transproc import log
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.paths import SOURCE
from transproc.process.criu import Options
from transproc.run import run

PERMILLE = 10
"""Of its pages, written each second."""
CRIU = "criu alone"
WAYS = {
    "plain": Options(),
    "--precopy": Options(precopy=True),
    "--precopy --lazy": Options(precopy=True, lazy=True),
    "--lazy": Options(lazy=True),
}
SIZES = {
    "1gbit": {4: 3, 64: 3, 512: 1, 4096: 1},
    "100mbit": {4: 3, 64: 1, 512: 1, 4096: 1},
}
"""Megabytes, and how often; 4 GB take six to fifteen minutes over the slower link, each time."""
QUICK = {"1gbit": {4: 3, 64: 1}}
SLOWED = 512
"""Megabytes of the program whose speed is measured while its memory follows."""


@dataclass
class Moved:
    """Seconds, of one way over one link."""

    link: str
    megabytes: int
    way: str
    downtime: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    bytes: int = 0

    @property
    def median(self) -> float:
        """Of the downtimes."""
        return statistics.median(self.downtime)


@dataclass
class Slowed:
    """A program while its memory follows: for so many seconds it does this share of what it does otherwise."""

    way: str
    seconds: float
    share: float


def compiled(work: Path) -> Path:
    """The program."""
    program = work / "changing"
    if not program.with_name("changing.x86_64").exists():
        run([COMPILER, "-O2", "-o", program, SOURCE / "tests/native/changing.c"])
    return program


def measure(
    link: str, sizes: dict[int, int], work: Path, *, names: Sequence[str] = (CRIU, *WAYS)
) -> list[Moved]:
    """Ways over a link; sizes in megabytes, and how many rounds."""
    found: list[Moved] = []
    program = compiled(work)
    with ExitStack() as stack:
        directory, machines = nodes(stack, link, work)
        for megabytes, rounds in sizes.items():
            words = [str(program), str(megabytes), str(PERMILLE)]
            ways = [Moved(link, megabytes, way) for way in names]
            with log.step(f"{megabytes} MB, {link}"):
                (place := directory / f"of{megabytes}").mkdir()
                bench = Bench(machines, place, Program(words))
                try:
                    for _ in range(rounds):
                        for moved in ways:
                            _try(bench, moved)
                    expect_right(bench)
                finally:
                    bench.close()
            found += [moved for moved in ways if moved.downtime]
    return found


def slowed(link: str, work: Path) -> list[Slowed]:
    """How fast a program is that touches all of its memory while that follows it."""
    program = compiled(work)
    with ExitStack() as stack:
        directory, machines = nodes(stack, link, work)
        bench = Bench(machines, directory, Program([str(program), str(SLOWED), "0"]))
        stack.callback(bench.close)
        found = [_slowed(bench, way) for way in ("--lazy", "--precopy --lazy", "--precopy")]
        expect_right(bench)
    return found


def draw(found: Sequence[Moved], directory: Path) -> None:
    """A plot of each link, as SVG."""
    directory.mkdir(parents=True, exist_ok=True)
    for link in dict.fromkeys(moved.link for moved in found):
        lines = [
            Line(way, [(m.megabytes, m.median) for m in found if (m.link, m.way) == (link, way)])
            for way in (CRIU, *WAYS)
        ]
        title = f"Downtime over {link[:-4]} {link[-4].upper()}bit/s"
        picture = chart(title, "memory, MB", "seconds", lines)
        (directory / f"transfer-{link}.svg").write_text(picture)


def nodes(stack: ExitStack, link: str, work: Path) -> tuple[Path, NativeNodes]:
    """Two with a link between them, and a directory."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=work)))
    places = stack.enter_context(limited(link))
    return directory, stack.enter_context(
        NativeNodes(directory / "nodes", Setting(places=places, exchange=""))
    )


def _try(bench: Bench, moved: Moved) -> None:
    """What fails (4 GB of images need room) is said, and leaves the others."""
    try:
        _move(bench, moved)
    except TransprocError as error:
        log.note(f"{moved.megabytes} MB, {moved.way}: {error.message}")
        if moved.way == CRIU:
            bench.undo()
        return
    log.note(f"{moved.megabytes} MB, {moved.way}: down {moved.downtime[-1]:.2f} s of {moved.whole[-1]:.2f} s")


def _move(bench: Bench, moved: Moved) -> None:
    if moved.way == CRIU:
        bench.connect()
        seconds = bench.plain()
        moved.downtime.append(seconds)
        moved.whole.append(seconds)
        return
    migration = bench.migration(WAYS[moved.way])
    begin = time.perf_counter()
    hop = migration.run()
    moved.whole.append(time.perf_counter() - begin)
    moved.downtime.append(hop.downtime)
    moved.bytes = hop.bytes_sent


def _slowed(bench: Bench, way: str) -> Slowed:
    """From the moment when it goes on until its last page is there."""
    time.sleep(2.0)
    begin = time.time()
    hop = bench.migration(WAYS[way]).run()
    end = time.time()
    time.sleep(0.3)
    lines = bench.place(bench.job).read("stdout").decode().splitlines()
    told = [(int(stamp) / 1e6, int(count)) for stamp, count in (line.split() for line in lines[1:])]
    before = _speed([one for one in told if begin - 2 < one[0] < begin])
    owing = hop.steps["pages"]
    gone_on = end - owing - hop.steps["retire"]
    return Slowed(way, owing, _speed([one for one in told if gone_on - 0.1 < one[0] < end]) / before)


def _speed(told: Sequence[tuple[float, int]]) -> float:
    """Writes a second."""
    if len(told) < 2:
        return 0.0
    return (told[-1][1] - told[0][1]) / (told[-1][0] - told[0][0])


def expect_right(bench: Bench) -> None:
    """Raises `TransprocError` unless the program says that its memory is what it has written."""
    place = bench.place(bench.job)
    place.node.put_bytes(b"", f"{place.data}/work/go")
    wait(bench.store, bench.job.name, lambda job, name=None: bench.place(job, name), 120)
    if not place.read("stdout").endswith(b"right\n"):
        raise TransprocError(f"{bench.job.name}: its memory is not what it has written")
