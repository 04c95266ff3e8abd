# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Size of pairs and time to compile, against plain static binaries."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.workloads import NATIVE, PLAIN, WITH_PASS, Variant, Workload
from transproc import log
from transproc.binary.elf import Elf
from transproc.run import run

RESUME = ".resume"


@dataclass
class Size:
    """Bytes. `text`: the x86_64 binary's code, of which `resume` in resume entries, which never run but at a migration;
    `file`: that binary, stripped of debug information and symbols, site index kept; `pair`: both files likewise."""

    name: str
    text: int
    resume: int
    plain_text: int
    file: int
    plain_file: int
    pair: int
    index: int
    """Bytes of the site index."""
    compile_seconds: float
    plain_seconds: float
    native_seconds: float


def measure(workload: Workload, directory: Path, *, repeats: int) -> Size:
    """Builds, strips, compiles repeatedly."""
    with log.step(f"size of {workload.name}"):
        pair = [_stripped(WITH_PASS, workload, directory, isa) for isa in ("x86_64", "aarch64")]
        plain = _stripped(PLAIN, workload, directory, "x86_64")
        times = [_compile_seconds(v, workload, directory, repeats) for v in (WITH_PASS, PLAIN, NATIVE)]
    return Size(
        workload.name,
        text_size(pair[0]),
        _resume(WITH_PASS.build(workload.source, directory)),
        text_size(plain),
        pair[0].stat().st_size,
        plain.stat().st_size,
        sum(path.stat().st_size for path in pair),
        len(Elf(pair[0]).section(".transproc.sites") or b""),
        *times,
    )


def _stripped(variant: Variant, workload: Workload, directory: Path, isa: str) -> Path:
    binary = variant.build(workload.source, directory, isa)
    copy = directory / f"stripped.{workload.name}.{variant.name}.{isa}"
    run(["llvm-strip-19", "--keep-section=.transproc.sites", binary, "-o", copy])
    return copy


def text_size(binary: Path) -> int:
    """Bytes in executable sections."""
    lines = run(["llvm-size-19", "-A", binary]).stdout.decode().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(".text"))


def _resume(binary: Path) -> int:
    """Bytes of functions that the pass made to continue others."""
    lines = run(["llvm-nm-19", "--print-size", "--defined-only", binary]).stdout.decode().splitlines()
    rows = [line.split() for line in lines]
    return sum(
        int(row[1], 16) for row in rows if len(row) == 4 and row[2] in "tT" and row[3].endswith(RESUME)
    )


def _compile_seconds(variant: Variant, workload: Workload, directory: Path, repeats: int) -> float:
    """The shortest of several: what disturbs only adds."""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        variant.compile(workload.source, directory / "size.o")
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def mean_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """Geometric mean of quotients."""
    return statistics.geometric_mean(a / b for a, b in pairs)
