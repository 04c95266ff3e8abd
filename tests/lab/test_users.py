# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job of another user than root: its user's on both machines, and so are its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiling import compiled
from transproc.cluster import operations
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.transform import pipeline

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

COUNTER = Path(__file__).parent.parent / "native" / "counter.c"
NOBODY = "65534"


def test_a_job_of_nobodys_goes_there_and_back(guests: dict[str, SshNode], tmp_path: Path) -> None:
    program = compiled(COUNTER, tmp_path)

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(guests[name or job.node], job)

    context = Context(JobStore(tmp_path / "jobs"), place_of, pipeline.carry, Silent())
    job = operations.run(context, Program([str(program), "100000", "20000", "1"]), "x86", user="nobody")
    try:
        for target in ("arm", "x86"):
            if target == "arm":
                operations.migrate(context, job.name, target)
            else:
                found = operations.checkpoint(context, job.name, tmp_path / "to", end=True)
                job = operations.restart(context, found.path, target)
            data = f"/var/lib/transproc/jobs/{job.name}/data"
            node = guests[target]
            status = node.output(["cat", f"/proc/{job.pid}/status"]).splitlines()
            words = [line.split() for line in status if line.startswith(("Uid:", "Gid:", "CapEff:"))]
            assert words == [["Uid:", *[NOBODY] * 4], ["Gid:", *[NOBODY] * 4], ["CapEff:", "0" * 16]]
            listed = node.output(
                ["ls", "-lnd", f"{data}/work", f"{data}/stdout", f"{data}/stdin"]
            ).splitlines()
            assert [line.split()[2] for line in listed] == [NOBODY] * 3
    finally:
        operations.discard(context, job.name)
