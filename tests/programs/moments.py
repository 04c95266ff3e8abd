# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that wait at *moments* until they have moved (`cxx/moments.h`): where each move happened is known, not probable."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc.cluster import operations
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.toolchain import driver
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

DIRECTORY = Path(__file__).parent
CXX, OPENMP = DIRECTORY / "cxx", DIRECTORY / "openmp"
SECONDS = 60.0

Moment = tuple[str, int]
"""Its name, and how many exceptions are on their way then; of another language's none is counted."""


@dataclass(frozen=True)
class Subject:
    """A program, how it is compiled, and the moments at which it moves."""

    name: str
    moments: Sequence[Moment]
    sources: Sequence[Path]
    arguments: Sequence[str] = ()
    options: Sequence[str] = ()
    libraries: Sequence[str] = ()
    """Of transproc-c++; by default all of the C++ library."""
    env: dict[str, str] = field(default_factory=dict)
    compiler: Sequence[str] = ("clang++-19",)
    """Of the same program for this machine alone."""


@dataclass(frozen=True)
class Ended:
    """How a run ended ("status N", "signal N"), what it printed, and the moments at which it moved."""

    exit: str
    stdout: str
    moved: Sequence[Moment] = ()


def compiled(subject: Subject, directory: Path) -> Path:
    """As users compile it; once. C files are compiled with -fexceptions."""
    program = directory / "-".join(path.stem for path in subject.sources)
    if not program.exists():
        words = ["-O2", "-w", *subject.options]
        objects = [_object(path, program) if path.suffix == ".c" else path for path in subject.sources]
        words += [*map(str, objects), "-o", str(program), *subject.libraries]
        driver.execute(parse(words, cxx=True), toolchain())
    return program


def _object(source: Path, program: Path) -> Path:
    made = program.with_name(f"{source.stem}.o")
    words = ["-O2", "-fexceptions", "-c", str(source), "-o", str(made)]
    driver.execute(parse(words), toolchain())
    return made


def reference(subject: Subject, directory: Path) -> Ended:
    """What the same program does that another compiler has made, once, for this machine."""
    program = directory / f"reference-{'-'.join(path.stem for path in subject.sources)}"
    if not program.exists():
        sources = [path for path in subject.sources if path.suffix != ".c"]
        for path in subject.sources:
            if path.suffix == ".c":
                sources.append(program.with_name(f"{program.name}-{path.stem}.o"))
                subprocess.run(["clang-19", "-O2", "-fexceptions", "-c", path, "-o", sources[-1]], check=True)
        subprocess.run(
            [*subject.compiler, "-O2", "-w", *subject.options, *sources, "-o", program], check=True
        )
    env = subject.env | {"OMP_WAIT_POLICY": "passive"}
    done = subprocess.run([program, *subject.arguments], check=False, capture_output=True, text=True, env=env)
    code = done.returncode
    return Ended(f"status {code}" if code >= 0 else f"signal {-code}", done.stdout)


def moved(subject: Subject, program: Path, context: Context, there: Sequence[str]) -> Ended:
    """Starts it on the first of the nodes, and at each of its moments moves it to the next one."""
    env = subject.env | {"MOMENTS": ",".join(name for name, _ in subject.moments)}
    argv = [str(program), *subject.arguments]
    job = operations.run(context, Program(argv, env=env), there[0], name=subject.name)
    try:
        for number, (name, _) in enumerate(subject.moments):
            await_moment(context.places(context.store.load(job.name)), number, name)
            operations.migrate(context, job.name, there[(number + 1) % len(there)])
        return ended(context, job.name)
    finally:
        operations.discard(context, job.name)


def await_moment(place: Place, number: int, name: str) -> None:
    """Until the program waits at its so many-th moment, which is that."""
    until = time.monotonic() + SECONDS
    while len(reached := re.findall(r"^at (.+)$", said := place.read("stderr").decode(), re.M)) <= number:
        assert time.monotonic() < until and place.exit_status() is None, f"does not come to {name!r}: {said}"
        time.sleep(0.01)
    assert reached[number] == name, said


def ended(context: Context, name: str) -> Ended:
    """Waits for its end."""
    job = wait(context.store, name, context.places, SECONDS)
    place = context.places(job)
    found = re.findall(r"^moved at (.+), (-?\d+) on their way$", place.read("stderr").decode(), re.M)
    return Ended(str(job.exit), place.read("stdout").decode(), [(at, int(count)) for at, count in found])


_ABI = ("-nostdlib++", "-lc++abi")

EXCEPTIONS = Subject(
    "exceptions",
    [
        ("unwinding", 1),
        ("handler", 0),
        ("by base", 0),
        ("being made", 0),  # there is an exception, and it is not thrown yet
        ("copied", 1),  # for a handler that takes it by value
        ("handler in unwinding", 1),
        ("before the throw", 0),
        ("unwinding", 1),
        ("constructor", 0),
        ("callback", 0),
        ("unwinding", 1),  # through qsort's frames
        ("before it is nested", 0),
        ("nested", 0),
        ("before another is thrown", 0),
        ("before it is thrown again", 0),
        ("unwinding", 1),
        ("thread", 0),
        ("kept", 0),
    ],
    [CXX / "exceptions.cpp"],
    ["10"],
)
UNCAUGHT = Subject(
    "uncaught",
    [("end", 0), ("before the throw", 0), ("terminate", 0)],
    EXCEPTIONS.sources,
    ["1", "uncaught"],
)
NOEXCEPT = Subject(
    "noexcept",
    [("end", 0), ("unwinding", 1)],
    EXCEPTIONS.sources,
    ["1", "noexcept"],
)
BETWEEN_ISAS = Subject("between", EXCEPTIONS.moments[5:8], EXCEPTIONS.sources, ["1"])
"""In a handler while another exception is on its way; then frames that have moved throw, and move while they are unwound."""
THROWS = Subject("throws", [("call", 0), ("unwinding", 1)] * 3, [CXX / "throws.cpp"], ["20", "7"])
FOREIGN = Subject(
    "foreign",
    [
        ("before main", 0),
        ("destructor before main", 0),
        ("throws", 0),
        ("cleanup of C", 1),
        ("handler before main", 0),
        ("before it is raised", 0),
        ("foreign passes", 0),
        ("foreign caught", 0),
        ("deleted", 0),
        ("cleanup of C", 0),  # while a foreign one passes
        ("foreign is thrown again", 0),
        ("second try", 0),
        ("between frames of C", 0),
        ("throws", 0),
        ("between frames of C", 1),
        ("deep down", 0),
        ("half way up", 1),
        ("out of the depth", 0),
        ("in the coroutine", 0),
        ("coroutine unwinds", 1),
        ("end of the coroutine", 1),
        ("coroutine has failed", 0),
        ("behind main", 0),
    ],
    [CXX / "foreign.cpp", CXX / "cleanups.c"],
    ["1"],
    options=["-std=c++20"],
    libraries=_ABI,
)
LOCALES = Subject(
    "locales",
    [("grouping", 0), ("true", 0), ("facet throws", 0), ("no such facet", 0), ("facet's end", 0)],
    [CXX / "locales.cpp"],
    ["2"],
)
CONSTRUCTS = Subject(
    "constructs",
    [
        ("others are in the barrier", 0),
        ("object of a thread", 0),
        ("in a reduction", 0),
        ("in a task", 0),
        ("others wait for this iteration", 0),
        ("bound", 0),
    ],
    [OPENMP / "constructs.cpp"],
    ["3"],
    options=["-fopenmp"],
    libraries=_ABI,
    compiler=["g++"],
)
