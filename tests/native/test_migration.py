# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs migrate between two real machines of this ISA, and nothing differs from an undisturbed run."""

from __future__ import annotations

from pathlib import Path

import pytest

from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.run import output
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


def test_a_program_goes_there_and_back(nodes: dict[str, SshNode], counter: Path, tmp_path: Path) -> None:
    words = ["600", "5000", "4"]
    store = JobStore(tmp_path / "jobs")
    job = Job("counter", "na", ["counter", *words])

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    start(store, place_of(job), Program([str(counter), *words]))
    try:
        for target in ("nb", "na"):
            Migration(store, job, place_of(job), place_of(job, target), transform=pipeline.carry).run()
        ended = wait(store, job.name, place_of, 30)
        assert ended.exit == "status 0"
        assert ended.moves == 2
        assert [(hop.source, hop.target) for hop in ended.history] == [("na", "nb"), ("nb", "na")]
        assert place_of(ended).read("stdout").decode() == output([f"{counter}.x86_64", *words])
    finally:
        discard(Context(store, place_of, pipeline.carry, Silent()), job.name)
