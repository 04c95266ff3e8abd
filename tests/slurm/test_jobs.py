# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What becomes of programs in jobs of a real Slurm. All jobs of a cluster run at once; each test looks at one of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.cluster import UID, Cluster
from tests.slurm.jobs import WAITS, Submitted, expected, preempted
from transproc.cluster.preflight import LIMITS_OF_OTHERS
from transproc.slurm.commands import parse_job

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

CAN_MOVE_OTHERS = bool(
    int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16) & LIMITS_OF_OTHERS
)


# --- requeued by somebody, with all that a program may have --------------------------------------------------------


def _case_requeued(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    files = cluster.jobs / "requeued.in"
    files.mkdir()
    (files / "given").write_text("given\n")
    (cluster.jobs / "requeued.stdin").write_text("one\ntwo\n")
    options = f"--files {files} --results {cluster.jobs}/requeued.files"
    job = submit(
        "requeued",
        *WAITS,
        options=options,
        sbatch=("-p", "x86", "--input", str(cluster.jobs / "requeued.stdin")),
    )
    job.has_begun()
    cluster.ask("scontrol", "requeue", str(job.number))
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().nodes} {job.look().restarts}"


def test_a_requeued_job_goes_on_in_the_other_partition(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("requeued") == "COMPLETED 0:0 a1 1"
    out, err = expected(cluster, *WAITS, stdin=b"one\ntwo\n")
    assert (cluster.jobs / "requeued.out").read_text() == out
    assert (cluster.jobs / "requeued.err").read_text() == err
    assert {path.name for path in (cluster.jobs / "requeued.files").iterdir()} == {"given", "last"}


# --- migrated -----------------------------------------------------------------------------------------------------


def _case_migrated(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("migrated", *WAITS, sbatch=("-p", "x86", "--open-mode=append", "--comment=mine"))
    job.has_begun()
    cluster.ask("transproc", "slurm", "migrate", str(job.number), "--partition", "arm")
    job.has_a_checkpoint()
    job.is_told()
    return f"{job.ends()} {job.look().nodes} {job.look().comment}"


def test_a_job_migrates_by_a_command(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("migrated") == "COMPLETED 0:0 a1 mine"
    out, err = expected(cluster, *WAITS)
    assert (cluster.jobs / "migrated.out").read_text() == out
    printed = (cluster.jobs / "migrated.err").read_text().splitlines(keepends=True)
    assert "".join(line for line in printed if not line.startswith("slurmstepd")) == err


def _case_unfit(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("unfit", *WAITS, sbatch=("-p", "x86", "-w", "x1", "-t", "20", "--mem", "0"))
    job.has_begun()
    said = cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "arm", check=False)
    about = job.look()
    assert (about.state, about.nodes, about.restarts, about.comment) == ("RUNNING", "x1", 0, "")
    for command in re.findall(r"'(scontrol .*?)'", said):
        cluster.insist(*command.split())
        job.until(lambda: job.look().state in ("RUNNING", "PENDING"), "follows")
        job.is_over() if "requeuehold" in command else None
    job.has_a_checkpoint()
    job.is_told()
    return f"{job.ends()} {job.look().nodes} {said.splitlines()[0]}"


def test_a_job_that_its_new_partition_cannot_meet_is_not_touched(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    """Slurm takes any partition for it, and would let it wait for ever. What the hint says lets it go there all the same."""
    said = outcome("unfit")
    assert re.fullmatch(
        r"COMPLETED 0:0 a1 transproc: error: job \d+: cannot start in arm with --nodelist=x1: Requested node.* not available",
        said,
    )
    assert (cluster.jobs / "unfit.out").read_text() == expected(cluster, *WAITS)[0]


def _case_longer(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("longer", *WAITS, sbatch=("-p", "x86", "-t", "20"))
    job.has_begun()
    said = cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "brief", check=False)
    assert (job.look().state, job.look().restarts) == ("RUNNING", 0)
    command = re.findall(r"'(scontrol .*?)'", said)[0]
    cluster.insist(*command.split())
    cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "brief")
    job.has_a_checkpoint()
    job.is_told()
    return f"{job.ends()} {job.look().nodes} {said.splitlines()[0]}"


def test_so_is_one_whose_time_limit_is_longer(outcome: Callable[[str], str]) -> None:
    assert re.fullmatch(
        r"COMPLETED 0:0 a1 transproc: error: .*: its time limit is 20 minutes, that of the partition 10",
        outcome("longer"),
    )


def _case_briefer(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("briefer", *WAITS, sbatch=("-p", "x86"))
    job.has_begun()
    cluster.ask("transproc", "slurm", "migrate", job.name, "--partition", "brief")
    job.has_a_checkpoint()
    job.until(lambda: job.look().state == "RUNNING", "runs")
    limit = job.look().limit
    job.is_told()
    return f"{job.ends()} {job.look().nodes} {limit}"


def test_a_limit_that_is_the_partitions_becomes_that_of_the_other_one(outcome: Callable[[str], str]) -> None:
    assert outcome("briefer") == "COMPLETED 0:0 a1 600.0"


# --- other reasons to leave -----------------------------------------------------------------------------------------


def _case_warned(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("warned", *WAITS, sbatch=("-p", "x86"))
    job.has_begun()
    cluster.ask("scancel", "--batch", "--signal=USR1", str(job.number))
    job.has_left()
    job.goes_on("arm,x86")
    return f"{job.ends()} {job.look().restarts}"


def test_the_warning_signal_makes_a_job_leave(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("warned") == "COMPLETED 0:0 1"
    assert (cluster.jobs / "warned.out").read_text() == expected(cluster, *WAITS)[0]


# --- an ordinary user's ---------------------------------------------------------------------------------------------


def _case_user(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("user", *WAITS, sbatch=("-p", "x86"), user=True)
    job.has_begun()
    cluster.ask("scancel", "--batch", "--signal=USR1", str(job.number), user=True)
    if CAN_MOVE_OTHERS:
        job.has_left()
        job.goes_on("arm")
    else:
        job.until(lambda: "transproc:" in job.text(), "is told what is wrong")
        job.is_told()
    return f"{job.ends()} {job.look().restarts}"


def test_a_users_program_is_the_users(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    """Where root cannot move the programs of others, as on some virtual machines, it is told so, and runs on."""
    assert outcome("user") == f"COMPLETED 0:0 {int(CAN_MOVE_OTHERS)}"
    out, err = expected(cluster, *WAITS)
    assert (cluster.jobs / "user.out").read_text() == out.replace("I am root", "I am a user")
    printed = (cluster.jobs / "user.err").read_text().splitlines(keepends=True)
    told = [line for line in printed if line.startswith("transproc:")]
    assert "".join(line for line in printed if line not in told) == err
    assert [("cap_sys_resource" in line) for line in told] == ([] if CAN_MOVE_OTHERS else [True])
    assert (cluster.jobs / f"slurm-{_number(cluster, 'user')}.files" / "last").stat().st_uid == UID


def _number(cluster: Cluster, name: str) -> int:
    lines = cluster.ask("scontrol", "--oneliner", "show", "job").splitlines()
    return next(
        parse_job(line.replace(" UserId", "\nUserId", 1)).number for line in lines if f"={name}.sh " in line
    )


def _case_preempted(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = preempted(cluster, submit, "preempted")
    return f"{job.ends()} {job.look().restarts}"


def test_a_preempted_job_goes_on_elsewhere(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("preempted") == "COMPLETED 0:0 1"
    assert (cluster.jobs / "preempted.out").read_text() == expected(cluster, *WAITS)[0]


def _case_drained(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("drained", *WAITS, sbatch=("-p", "old"))
    job.has_begun()
    cluster.ask("scontrol", "update", "NodeName=d1", "State=DRAIN", "Reason=repair")
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().nodes}"


def test_a_job_leaves_a_node_that_is_drained(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("drained") == "COMPLETED 0:0 a1"
    assert (cluster.jobs / "drained.out").read_text() == expected(cluster, *WAITS)[0]


def _case_damaged(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("damaged", *WAITS, sbatch=("-p", "x86"))
    job.has_begun()
    cluster.ask("scontrol", "requeue", str(job.number))
    job.has_left()
    (pages,) = cluster.state.glob(f"0/{job.number}/checkpoints/*/images/pages-1.img")
    whole = pages.read_bytes()
    pages.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    cluster.update(job.name, "StartTime=now", "Partition=arm")
    job.until(lambda: job.look().held and job.look().state == "PENDING", "is held")
    job.is_over()
    told = job.err.read_text()
    pages.write_bytes(whole)
    cluster.update(job.name, "StartTime=now")
    cluster.ask("scontrol", "release", str(job.number))
    job.is_told()
    return f"{job.ends()} {'is held' in told}"


def test_a_job_whose_checkpoint_is_damaged_is_held_and_can_go_on_when_it_is_whole(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("damaged") == "COMPLETED 0:0 True"
    assert (cluster.jobs / "damaged.out").read_text() == expected(cluster, *WAITS)[0]


def _case_plain(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("plain", *WAITS, sbatch=("-p", "x86"), exec="")
    job.has_begun()
    cluster.ask("scontrol", "requeue", str(job.number))
    job.has_left()
    first = job.text()
    job.goes_on("arm")
    return f"{job.ends()} {'and status' in first}"


def test_a_script_that_is_a_shell_all_the_time_survives_the_signals(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("plain") == "COMPLETED 0:0 False"
    assert (cluster.jobs / "plain.out").read_text() == expected(cluster, *WAITS)[0] + "and status 0\n"


# --- ends -----------------------------------------------------------------------------------------------------------


def _case_cancelled(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("cancelled", "400", "99", "wait", sbatch=("-p", "x86"))
    job.has_begun()
    cluster.ask("scancel", str(job.number))
    job.until(lambda: job.look().state == "CANCELLED", "is cancelled")
    job.until(lambda: not list(cluster.state.glob(f"*/{job.number}")), "is removed")
    return str("pi is" in job.text())


def test_a_cancelled_job_ends_as_it_will_and_leaves_nothing(outcome: Callable[[str], str]) -> None:
    assert outcome("cancelled") == "True"


def _case_status(_: Cluster, submit: Callable[..., Submitted]) -> str:
    return submit("status", "3", "7", sbatch=("-p", "x86")).ends()


def test_a_programs_status_is_the_jobs(outcome: Callable[[str], str]) -> None:
    assert outcome("status") == "FAILED 7:0"


def _case_signal(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("signal", "400", "-11", "wait", sbatch=("-p", "x86"))
    job.has_begun()
    job.is_told()
    return job.ends()


def test_signals_are_passed_on_and_so_is_the_one_that_it_dies_of(outcome: Callable[[str], str]) -> None:
    assert outcome("signal") == "FAILED 0:11"


def _case_refused(_: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("refused", "3", sbatch=("-p", "x86", "--no-requeue"))
    return f"{job.ends()} {job.err.read_text()}"


def test_a_job_that_cannot_be_requeued_is_refused(outcome: Callable[[str], str]) -> None:
    assert re.fullmatch(
        r"FAILED 1:0 transproc: error: job \d+: is not to be requeued.*\nhint: sbatch --requeue\n",
        outcome("refused"),
    )


def test_nothing_is_left_of_any_job(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    outcome("requeued")
    places = ("/var/lib/transproc/jobs", "/var/lib/transproc/slurm")
    cluster.until(lambda: cluster.ask("find", *places, "-mindepth", "1") == "", "nothing is left on nodes")
    assert list(cluster.state.glob("*/*")) == []
