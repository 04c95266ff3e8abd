# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`scripts/bench`: runs the measurements and prints their tables."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import (
    commands,
    compiling,
    downtime,
    foreign,
    inside,
    latency,
    library,
    moving,
    native,
    packing,
    policies,
    runtime,
    sharing,
    size,
    software,
    suites,
    transforming,
    web,
)
from tests.benchmarks.workloads import NPB_PREFIX, prepare, workloads
from transproc.cli import common
from transproc.cli.common import table
from transproc.errors import TransprocError

MEAN_TARGET, WORST_TARGET = 1.03, 1.10
"""Of the NPB kernels' run time, against the same without the pass."""


def measure_runtime(options: argparse.Namespace, work: Path) -> list[Any]:
    """User CPU time and instructions."""
    pairs = options.pairs or (3 if options.quick else 7)
    found = []
    for workload in workloads(options.only):
        if not options.quick or workload.is_npb or options.only:
            found.append(runtime.measure(workload, work, pairs=pairs, instructions=not options.quick))
    rows = [_runtime_row(result) for result in found]
    table(
        rows, ("PROGRAM", "PLAIN", "PASS/PLAIN", "QUARTILES", "PASS/NATIVE", "INSTR X86_64", "INSTR AARCH64")
    )
    npb = [result.ratio for result in found if result.name.startswith(NPB_PREFIX)]
    if npb:
        mean, worst = runtime.geometric_mean(npb), max(npb)
        word = "met" if mean <= MEAN_TARGET and worst <= WORST_TARGET else "MISSED"
        print(
            f"NPB kernels: geometric mean {mean:.3f}, worst {worst:.3f}: target {MEAN_TARGET}, {WORST_TARGET} {word}"
        )
    print(f"all: geometric mean {runtime.geometric_mean([result.ratio for result in found]):.3f}")
    return found


def _runtime_row(result: runtime.Runtime) -> Sequence[str]:
    low, high = result.spread
    counts = [
        f"{result.instructions[isa]:.3f}" if result.instructions else "-" for isa in ("x86_64", "aarch64")
    ]
    return (
        result.name,
        f"{result.plain_seconds:.2f} s",
        f"{result.ratio:.3f}",
        f"{low:.3f}-{high:.3f}",
        f"{result.to_native:.2f}",
        *counts,
    )


def measure_transform(options: argparse.Namespace, work: Path) -> list[Any]:
    """Steps of the transformation."""
    cases = transforming.cases(quick=options.quick)
    found = [transforming.measure(c, work) for c in cases if not options.only or c.name in options.only]
    steps = list(dict.fromkeys(step for result in found for step in result.steps))
    rows = [
        (
            result.name,
            f"{result.pages / 1e6:.1f} MB",
            result.threads,
            result.frames,
            *(f"{1000 * seconds:.1f}" for seconds in (result.pause, result.dump, result.total, result.cpu)),
            *(f"{1000 * result.steps.get(step, 0.0):.1f}" for step in steps),
        )
        for result in found
    ]
    header = ("PROCESS", "MEMORY", "THREADS", "FRAMES", "PAUSE", "DUMP", "TRANSFORM", "ITS CPU TIME")
    table(rows, (*header, *(step.upper() for step in steps)))
    print("times in ms")
    return found


def measure_downtime(options: argparse.Namespace, work: Path) -> list[Any]:
    """Migrations in the lab."""
    common.two_nodes(",".join(downtime.NODES))
    names = [name for name in downtime.PROGRAMS if not options.only or name in options.only]
    found = [downtime.measure(name, work, rounds=1 if options.quick else 3) for name in names]
    rows = [
        (
            result.name,
            f"{statistics.median(result.across):.2f} s",
            f"{statistics.median(result.within):.2f} s",
            f"{result.ratio:.2f}",
            f"{result.steps['transform']:.3f} s",
        )
        for result in found
    ]
    table(rows, ("PROGRAM", "BETWEEN ISAS", "CRIU ALONE", "RATIO", "TRANSFORM"))
    return found


def measure_native(options: argparse.Namespace, work: Path) -> list[Any]:
    """Migrations between two native nodes."""
    sizes = native.SIZES[:2] if options.quick else native.SIZES
    found = [
        native.measure(size, profile, work, rounds=5 if options.quick else 11)
        for size in sizes
        for profile in native.PROFILES
    ]
    rows = [
        (
            r.name,
            *(_quartiles(values) for values in (r.downtime, r.criu)),
            f"{r.ratio:.2f}",
            _quartiles(r.whole),
        )
        for r in found
    ]
    table(rows, ("PROCESS, LOGIN SHELL", "DOWNTIME", "CRIU ALONE", "RATIO", "WHOLE"))
    steps = list(max((r.steps for r in found), key=len))  # a small process has no step for its pages alone
    table(
        [(r.name, *(f"{r.steps.get(step, 0.0) * 1000:.0f}" for step in steps)) for r in found],
        ("STEPS, MS", *(step.upper() for step in steps)),
    )
    return found


def measure_commands(options: argparse.Namespace, work: Path) -> list[Any]:
    """Whole commands, alone and between two native nodes."""
    rounds = 5 if options.quick else 21
    found = commands.measure_short(rounds=rounds)
    for profile in native.PROFILES:
        found += commands.measure_migrate(profile, work, rounds=rounds)
    table([(r.name, _quartiles(r.wall), _quartiles(r.cpu)) for r in found], ("COMMAND", "WALL", "PROCESSORS"))
    return found


def measure_following(options: argparse.Namespace, work: Path) -> list[Any]:
    """Migrations after which memory follows."""
    sizes = native.FOLLOWING[:2] if options.quick else native.FOLLOWING
    found = native.measure_following(sizes, work, rounds=3 if options.quick else 5)
    rows = [
        (
            r.name,
            _quartiles(r.downtime),
            f"{statistics.median(r.downtime) / statistics.median(found[0].downtime):.2f}",
            _quartiles(r.pages),
            f"{r.bytes / 1e6 / statistics.median(r.pages):.0f} MB/s",
        )
        for r in found
    ]
    table(rows, ("PROCESS", "DOWNTIME", "TO THE FIRST", "UNTIL THE LAST PAGE", "RATE"))
    return found


def measure_transfer(options: argparse.Namespace, work: Path) -> list[Any]:
    """Ways of memory over links of known rates; `--only` may name links, ways, and megabytes."""
    links, only = moving.QUICK if options.quick else moving.SIZES, set(options.only)
    every = {size for sizes in links.values() for size in sizes}
    names = [way for way in (moving.CRIU, *moving.WAYS) if way in only] or [moving.CRIU, *moving.WAYS]
    wanted = {size for size in every if str(size) in only} or every
    found = []
    for link, sizes in links.items():
        if link in only or not only & set(links):
            chosen = {size: options.pairs or count for size, count in sizes.items() if size in wanted}
            found += moving.measure(link, chosen, work, names=names)
    first = {(m.link, m.way): m.median for m in reversed(found)}
    alone = {(m.link, m.megabytes): m.median for m in found if m.way == moving.CRIU}
    rows = [
        (
            m.link,
            f"{m.megabytes} MB",
            m.way,
            _quartiles(m.downtime),
            f"{m.median / alone[m.link, m.megabytes]:.2f}" if (m.link, m.megabytes) in alone else "",
            f"{m.median / first[m.link, m.way]:.2f}",
            f"{statistics.median(m.whole):.2f}",
            f"{m.bytes / 1e6:.0f} MB" if m.bytes else "",
        )
        for m in found
    ]
    table(rows, ("LINK", "PROCESS", "WAY", "DOWNTIME", "TO CRIU ALONE", "TO THE SMALLEST", "WHOLE", "SENT"))
    slow = moving.slowed("1gbit", work) if wanted == every else []
    speeds = [(s.way, f"{s.seconds:.2f} s", f"{100 * s.share:.0f} %") for s in slow]
    if speeds:
        table(speeds, (f"{moving.SLOWED} MB FOLLOW", "FOR", "SPEED MEANWHILE"))
    if options.images:
        moving.draw(found, options.images)
    return [*found, *slow]


def measure_files(options: argparse.Namespace, work: Path) -> list[Any]:
    """A large file of which little changes."""
    links = [link for link in inside.LINKS if not options.only or link in options.only]
    found = [
        one
        for link in links
        for one in inside.measure(link, work, rounds=options.pairs or (1 if options.quick else 3))
    ]
    table(
        [(one.link, one.way, _quartiles(one.downtime), f"{one.bytes / 1e6:.1f} MB") for one in found],
        ("LINK", "WHAT GOES", "DOWNTIME", "SENT IN ALL"),
    )
    return found


def measure_packing(options: argparse.Namespace, work: Path) -> list[Any]:
    """Memory that is packed on its way."""
    only = {*options.only}
    links, contents, ways = (
        [one for one in every if one in only] or [*every]
        for every in (packing.LINKS, packing.CONTENTS, packing.WAYS)
    )
    rounds = options.pairs or (1 if options.quick else 3)
    cases = [(link, content) for link in links for content in contents]
    found = [one for case in cases for one in packing.measure(*case, work, rounds=rounds, ways=ways)]
    rows = [
        (one.link, one.contents, one.way, _quartiles(one.downtime), _quartiles(one.whole)) for one in found
    ]
    table(rows, ("LINK", "MEMORY", "IT GOES", "DOWNTIME", "WHOLE"))
    return found


def measure_sharing(options: argparse.Namespace, work: Path) -> list[Any]:
    """Several programs that are moved at once."""
    links = [link for link in sharing.LINKS if not options.only or link in options.only]
    rounds = options.pairs or (1 if options.quick else 3)
    found = [one for link in links for one in sharing.measure(link, work, rounds=rounds)]
    rows = [
        (
            one.link,
            one.case,
            ", ".join(f"{rate / 1e6:.2f}" for rate in one.rates),
            f"{one.total / 1e6:.2f}",
            f"{one.ratio:.2f}",
            ", ".join(f"{seconds:.1f}" for seconds in one.seconds),
        )
        for one in found
    ]
    table(rows, ("LINK", "AT ONCE", "MB/S OF EACH", "OF ALL", "MOST TO LEAST", "SECONDS OF EACH"))
    return found


def measure_policies(options: argparse.Namespace, work: Path) -> list[Any]:
    """Rounds of policies with simulated nodes."""
    found = []
    for nodes, jobs in policies.SIZES[:1] if options.quick else policies.SIZES:
        (directory := work / f"policies-{nodes}").mkdir()
        found.append(policies.measure(directory, nodes, jobs, rounds=3 if options.quick else 5))
    rows = [
        (f"{r.nodes}, {r.jobs}", f"{r.connect:.2f}", f"{r.look:.2f}", f"{max(r.seconds.values()):.2f}",
         f"{r.processor:.2f}", r.threads, f"{r.memory / 1e6:.0f} MB", f"{r.writes:.0f}")
        for r in found
    ]  # fmt: skip
    header = ("NODES, JOBS", "CONNECT S", "LOOK S", "RULES S", "CPU S", "THREADS", "MEMORY", "WRITES/S")
    table(rows, header)
    for r in found:
        kinds = [
            f"{kind} {seconds * 1000:.0f} ms ({r.moves[kind]} moves)" for kind, seconds in r.seconds.items()
        ]
        print(f"{r.nodes} nodes, {r.jobs} jobs: {', '.join(kinds)}")
    return found


def measure_web(options: argparse.Namespace, work: Path) -> list[Any]:
    """The controller's web page with many jobs."""
    found = []
    for jobs in web.SIZES[:2] if options.quick else web.SIZES:
        (directory := work / f"web-{jobs}").mkdir()
        found.append(web.measure(directory, jobs, rounds=5 if options.quick else 15))
    rows = [
        (
            *(
                r.jobs,
                *(f"{1000 * r.answers[name]:.0f}, {1000 * r.loads[name]:.0f} ms" for name in web.PAGES),
            ),
            f"{1000 * r.update:.0f} ms",
        )
        for r in found
    ]
    print("of the server's answer, of loading in Chromium:")
    table(rows, ("JOBS", *(name.upper() for name in web.PAGES), "UPDATE"))
    return found


def _quartiles(seconds: list[float]) -> str:
    if len(seconds) == 1:
        return f"{seconds[0]:.3f}"
    low, middle, high = statistics.quantiles(seconds, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def measure_size(options: argparse.Namespace, work: Path) -> list[Any]:
    """Binaries and compilations."""
    repeats = 2 if options.quick else 5
    chosen = [w for w in workloads(options.only) if not options.quick or w.is_npb or options.only]
    found = [size.measure(workload, work, repeats=repeats) for workload in chosen]
    rows = [
        (
            r.name,
            *(f"{count / 1000:.0f} kB" for count in (r.plain_text, r.text - r.resume, r.resume)),
            *(f"{count / 1000:.0f} kB" for count in (r.plain_file, r.file, r.index, r.pair)),
            f"{r.compile_seconds:.2f} s",
            f"{r.compile_seconds / r.plain_seconds:.2f}",
            f"{r.compile_seconds / r.native_seconds:.2f}",
        )
        for r in found
    ]
    header = ("PROGRAM", "TEXT PLAIN", "PASS", "RESUME ENTRIES", "FILE PLAIN", "PASS", "OF IT INDEX", "PAIR")
    table(rows, (*header, "COMPILE", "/PLAIN", "/NATIVE"))
    for what, pairs in (
        ("text without resume entries", [(r.text - r.resume, r.plain_text) for r in found]),
        ("text", [(r.text, r.plain_text) for r in found]),
        ("file", [(r.file, r.plain_file) for r in found]),
    ):
        print(f"{what}: geometric mean {size.mean_ratio(pairs):.2f}")
    times = [(r.compile_seconds, r.native_seconds) for r in found]
    print(f"compile time, against clang for one ISA: geometric mean {size.mean_ratio(times):.2f}")
    return found


def measure_software(options: argparse.Namespace, work: Path) -> list[Any]:
    """The examples' own work."""
    pairs = options.pairs or (3 if options.quick else 5)
    chosen = [name for name in software.names() if not options.only or name in options.only]
    found = [
        result
        for name in chosen
        for result in software.measure(name, work, pairs=pairs, instructions=not options.quick)
    ]
    rows = [
        (
            r.name,
            f"{r.plain_seconds:.2f} s",
            f"{r.spread[0]:.3f}-{r.spread[1]:.3f}",
            f"{r.best:.3f}",
            *(f"{ratio:.2f}" for ratio in (r.memory, r.text, r.file)),
            *(f"{r.instructions[isa]:.3f}" if r.instructions else "-" for isa in ("x86_64", "aarch64")),
            ", ".join(f"{name} {100 * share:.1f} %" for name, share in r.costliest.items()),
        )
        for r in found
    ]
    header = ("PROGRAM", "PLAIN", "PASS/PLAIN", "QUARTILES", "OF BEST", "MEMORY", "TEXT", "FILE")
    table(rows, (*header, "INSTR X86_64", "INSTR AARCH64", "MOST OF IT (X86_64)"))
    for what, ratios in (("pairs", [r.ratio for r in found]), ("best", [r.best for r in found])):
        print(f"geometric mean, {what}: {runtime.geometric_mean(ratios):.3f}, worst {max(ratios):.3f}")
    return found


def measure_libc(options: argparse.Namespace, work: Path) -> list[Any]:
    """Routines of the C library against glibc's."""
    pairs = options.pairs or (3 if options.quick else 9)
    found = library.measure(work, pairs=pairs, only=options.only)
    rows = [
        (r.name, f"{r.ours:.1f}", f"{r.native:.1f}", f"{r.ratio:.2f}", f"{r.spread[0]:.2f}-{r.spread[1]:.2f}")
        for r in found
    ]
    table(rows, ("ROUTINE", "OURS", "GLIBC", "RATIO", "QUARTILES"))
    print(f"times in ns; geometric mean {runtime.geometric_mean([r.ratio for r in found]):.2f}")
    return found


def measure_compile(options: argparse.Namespace, work: Path) -> list[Any]:
    """Compilations of large files of others."""
    pairs = options.pairs or (3 if options.quick else 7)
    found = compiling.measure(work, pairs=pairs, only=options.only)
    rows = [
        (
            r.name,
            f"{r.clang:.3f} s",
            f"{r.transproc:.3f} s",
            f"{r.ratio:.2f}",
            f"{r.spread[0]:.2f}-{r.spread[1]:.2f}",
            f"{r.wall:.2f}",
        )
        for r in found
    ]
    table(rows, ("FILE", "CLANG, ONE ISA", "BOTH ISAS", "RATIO", "QUARTILES", "WALL"))
    mean = runtime.geometric_mean([r.ratio for r in found])
    print(f"processor time; geometric mean {mean:.2f}, worst {max(r.ratio for r in found):.2f}")
    return found


def measure_latency(options: argparse.Namespace, work: Path) -> list[Any]:
    """How long a pause takes."""
    found = latency.measure(work, rounds=5 if options.quick else 20)
    rows = [(r.threads, r.state, *(f"{1000 * s:.1f}" for s in (r.median, r.worst))) for r in found]
    table(rows, ("THREADS", "STATE", "MEDIAN", "WORST"))
    print("times in ms")
    return found


def measure_foreign(options: argparse.Namespace, work: Path) -> list[Any]:
    """A suite of others, against clang with glibc, and the pass alone."""
    if options.src is None:
        print("left out: --src names no suite")
        return []
    pairs = options.pairs or (3 if options.quick else 7)
    found, silent = [], []
    for program in suites.cxx_programs(options.src) if options.cxx else suites.programs(options.src, work):
        if not options.only or any(word in program.name for word in options.only):
            result = foreign.measure(program, work, pairs=pairs, plain=options.plain)
            silent.append((program.name, result)) if isinstance(result, str) else found.append(result)
    references = list(found[0].ratios) if found else []
    rows = [
        (
            r.name,
            *(f"{user:.2f} + {system:.2f} s" for user, system in (r.clang, r.transproc)),
            *(f"{ratio:.3f} ({low:.3f}-{high:.3f})" for ratio, (low, high) in r.ratios.values()),
        )
        for r in found
    ]
    compared = [foreign.REFERENCES[name] for name in references]
    table(rows, ("PROGRAM", "CLANG", "TRANSPROC", *map(str.upper, compared)))
    for name, why in silent:
        print(f"{name}: {why}")
    for name, what in zip(references, compared, strict=True):
        ratios = [r.ratios[name][0] for r in found]
        mean = runtime.geometric_mean(ratios)
        print(f"{len(found)} programs, {what}: geometric mean {mean:.3f}, worst {max(ratios):.3f}")
    return found


MEASUREMENTS: dict[str, Callable[[argparse.Namespace, Path], list[Any]]] = {
    "runtime": measure_runtime,
    "transform": measure_transform,
    "downtime": measure_downtime,
    "native": measure_native,
    "commands": measure_commands,
    "following": measure_following,
    "transfer": measure_transfer,
    "files": measure_files,
    "packing": measure_packing,
    "sharing": measure_sharing,
    "policies": measure_policies,
    "web": measure_web,
    "size": measure_size,
    "software": measure_software,
    "latency": measure_latency,
    "libc": measure_libc,
    "compile": measure_compile,
    "foreign": measure_foreign,
}


def main() -> int:
    """Exit status 0, or 1 if a measurement could not be made."""
    options = _options()
    results: dict[str, Any] = {"machine": _machine()}
    try:
        needs_plain = options.plain or options.what != ["foreign"]
        if needs_plain and options.what not in (
            ["libc"],
            ["compile"],
            ["native"],
            ["commands"],
            ["following"],
            ["transfer"],
            ["files"],
            ["packing"],
            ["sharing"],
            ["policies"],
            ["web"],
        ):  # which need no library without sites
            prepare()
        with tempfile.TemporaryDirectory(prefix="transproc-bench-") as name:
            for what in options.what or MEASUREMENTS:
                print(f"\n{what} ({results['machine']})")
                done = MEASUREMENTS[what](options, Path(name))
                results[what] = [dataclasses.asdict(item) for item in done]
    except TransprocError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures what transproc costs.")
    parser.add_argument("what", nargs="*", metavar="|".join(MEASUREMENTS), help="default: all")
    parser.add_argument(
        "--quick", action="store_true", help="fewer programs and repetitions, a minute or two each"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="this program, process, or link (transfer: also a way, or megabytes)",
    )
    parser.add_argument(
        "--pairs", type=int, metavar="N", help="run time, transfer: interleaved runs of each variant"
    )
    parser.add_argument(
        "--no-plain",
        dest="plain",
        action="store_false",
        help="foreign: against clang only, not the pass alone",
    )
    parser.add_argument(
        "--cxx",
        action="store_true",
        help="foreign: the suite's C++, against clang++ with libstdc++ and libc++",
    )
    parser.add_argument(
        "--src", type=Path, metavar="DIR", help="foreign: LLVM's test-suite, NPB in C, or PolyBench/C"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--images", type=Path, metavar="DIR", help="transfer: plots are written there")
    options = parser.parse_args()
    unknown = [word for word in options.what if word not in MEASUREMENTS]
    if unknown:
        parser.error(f"{unknown[0]}: expected one of {', '.join(MEASUREMENTS)}")
    return options


def _machine() -> str:
    """Which machine, and how busy it was at the beginning."""
    model = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    name = next(
        (line.split(":")[1].strip() for line in model.splitlines() if line.startswith("Model name")), ""
    )
    return f"{name or platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
