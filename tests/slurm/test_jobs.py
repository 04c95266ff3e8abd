# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What becomes of programs in jobs of a real Slurm. All jobs of a cluster run at once; each test looks at one of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.slurm.cluster import UID, Cluster
from transproc.cluster.preflight import LIMITS_OF_OTHERS
from transproc.slurm.commands import SlurmJob, parse_job

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

CAN_MOVE_OTHERS = bool(
    int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16) & LIMITS_OF_OTHERS
)
WAITS = ("400", "0", "wait")
"""A counter that stands still in the middle until it is told to go on."""
_SCRIPT = """\
#!/bin/sh
{exec}transproc slurm exec --poll 1 {options} -- {program} {words}
status=$?
echo "and status $status"
exit $status
"""


@dataclass
class Submitted:
    """A job of the cluster."""

    cluster: Cluster
    number: int
    out: Path
    err: Path

    def look(self) -> SlurmJob:
        return parse_job(self.cluster.ask("scontrol", "show", "job", str(self.number)))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        self.cluster.until(condition, f"job {self.number}: {what}; {self.text()}", 60.0)

    def text(self) -> str:
        return "".join(path.read_text() for path in (self.out, self.err) if path.exists())

    def has_begun(self) -> None:
        self.until(lambda: self.out.exists() and self.out.read_text().count("\n") >= 20, "prints")

    def has_left(self) -> None:
        self.until(lambda: self.look().state == "PENDING", "is in the queue again")
        self.has_a_checkpoint()

    def has_a_checkpoint(self) -> None:
        """Else it begins anew, and prints the same."""
        assert list(self.cluster.state.glob(f"*/{self.number}/checkpoints/slurm-*")), self.text()

    def goes_on(self, partition: str) -> None:
        """Slurm would let it wait for two minutes."""
        where = f"Partition={partition}"
        self.cluster.ask("scontrol", "update", f"JobId={self.number}", "StartTime=now", where)
        self.is_told()

    def is_told(self) -> None:
        """To go on, when it is there."""
        pattern = f"^/var/lib/transproc/jobs/slurm-{self.number}-"
        self.until(lambda: bool(self.cluster.ask("pgrep", "-f", pattern, check=False)), "is there again")
        self.cluster.ask("scancel", "--batch", "--signal=USR2", str(self.number))

    def ends(self) -> str:
        """As what, and how: "COMPLETED 0:0"."""
        self.until(lambda: self.look().state not in ("RUNNING", "PENDING", "COMPLETING"), "ends")
        text = self.cluster.ask("scontrol", "show", "job", str(self.number))
        found = re.search(r"ExitCode=(\S+)", text)
        return f"{self.look().state} {found and found[1]}"


@pytest.fixture(scope="module")
def submit(cluster: Cluster, counter: Path) -> Callable[..., Submitted]:
    def submit(
        name: str,
        *words: str,
        options: str = "",
        sbatch: tuple[str, ...] = (),
        user: bool = False,
        exec: str = "exec ",
    ) -> Submitted:
        script = cluster.jobs / f"{name}.sh"
        script.write_text(_SCRIPT.format(exec=exec, options=options, program=counter, words=" ".join(words)))
        script.chmod(0o755)
        out, err = cluster.jobs / f"{name}.out", cluster.jobs / f"{name}.err"
        files = () if "--output" in " ".join(sbatch) else ("--output", str(out), "--error", str(err))
        number = cluster.ask("sbatch", "--parsable", "--requeue", *files, *sbatch, str(script), user=user)
        return Submitted(cluster, int(number.split()[-1]), out, err)

    return submit


@pytest.fixture(scope="module")
def outcome(cluster: Cluster, submit: Callable[..., Submitted]) -> Iterator[Callable[[str], str]]:
    """Carries out all scenarios at once; what each returned, or raises what it raised."""
    names = {name: function for name, function in globals().items() if name.startswith("_case_")}
    with ThreadPoolExecutor(len(names)) as pool:
        futures: dict[str, Future[str]] = {
            name: pool.submit(function, cluster, submit) for name, function in names.items()
        }
    yield lambda name: futures[f"_case_{name}"].result()


def _expected(cluster: Cluster, *words: str, stdin: bytes = b"") -> tuple[str, str]:
    """What an undisturbed run prints."""
    program = next(cluster.jobs.glob("*.sh")).read_text().split(" -- ")[1].split()[0]
    done = subprocess.run(
        [f"{program}.x86_64", *words[:2]],
        input=stdin,
        capture_output=True,
        cwd=cluster.directory,
        check=False,
    )
    return done.stdout.decode(), done.stderr.decode()


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
    out, err = _expected(cluster, *WAITS, stdin=b"one\ntwo\n")
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
    out, err = _expected(cluster, *WAITS)
    assert (cluster.jobs / "migrated.out").read_text() == out
    printed = (cluster.jobs / "migrated.err").read_text().splitlines(keepends=True)
    assert "".join(line for line in printed if not line.startswith("slurmstepd")) == err


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
    assert (cluster.jobs / "warned.out").read_text() == _expected(cluster, *WAITS)[0]


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
    out, err = _expected(cluster, *WAITS)
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
    job = submit("preempted", *WAITS, sbatch=("-p", "cheap"))
    job.has_begun()
    cluster.ask("sbatch", "-p", "urgent", "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().restarts}"


def test_a_preempted_job_goes_on_elsewhere(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("preempted") == "COMPLETED 0:0 1"
    assert (cluster.jobs / "preempted.out").read_text() == _expected(cluster, *WAITS)[0]


def _case_drained(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("drained", *WAITS, sbatch=("-p", "old"))
    job.has_begun()
    cluster.ask("scontrol", "update", "NodeName=d1", "State=DRAIN", "Reason=repair")
    job.has_left()
    job.goes_on("arm")
    return f"{job.ends()} {job.look().nodes}"


def test_a_job_leaves_a_node_that_is_drained(cluster: Cluster, outcome: Callable[[str], str]) -> None:
    assert outcome("drained") == "COMPLETED 0:0 a1"
    assert (cluster.jobs / "drained.out").read_text() == _expected(cluster, *WAITS)[0]


def _case_damaged(cluster: Cluster, submit: Callable[..., Submitted]) -> str:
    job = submit("damaged", *WAITS, sbatch=("-p", "x86"))
    job.has_begun()
    cluster.ask("scontrol", "requeue", str(job.number))
    job.has_left()
    (pages,) = cluster.state.glob(f"0/{job.number}/checkpoints/*/images/pages-1.img")
    whole = pages.read_bytes()
    pages.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    cluster.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now", "Partition=arm")
    job.until(lambda: job.look().held and job.look().state == "PENDING", "is held")
    told = job.err.read_text()
    pages.write_bytes(whole)
    cluster.ask("scontrol", "update", f"JobId={job.number}", "StartTime=now")
    cluster.ask("scontrol", "release", str(job.number))
    job.is_told()
    return f"{job.ends()} {'is held' in told}"


def test_a_job_whose_checkpoint_is_damaged_is_held_and_can_go_on_when_it_is_whole(
    cluster: Cluster, outcome: Callable[[str], str]
) -> None:
    assert outcome("damaged") == "COMPLETED 0:0 True"
    assert (cluster.jobs / "damaged.out").read_text() == _expected(cluster, *WAITS)[0]


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
    assert (cluster.jobs / "plain.out").read_text() == _expected(cluster, *WAITS)[0] + "and status 0\n"


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
    assert cluster.ask("find", "/var/lib/transproc/jobs", "/var/lib/transproc/slurm", "-mindepth", "1") == ""
    assert list(cluster.state.glob("*/*")) == []
