# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of several processes, and of several threads, go on with the other ISA."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.manifest import programs
from tests.programs.moving import compiled
from transproc import log
from transproc.cluster import operations
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program as Start
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.run import output
from transproc.transform import pipeline

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

SITES = 30
"""Before a checkpoint."""
SEVERAL = {"forks": ("write_all", 4), "threads": ("work", 2)}
"""When there are several processes or threads, and so many at least."""


@pytest.mark.parametrize("name", ["forks", pytest.param("threads", marks=pytest.mark.nightly)])
def test_of_one_isa_and_then_of_the_other(name: str, nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """When there are several; each time the job ends, and nothing of it is left."""
    (program,) = (program for program in programs() if program.name == name)
    binary, words = compiled(program, tmp_path), program.arguments("smoke")
    when, least = SEVERAL[name]
    undisturbed = output([f"{binary}.x86_64", *words])

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    context = Context(JobStore(tmp_path / "jobs"), place_of, pipeline.carry, log)
    operations.run(context, Start([str(binary), *words]), "x86", name=name, pause_at=when)
    for here, there in (("x86", "arm"), ("arm", "x86")):
        operations.pause(context, name, count=SITES)
        taken = operations.checkpoint(context, name, tmp_path / "to", end=True)
        assert (taken.manifest.isa, len(taken.manifest.ids) >= least) == (nodes[here].isa, True)
        operations.kill(context, name, remove=True)
        operations.restart(context, taken.path, there, paused=True)
    operations.resume(context, name)
    job = wait(context.store, name, context.places, 60)
    assert (job.exit, place_of(job).read("stdout").decode()) == ("status 0", undisturbed)
    operations.kill(context, name, remove=True)
