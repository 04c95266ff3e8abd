# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""In-process stress of the compiler: a program migrates onto itself, on one ISA, thousands of times a second.

A program is compiled by the neutral front end and `transproc-codegen`, but linked with the host's C library (for aarch64
that of Debian's cross compiler, run by qemu-user) and the harness in runtime/stress, whose head says how it works. Three
executables are made: *plain* (no sites, no migrations: the reference), *hooks* (`--stress`: migrates at calls of a hook) and
*stops* (the code that users get, which migrates at breakpoints). What a stressed run prints, and its status, must be
those of the plain one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc.errors import CommandError, CompileError
from transproc.run import run
from transproc.toolchain.compile import Codegen, front_end
from transproc.toolchain.making import RUNTIME
from transproc.toolchain.sysroot import Toolchain

HARNESS = RUNTIME / "stress"
OBJCOPY = "llvm-objcopy-19"
TIMED_OUT = 124
"""Status that `run` gives to a program that was ended at its time limit."""
_RENAMED = ("printf", "fprintf", "sprintf", "snprintf", "vprintf", "vfprintf", "vsprintf", "vsnprintf")
_JUMPS = ("longjmp", "_longjmp", "siglongjmp", "setjmp", "_setjmp", "sigsetjmp")
"""In stressed programs, which may migrate between the two; what the pass made of setjmp has another name."""
_COUNTS = re.compile(
    rb"^stress: hooks \d+ stops (\d+) .* migrations (\d+) frames (\d+) refused (\d+)$", re.MULTILINE
)


@dataclass(frozen=True)
class Platform:
    """How programs of one ISA are linked with a host's C library, and run here."""

    compiler: str
    runner: tuple[str, ...]
    seconds: float
    """Time limit of a plain run; stressed ones get 20 times that."""
    timer: int
    """Microseconds between two stops."""
    stops: int
    """How many at most: each makes qemu-user translate the program again."""


PLATFORMS = {
    "x86_64": Platform("gcc", (), seconds=2, timer=50, stops=5000),
    "aarch64": Platform("aarch64-linux-gnu-gcc", ("qemu-aarch64",), seconds=5, timer=1000, stops=200),
}


@dataclass(frozen=True)
class Mode:
    """When a stressed program migrates."""

    name: str
    executable: str
    settings: Mapping[str, str]


def modes(seed: int, platform: Platform, migrations: int) -> list[Mode]:
    """At every hook, at random ones, and at breakpoints that a timer arms: at most `migrations` times each."""
    common = {"TRANSPROC_SEED": str(seed), "TRANSPROC_MAX": str(migrations), "TRANSPROC_VERBOSE": "1"}
    stops = {"TRANSPROC_ASYNC": str(platform.timer), "TRANSPROC_MAX": str(min(migrations, platform.stops))}
    return [
        Mode("every hook", "hooks", common | {"TRANSPROC_RATE": "1"}),
        Mode("random hooks", "hooks", common | {"TRANSPROC_RATE": "41"}),
        Mode("asynchronous", "stops", common | stops),
    ]


@dataclass
class Counts:
    """What stressed runs did; `stops` are breakpoints at which they were asked to migrate."""

    stops: int = 0
    migrations: int = 0
    frames: int = 0
    refused: int = 0

    def __iadd__(self, other: Counts) -> Counts:
        self.stops += other.stops
        self.migrations += other.migrations
        self.frames += other.frames
        self.refused += other.refused
        return self


@dataclass(frozen=True)
class Source:
    """A program to stress. `options` are the front end's, `level` is the optimisation level.

    lenient: it has frames without sites at times (callbacks from the C library); then it goes on without migrating.
    """

    file: Path
    options: tuple[str, ...] = ()
    level: str = "-O2"
    arguments: tuple[str, ...] = ()
    stdin: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False


@dataclass(frozen=True)
class Result:
    """Of one program on one ISA. `skipped`: it does not end normally even unmigrated; `failed`: says what differs."""

    counts: Counts = field(default_factory=Counts)
    skipped: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Run:
    """How a run ended, and what it printed."""

    status: int
    output: bytes
    messages: bytes

    @property
    def normal(self) -> bool:
        """Neither killed by a signal (as qemu-user or the kernel report it) nor ended at its time limit."""
        return 0 <= self.status < TIMED_OUT


class Bench:
    """Builds stressed programs in a directory, and runs them."""

    def __init__(self, toolchain: Toolchain, directory: Path, isas: Sequence[str]) -> None:
        """Compiles the harness. Raises `CommandError`, for example if a cross compiler is missing."""
        self.toolchain = toolchain
        self.directory = directory
        self.isas = isas
        self._harness: dict[str, list[Path]] = {isa: self._compile_harness(isa) for isa in isas}

    def _compile_harness(self, isa: str) -> list[Path]:
        place = self.directory / f"harness-{isa}"
        place.mkdir(parents=True, exist_ok=True)
        objects = []
        for source in sorted(HARNESS.glob("*.c")):
            target = place / f"{source.stem}.o"
            run([PLATFORMS[isa].compiler, "-O2", "-g", "-std=gnu11", "-Wall", "-c", source, "-o", target])
            objects.append(target)
        return objects

    def check(self, source: Source, name: str, seed: int = 1, migrations: int = 5000) -> dict[str, Result]:
        """Builds a program in the directory `<name>`, and runs it on all ISAs.

        Raises `CompileError` where a compiler fails (the pass included), `CommandError` where the link does.
        """
        place = self.directory / name
        place.mkdir(exist_ok=True)
        bitcode = place / "program.bc"
        includes = ("-isystem", str(self.toolchain.include))
        front_end(source.file, bitcode, ["-w", source.level, *includes, *source.options])
        self._build(bitcode, source, "plain")
        plain = {isa: _execute(source, place / f"{isa}-plain", isa, {}) for isa in self.isas}
        for run_ in plain.values():
            if not run_.normal:
                reason = f"status {run_.status} without migrations"
                return {isa: Result(skipped=reason) for isa in self.isas}
        if len({(run_.status, run_.output) for run_ in plain.values()}) > 1:
            return {isa: Result(failed="the ISAs differ without migrations") for isa in self.isas}
        for executable in ("hooks", "stops"):
            self._build(bitcode, source, executable)
        return {
            isa: _stress(source, place, isa, plain[isa], modes(seed, PLATFORMS[isa], migrations))
            for isa in self.isas
        }

    def _build(self, bitcode: Path, source: Source, executable: str) -> None:
        """Makes `<isa>-<executable>` for all ISAs, beside the bitcode."""
        codegen = Codegen(
            self.toolchain.codegen,
            source.level,
            plain=executable == "plain",
            stress=executable == "hooks",
            leaf_list=self.toolchain.leaf_list,
        )
        programs = {isa: bitcode.with_name(f"{isa}-{executable}.o") for isa in self.isas}
        outputs = [word for isa, path in programs.items() for word in (f"-o-{isa}", str(path))]
        done = run([*codegen.words(), str(bitcode), *outputs], check=False, timeout=300)
        if done.returncode:
            raise CompileError(done.stderr.decode(errors="replace"))
        for isa, path in programs.items():
            self._link(path, isa, plain=codegen.plain)

    def _link(self, program: Path, isa: str, *, plain: bool) -> None:
        symbols = [f"--redefine-sym={name}=stress_{name}" for name in _RENAMED]
        harness = self._harness[isa]
        if plain:
            harness = [path for path in harness if path.stem == "host"]
            symbols.append("--redefine-sym=sigsetjmp=__sigsetjmp")  # glibc has it as a macro
        else:
            symbols.append("--redefine-sym=main=program_main")
            symbols += [f"--redefine-sym={name}=stress_{name}" for name in _JUMPS]
        run([OBJCOPY, *symbols, program])
        static = [PLATFORMS[isa].compiler, "-static", "-no-pie", "-Wl,-z,noexecstack"]
        run([*static, "-o", program.with_suffix(""), program, *harness, "-lm"])


def _stress(source: Source, place: Path, isa: str, plain: Run, chosen: Sequence[Mode]) -> Result:
    """Runs all modes; the first difference ends it."""
    total = Counts()
    lenient = {"TRANSPROC_LENIENT": "1"} if source.lenient else {}
    for mode in chosen:
        found = _execute(source, place / f"{isa}-{mode.executable}", isa, {**mode.settings, **lenient})
        if (found.status, found.output) != (plain.status, plain.output):
            return Result(total, failed=_difference(mode, plain, found))
        counts = _COUNTS.search(found.messages)
        if not counts:
            return Result(total, failed=f"{mode.name}: the harness did not report")
        total += Counts(*(int(number) for number in counts.groups()))
    return Result(total)


def _execute(source: Source, program: Path, isa: str, settings: Mapping[str, str]) -> Run:
    """Runs a program; `settings` are the harness's, and empty for a plain run."""
    platform = PLATFORMS[isa]
    try:
        done = run(
            [*platform.runner, program, *source.arguments],
            cwd=program.parent,
            env={**os.environ, **source.environment, **settings},
            stdin=source.stdin,
            timeout=platform.seconds * (20 if settings else 1),
            check=False,
        )
    except CommandError as error:
        if error.status != TIMED_OUT:
            raise
        return Run(TIMED_OUT, b"", error.stderr.encode())
    return Run(done.returncode, done.stdout, done.stderr)


def _difference(mode: Mode, plain: Run, found: Run) -> str:
    last = " ".join(found.messages.decode(errors="replace").strip().splitlines()[-2:])
    if plain.status != found.status:
        return f"{mode.name}: status {found.status} instead of {plain.status}: {last}"
    lines = zip(plain.output.splitlines(), found.output.splitlines(), strict=False)
    first = next((pair for pair in lines if pair[0] != pair[1]), (b"(length)", b"(length)"))
    return f"{mode.name}: printed {first[1]!r} instead of {first[0]!r}: {last}"
