# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs of a real Slurm that are killed, cancelled, given little time, or are steps, arrays and several programs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.slurm.cluster import KILL_WAIT, Cluster
from tests.slurm.jobs import WAITS, Submitted, expected

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

X86 = ("-p", "x86")
_STEPS = """\
#!/bin/sh
srun --ntasks=1 --overlap --output={program}-%j.1 transproc slurm exec --poll 1 --name one -- {program} 400 0 wait &
srun --ntasks=1 --overlap --output={program}-%j.2 transproc slurm exec --poll 1 --name two -- {program} 300 0 wait &
wait
echo both
"""


def has_several(job: Submitted) -> None:
    """Checkpoints, of which the first is long past."""
    directory = job.cluster.state / "0" / str(job.number) / "checkpoints"
    job.until(lambda: len(list(directory.glob("slurm-*"))) > 1, "has checkpoints")


def is_in_the_queue(job: Submitted) -> None:
    job.until(lambda: job.look().state == "PENDING", "is in the queue again")


# --- little time --------------------------------------------------------------------------------------------------


def _case_graced(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """Its checkpoint takes longer than `KillWait`, and less than the partition's `GraceTime`."""
    job = submit("graced", *WAITS, sbatch=cluster.of("graced"))
    job.has_begun()
    job.hold()
    cluster.preempt("g1")
    job.dumps()
    time.sleep(KILL_WAIT + 1)
    job.unhold()
    job.has_left()
    job.goes_on("arm")
    job.until(lambda: job.look().state not in ("RUNNING", "COMPLETING"), "ends")
    if job.look().restarts == 2:
        cluster.ask("scancel", job.name)
        return "is run again"
    return f"{job.ends()} {job.look().restarts}"


def test_a_preempted_job_has_its_grace_for_a_checkpoint(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    # Some versions take it for preempted still when it ends (docs/slurm.md).
    again = (23, 0) <= cluster.version < (26, 5)
    assert outcome("graced") == ("is run again" if again else "COMPLETED 0:0 1")
    assert (cluster.jobs / "graced.out").read_text() == expected(cluster, *WAITS)[0]


def _case_killed(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """In the middle of the checkpoint that it should leave by."""
    job = submit("killed", *WAITS, sbatch=X86, options="--every 1")
    job.clean()
    job.has_begun()
    has_several(job)
    job.hold()
    job.dumps()
    cluster.ask("scontrol", "requeue", job.name)
    is_in_the_queue(job)
    job.unhold()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().restarts}"


def test_a_job_that_is_killed_in_its_checkpoint_goes_on_from_the_one_before(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("killed") == "COMPLETED 0:0 1"
    assert (cluster.jobs / "killed.out").read_text() == expected(cluster, *WAITS)[0]
    assert "begins anew" not in (cluster.jobs / "killed.err").read_text()


def _case_anew(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("anew", *WAITS, sbatch=X86)
    job.clean()
    job.has_begun()
    job.hold()
    cluster.ask("scontrol", "requeue", job.name)
    is_in_the_queue(job)
    job.unhold()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().restarts}"


def test_a_job_that_has_no_checkpoint_says_that_it_begins_anew(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("anew") == "COMPLETED 0:0 1"
    assert (cluster.jobs / "anew.out").read_text() == expected(cluster, *WAITS)[0]
    assert "has left no checkpoint, so it begins anew" in (cluster.jobs / "anew.err").read_text()


def _case_slow(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("slow", *WAITS, sbatch=X86, options="--every 1")
    job.has_begun()
    job.hold()
    job.dumps()
    time.sleep(KILL_WAIT + 1)
    job.unhold()
    job.until(lambda: "sooner (KillWait)" in job.text(), "says that Slurm would not wait so long")
    job.is_told()
    return job.ends()


def test_who_would_be_killed_in_a_checkpoint_is_told_before(outcome: Callable[[str], str]) -> None:
    assert outcome("slow") == "COMPLETED 0:0"


def _case_cancelled(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("cancelled-there", *WAITS, sbatch=X86)
    job.clean()
    job.has_begun()
    job.hold()
    cluster.ask("scancel", "--batch", "--signal=USR1", job.name)
    job.dumps()
    cluster.ask("scancel", job.name)
    job.unhold()
    job.until(lambda: job.look().state == "CANCELLED", "is cancelled")
    job.until(lambda: not list(cluster.state.glob(f"*/{job.number}")), "is removed")
    return f"{job.look().restarts} {job.processes()}"


def test_a_job_that_is_cancelled_in_its_checkpoint_does_not_come_again(outcome: Callable[[str], str]) -> None:
    assert outcome("cancelled") == "0 []"


# --- nodes --------------------------------------------------------------------------------------------------------


def _case_lost(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """Its node loses power: slurmd, and all of the job."""
    job = submit("lost", *WAITS, sbatch=("-p", "weak"), options="--every 1")
    job.clean()
    job.has_begun()
    has_several(job)
    cluster.lose("w1")
    cluster.ask("scontrol", "update", "NodeName=w1", "State=DOWN", "Reason=power")
    is_in_the_queue(job)
    job.goes_on("arm")
    return f"{job.ends()} {job.look().nodes}"


def test_a_job_whose_node_is_lost_goes_on_from_its_last_checkpoint(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("lost") == "COMPLETED 0:0 a1"
    assert (cluster.jobs / "lost.out").read_text() == expected(cluster, *WAITS)[0]


def _case_cleaned(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("cleaned", *WAITS, sbatch=X86)
    job.has_begun()
    job.hold()
    cluster.ask("scancel", "--batch", "--signal=USR1", job.name)
    job.dumps()
    there = bool(_on_node(job))
    job.clean()
    cluster.ask("scancel", job.name)
    job.until(lambda: job.look().state == "CANCELLED", "is killed")
    job.until(lambda: not _on_node(job), "is removed")
    job.unhold()
    return f"{there} {job.number}"


def _on_node(job: Submitted) -> str:
    places = [f"/var/lib/transproc/{kind}" for kind in ("jobs", "slurm")]
    return job.cluster.ask("find", *places, "-maxdepth", "1", "-name", f"slurm-{job.number}-*", check=False)


def test_the_epilog_removes_what_a_killed_job_has_left(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    there, number = outcome("cleaned").split()
    assert there == "True"
    assert (cluster.directory / "epilog.log").read_text() == ""
    known, old = cluster.state / "0" / number, cluster.state / "0" / "99999"
    (old / "checkpoints").mkdir(parents=True)
    assert cluster.ask("transproc", "slurm", "clean", "--checkpoints") == "99999\n"
    assert (known.exists(), old.exists()) == (True, False), (
        "a killed one cannot remove its own, and may be requeued"
    )
    shutil.rmtree(known)


# --- steps, arrays, several programs ------------------------------------------------------------------------------


def _case_step(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("step", *WAITS, sbatch=X86, exec="srun --ntasks=1 ")
    job.has_begun()
    cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "arm")
    job.has_a_checkpoint()
    first = job.text()
    job.is_told(steps=True)
    return f"{job.ends()} {job.look().nodes} {'and status' in first}"


def test_a_step_of_one_task_moves(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("step") == "COMPLETED 0:0 a1 False"
    assert (cluster.jobs / "step.out").read_text() == expected(cluster, *WAITS)[0] + "and status 0\n"


def _case_tasks(_: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("tasks", "3", sbatch=(*X86, "--ntasks=2"), exec="srun ")
    return f"{job.ends()} {job.text()}"


def test_a_step_of_several_tasks_is_refused_before_it_starts(outcome: Callable[[str], str]) -> None:
    told = outcome("tasks")
    assert told.startswith("FAILED 1:0 and status 1\n")
    assert "this step has 2 tasks, expected 1" in told
    assert "\n0\n" not in told


def _case_scriptless(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    words = ("transproc", "slurm", "exec", "--", str(submit.__closure__[1].cell_contents), "3")  # type: ignore[attr-defined]
    return cluster.ask("srun", *X86, "--ntasks=1", *words, check=False)


def test_a_job_without_a_script_is_refused(outcome: Callable[[str], str]) -> None:
    assert "has no script, and only jobs that have one can leave" in outcome("scriptless")


def _case_array(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    """One of its tasks moves, and the others do not notice."""
    output = ("--output", str(cluster.jobs / "array_%a.out"), "--error", str(cluster.jobs / "array_%a.err"))
    array = submit("array", *WAITS, sbatch=(*X86, "--array=0-2", *output))
    found = []
    for task in range(3):
        out = cluster.jobs / f"array_{task}.out"
        job = replace(array, out=out, err=out.with_suffix(".err"), label=f"{array.number}_{task}")
        job.has_begun()
        found.append(replace(job, number=job.look().number))
    (moved,) = (job for job in found if job.number == array.number)  # by this number it would be all of them
    cluster.ask("transproc", "slurm", "migrate", moved.name, "--partition", "arm")
    for job in found:
        job.is_told()
    return " ".join(
        f"{job.ends()} {job.look().restarts}" for job in sorted(found, key=lambda job: job is moved)
    )


def test_one_task_of_an_array_moves(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("array") == "COMPLETED 0:0 0 COMPLETED 0:0 0 COMPLETED 0:0 1"
    for task in range(3):
        assert (cluster.jobs / f"array_{task}.out").read_text() == expected(cluster, *WAITS)[0]


def _case_both(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("both", sbatch=X86, script=_STEPS)
    job.until(lambda: len(job.processes()) == 2, "runs both")
    time.sleep(1)
    cluster.ask("scontrol", "requeue", job.name)
    is_in_the_queue(job)
    cluster.update(job.name, "StartTime=now", "Partition=arm")
    job.until(lambda: len(job.processes()) == 2, "runs both again")
    job.is_told(steps=True)
    end = job.ends()
    prints = [
        path.read_text()
        for path in sorted(Path(f"{_program(cluster)}-{job.number}.1").parent.glob("*-*.[12]"))
    ]
    return f"{end} {job.out.read_text()} {[text.count('pi is') for text in prints]}"


def _program(cluster: Cluster) -> str:
    return (cluster.jobs / "both.sh").read_text().split(" -- ")[1].split()[0]


def test_two_programs_of_one_script_go_on_each_by_itself(outcome: Callable[[str], str]) -> None:
    assert outcome("both") == "COMPLETED 0:0 both\n [1, 1]"
