# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What Slurm's accounts say of jobs that have moved."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.jobs import WAITS, Submitted, preempted

pytestmark = [
    pytest.mark.native,
    pytest.mark.toolchain,
    pytest.mark.parametrize("cluster", [pytest.param("accounts", marks=pytest.mark.nightly)], indirect=True),
]


def _accounted(job: Submitted) -> str:
    """Each run of a job: how it ended, in which partition, on which node. slurmdbd hears of partitions some seconds later."""
    words = ("-j", job.name, "--duplicates", "-X", "-n", "-P", "-o", "State,Partition,NodeList,ExitCode")

    def rows() -> list[list[str]]:
        return [line.split("|") for line in job.cluster.ask("sacct", *words).splitlines()]

    job.until(lambda: len(rows()) == 2 and all(all(row) for row in rows()), "is in the accounts")
    return "; ".join(" ".join(row) for row in rows())


def _case_moved(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("accounted", *WAITS, sbatch=("-p", "x86", "--comment=mine"))
    job.has_begun()
    cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "arm")
    job.has_a_checkpoint()
    job.is_told()
    return f"{job.ends()}: {_accounted(job)}"


def test_a_job_that_has_moved_is_one_job(outcome: Callable[[str], str]) -> None:
    assert outcome("moved") == "COMPLETED 0:0: REQUEUED x86 x1 0:0; COMPLETED arm a1 0:0"


def _case_preempted(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = preempted(cluster, submit, "preempted-by-quality")
    return f"{job.ends()}: {_accounted(job)}"


def test_so_is_one_that_was_preempted(outcome: Callable[[str], str]) -> None:
    assert outcome("preempted") == "COMPLETED 0:0: PREEMPTED cheap p1 0:0; COMPLETED arm a1 0:0"
