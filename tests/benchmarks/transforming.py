# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time to transform an image, by step, for programs of different sizes: pause and dump on this machine, then transform.

The image is the same as in a migration; nothing is restored, so no virtual machine is needed.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.workloads import WITH_PASS
from transproc import log
from transproc.binary.pair import PairStore
from transproc.cluster.local import LocalNode
from transproc.lab.rootfs import host_criu
from transproc.paths import SOURCE
from transproc.process.build import build
from transproc.process.criu import Criu
from transproc.process.launch import Launch
from transproc.process.tool import Tool
from transproc.transform.pipeline import TransformReport, transform

REPEATS = 7
STACK = 512 << 20
"""Bytes; 100,000 frames need more than the usual 8 MiB."""


@dataclass(frozen=True)
class Case:
    """A program, stopped `after` seconds."""

    name: str
    source: Path
    arguments: Sequence[str]
    after: float = 0.5


@dataclass
class Transformation:
    """Seconds: medians of several runs in one process, and the first one, in which modules warm up."""

    name: str
    pages: int
    """Bytes of process memory in the image."""
    threads: int
    frames: int
    pause: float
    dump: float
    first: float
    total: float
    cpu: float
    """The same in CPU time, which a busy machine disturbs less."""
    steps: dict[str, float]


@dataclass(frozen=True)
class _Run:
    wall: float
    cpu: float
    report: TransformReport


def cases(*, quick: bool) -> list[Case]:
    """From a small process to one of 4 GB, from 3 frames to 100,000."""
    programs, deep = SOURCE / "tests/programs", Path(__file__).with_name("deep.c")
    found = [
        Case("nbody", SOURCE / "examples/nbody/nbody.c", ["100", "500000"]),
        Case("npb-mg A", programs / "npb/mg.c", ["A"]),
        Case("threads", programs / "threads.c", ["10000000"]),
        *(
            Case(f"{mb} MB", programs / "big.c", [str(mb), "100000"], after)
            for mb, after in ((10, 0.5), (100, 1))
        ),
        *(Case(f"{count} frames", deep, [str(count)]) for count in (1000, 10_000)),
    ]
    if quick:
        return found
    sizes = ((1000, 4), (4000, 16))
    found += [Case(f"{mb} MB", programs / "big.c", [str(mb), "100000"], after) for mb, after in sizes]
    return [*found, Case("100000 frames", deep, ["100000"])]


def measure(case: Case, directory: Path) -> Transformation:
    """Starts, stops and dumps the program, and transforms the dump several times."""
    program = WITH_PASS.build(case.source, directory)
    with (
        log.step(f"transform {case.name}") as step,
        _dumped(case, program, directory) as (image, pause, dump),
    ):
        runs = []
        for _ in range(REPEATS):
            start, before = time.perf_counter(), time.process_time()
            report = transform(image, directory / "out", pairs=PairStore([program]), to="aarch64")
            runs.append(_Run(time.perf_counter() - start, time.process_time() - before, report))
            shutil.rmtree(directory / "out")
        result = _result(case, image, pause, dump, runs)
        step.detail = f"{1000 * result.total:.1f} ms"
    return result


def _result(case: Case, image: Path, pause: float, dump: float, runs: Sequence[_Run]) -> Transformation:
    warm = runs[1:]
    report = runs[0].report
    return Transformation(
        case.name,
        sum(path.stat().st_size for path in image.glob("pages-*.img")),
        report.threads,
        report.frames,
        pause,
        dump,
        runs[0].wall,
        statistics.median(run.wall for run in warm),
        statistics.median(run.cpu for run in warm),
        {step: statistics.median(run.report.seconds[step] for run in warm) for step in report.seconds},
    )


@contextmanager
def _dumped(case: Case, program: Path, directory: Path) -> Iterator[tuple[Path, float, float]]:
    """The image directory of a stopped run, and the seconds that pause and dump took."""
    node = LocalNode()
    tool, criu = Tool(node, str(build("x86_64"))), Criu(node, host_criu())
    state, image = directory / "state", directory / "image"
    for place in (state, image):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    with _large_stack():
        pid = tool.start(Launch([str(program), *case.arguments], str(state)))
    try:
        time.sleep(case.after)
        start = time.perf_counter()
        tool.pause(pid)
        paused = time.perf_counter()
        criu.dump(pid, str(image))
        yield image, paused - start, time.perf_counter() - paused
    finally:
        tool.kill(pid)
        shutil.rmtree(image)


@contextmanager
def _large_stack() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_STACK)
    hard = before[1]
    soft = STACK if hard == resource.RLIM_INFINITY else min(STACK, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, before)
