# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time limits of a real Slurm, which looks at them every half minute only."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.jobs import WAITS, Submitted, expected

pytestmark = [pytest.mark.native, pytest.mark.toolchain, pytest.mark.nightly]


def _limited(job: Submitted, seconds: float) -> None:
    """From now on: `--time` knows minutes only."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + seconds))
    job.cluster.ask("scontrol", "update", f"JobId={job.name}", f"EndTime={end}")


def _case_over(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """It does not look at the clock itself, and is told by Slurm when its time is over."""
    sbatch = ("-p", "x86", "--time=5")
    job = submit("over", *WAITS, sbatch=sbatch, options="--before 0 --poll 1000")
    job.has_begun()
    _limited(job, 15)
    job.until(lambda: job.look().reason == "TimeLimit", "has no time left")
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().restarts} {job.look().nodes}"


def test_a_job_whose_time_is_over_goes_on_elsewhere(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("over") == "COMPLETED 0:0 1 a1"
    assert (cluster.jobs / "over.out").read_text() == expected(cluster, *WAITS)[0]


def _case_warned(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """By `--signal`, before that."""
    sbatch = ("-p", "x86", "--time=5", "--signal=B:USR1@45")
    job = submit("warned-of-the-limit", *WAITS, sbatch=sbatch, options="--before 0 --poll 1000")
    job.has_begun()
    _limited(job, 60)
    job.until(lambda: job.look().restarts > 0, "leaves")
    reason = job.look().reason
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().restarts} {reason == 'TimeLimit'}"


def test_a_job_that_is_warned_leaves_before_its_limit(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("warned") == "COMPLETED 0:0 1 False"
    assert (cluster.jobs / "warned-of-the-limit.out").read_text() == expected(cluster, *WAITS)[0]
