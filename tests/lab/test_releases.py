# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of one release's kernel and criu start again with another's, newer and older, on the same ISA and the other one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.native.performing import context_of, nodes_of
from tests.programs.manifest import Program, programs
from tests.programs.moving import compiled
from transproc.cluster import checkpoints, operations
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.outcome import Outcome, outcome_of
from transproc.cluster.place import PauseRequest
from transproc.cluster.start import Program as Start
from transproc.cluster.start import address_of, start
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.lab.lab import Lab
from transproc.lab.rootfs import SUITES

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

CHOSEN = {"threads", "files", "blocked-epoll", "kinds-processes", "kinds-sockets"}
"""What kernels and criu describe, and what the transformation changes. (A program that has opened a file whose name was
removed cannot be in a checkpoint while it is paused.)"""
ISAS = ("x86", "arm")
OTHER = {"stable": "testing", "testing": "stable"}
SITES = 20
"""Passed before the checkpoint of a program that has no function where its state has been made."""
SECONDS = 120.0


@dataclass
class Taken:
    """`restarts`: "EQUAL", or what was wrong, by program, suite and ISA of the checkpoint, and ISA of the restart."""

    directory: Path
    kernels: dict[str, str] = field(default_factory=dict)
    paths: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    plain: dict[str, Outcome] = field(default_factory=dict)
    restarts: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def take(self, program: Program, suite: str, isa: str, context: Context) -> None:
        """A checkpoint of it; the first time, also what it does undisturbed."""
        binary = compiled(program, self.directory)
        stdin = None
        if program.stdin:
            stdin = self.directory / f"{program.name}.stdin"
            stdin.write_text(program.stdin)
        what = Start([str(binary), *program.arguments("smoke")], stdin=stdin, env=dict(program.environment))
        if program.name not in self.plain:
            operations.run(context, what, isa, name=program.name)
            self.plain[program.name] = _ended(context, program.name)
        job = Job(program.name, isa, [binary.name, *program.arguments("smoke")])
        stop = PauseRequest(count=SITES, timeout=SECONDS)
        if program.after:
            stop = PauseRequest(at=address_of(binary.with_suffix(".x86_64"), program.after), timeout=SECONDS)
        try:
            start(context.store, context.places(job, isa), what, pause=stop)
            found = operations.checkpoint(context, program.name, self.directory / f"{suite}-{isa}", end=True)
            self.paths[program.name, suite, isa] = found.path
        except TransprocError as error:
            for target in ISAS:
                self.restarts[program.name, suite, isa, target] = error.message
        operations.discard(context, program.name)

    def restart(self, key: tuple[str, str, str], isa: str, context: Context) -> None:
        """Starts one, and notes what became of it."""
        try:
            operations.restart(context, self.paths[key], isa)
            outcome = _ended(context, key[0])
            self.restarts[*key, isa] = ", ".join(self.plain[key[0]].difference(outcome)) or "EQUAL"
        except TransprocError as error:
            self.restarts[*key, isa] = error.message
            operations.discard(context, key[0])


def _ended(context: Context, name: str) -> Outcome:
    job = wait(context.store, name, context.places, SECONDS)
    outcome = outcome_of(context.places(job), job, 0.0)
    operations.discard(context, name)
    return outcome


@contextmanager
def _lab(directory: Path, suite: str) -> Iterator[dict[str, SshNode]]:
    lab = Lab(directory / "lab")
    lab.up(suite=SUITES[suite])
    try:
        yield nodes_of(lab.directory / "nodes.toml")
    finally:
        lab.down()


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    """Of stable's machines, which then are testing's, and then stable's again."""
    found = Taken(tmp_path_factory.mktemp("releases"))
    chosen = [program for program in programs() if program.name in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    for number, suite in enumerate(("stable", "testing", "stable")):
        with _lab(found.directory, suite) as nodes:
            context = context_of(found.directory / f"state{number}", nodes)
            for key in [key for key in found.paths if key[1] != suite]:
                for isa in ISAS:
                    found.restart(key, isa, context)
            for program in chosen if number < 2 else ():
                for isa in ISAS:
                    found.take(program, suite, isa, context)
            found.kernels[suite] = nodes["x86"].output(["uname", "-r"]).strip()
    return found


@pytest.mark.parametrize("suite", OTHER)
@pytest.mark.parametrize("source", ISAS)
@pytest.mark.parametrize("target", ISAS)
@pytest.mark.parametrize("name", sorted(CHOSEN))
def test_a_checkpoint_goes_on_with_another_kernel(
    taken: Taken, name: str, suite: str, source: str, target: str
) -> None:
    assert taken.restarts[name, suite, source, target] == "EQUAL"


def test_a_checkpoint_says_with_what_it_was_taken(taken: Taken) -> None:
    assert len(set(taken.kernels.values())) == 2
    for (_, suite, isa), path in taken.paths.items():
        if isa == "x86":
            assert checkpoints.read(path).manifest.kernel == taken.kernels[suite]
