# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc demo`: one computation moves from x86_64 to aarch64 and back, narrated."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from transproc import log
from transproc.cli import common
from transproc.cluster.job import Job
from transproc.cluster.operations import discard, migrate, pause
from transproc.cluster.operations import run as run_job
from transproc.cluster.outcome import Outcome, outcome_of
from transproc.cluster.start import Program
from transproc.cluster.watch import POLL, refresh, wait
from transproc.errors import TransprocError
from transproc.lab.lab import Lab
from transproc.paths import SOURCE
from transproc.run import run
from transproc.scratch import Scratch

EXAMPLE = SOURCE / "examples" / "nbody" / "nbody.c"
TURNS = "50000"
"""Of the integrator, for each line: a third of a second on an emulated machine."""
ROUTE = ("arm", "x86")


def demo(
    steps: Annotated[int, typer.Option("--steps", min=10, help="Lines that the program prints.")] = 60,
    down: Annotated[bool, typer.Option("--down", help="Stop the lab afterwards.")] = False,
) -> None:
    """Compiles examples/nbody, starts it on an x86_64 machine, moves it to an aarch64 machine in mid-computation and back.

    Shows each line of the program's output beside the machine that computed it, each step of each migration
    with its time, and at last compares everything with a run that was not migrated.

    \b
    Example:
      transproc demo --down
    """
    with Scratch() as directory:
        binary = _compile(directory)
        Lab().up()
        program, moved = _tour(binary, steps)
        with log.step("run it once more on x86, without migrations"):
            plain = _unmigrated(program)
    if down:
        Lab().down()
    if differences := plain.difference(moved):
        raise TransprocError("the migrated run differs: " + "; ".join(differences))
    size = len(moved.files["stdout"] or b"")
    typer.echo(
        f"identical, with and without {len(ROUTE)} migrations: {size} bytes of output, exit {moved.exit}"
    )


def _tour(binary: Path, steps: int) -> tuple[Program, Outcome]:
    """The migrated run; on a slow host, where the program ends before it has come back, once more with a longer program."""
    for factor in (1, 2):
        program = Program([str(binary), str(steps * factor), TURNS])
        try:
            return program, Tour(program, steps).run()
        except EndedError:
            log.note("the program ended before it had come back: once more, with a longer one")
    raise EndedError("the program ended before it had come back", hint="give it more: --steps")


class EndedError(TransprocError):
    """The program was too quick for the demonstration."""


class Tour:
    """The job on its way, and its output line by line."""

    def __init__(self, program: Program, steps: int) -> None:
        self.program = program
        self.stops = [steps * (i + 1) // (len(ROUTE) + 1) for i in range(len(ROUTE))]
        self.context = common.context()
        self.store = self.context.store
        self.name = self.store.free_name("demo")
        self.lines = 0
        self._offset = 0
        self._partial = b""

    def run(self) -> Outcome:
        """From start to end."""
        begin = time.perf_counter()
        job = Job(self.name, "x86", [self.program.name, *self.program.argv[1:]])
        try:
            with log.step("connect to x86 and arm"):
                for node in ("x86", "arm"):
                    place = common.place_of(job, node)
                    place.check_criu()
                    _ = place.tool  # brings it there
            run_job(self.context, self.program, "x86", name=self.name)
            for stop, node in zip(self.stops, ROUTE, strict=True):
                self._print_until(stop)
                self._migrate(node)
            self._print_until(None)
            job = wait(self.store, self.name, common.place_of)
            return outcome_of(common.place_of(job), job, time.perf_counter() - begin)
        finally:
            discard(self.context, self.name)

    def _look(self) -> Job:
        job = self.store.load(self.name)
        return refresh(self.store, job, common.place_of(job))

    def _print_until(self, count: int | None) -> None:
        """Prints lines as they come, until there were `count`, or to the program's end."""
        while count is None or self.lines < count:
            job = self._look()
            data = common.place_of(job).read("stdout", self._offset)
            self._print(job.node, data)
            if data:
                continue
            if job.exit is not None:
                if count is not None:
                    raise EndedError(f"the program ended after {self.lines} lines")
                return
            time.sleep(POLL)

    def _print(self, node: str, data: bytes) -> None:
        self._offset += len(data)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self.lines += 1
            typer.echo(f"{node:>4} {common.node(node).isa:<8}│ {line.decode(errors='replace')}")
        sys.stdout.flush()

    def _migrate(self, node: str) -> None:
        """What the program printed before it was stopped belongs to the node that it left."""
        try:
            pause(self.context, self.name)
            job = self.store.load(self.name)
            self._print(job.node, common.place_of(job).read("stdout", self._offset))
            migrate(self.context, self.name, node)
        except TransprocError as error:
            if self._look().exit is not None:
                raise EndedError("the program ended before it could move") from error
            raise


def _compile(directory: Path) -> Path:
    target = directory / "nbody"
    with log.step(f"transproc-cc -O2 {EXAMPLE.name} -o nbody") as step:
        compiler = Path(sys.executable).with_name("transproc-cc")
        run([compiler, "-O2", EXAMPLE, "-o", target])
        step.detail = ", ".join(sorted(path.name for path in directory.iterdir()))
    return target


def _unmigrated(program: Program) -> Outcome:
    context = common.context()
    begin = time.perf_counter()
    name = context.store.free_name("demo")
    try:
        run_job(context, program, "x86", name=name)
        job = wait(context.store, name, common.place_of)
        return outcome_of(common.place_of(job), job, time.perf_counter() - begin)
    finally:
        discard(context, name)


app = common.application(demo)
