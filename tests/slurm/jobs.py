# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Jobs of the cluster, and what is looked for in them."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.slurm.cluster import Cluster
from transproc.errors import LabError
from transproc.slurm.commands import SlurmJob, parse_job

WAITS = ("400", "0", "wait")
"""A counter that stands still in the middle until it is told to go on."""
SCRIPT = """\
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
    label: str = ""
    """Of an array's task: its own."""

    @property
    def name(self) -> str:
        return self.label or str(self.number)

    def look(self) -> SlurmJob:
        return parse_job(self.cluster.ask("scontrol", "show", "job", self.name))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        try:
            self.cluster.until(condition, f"job {self.name}: {what}", 60.0)
        except LabError as error:
            about = self.cluster.ask("scontrol", "show", "job", self.name)
            lines = [line for line in self.text().splitlines() if not line.isdigit()]
            raise AssertionError(f"{error.message}: {lines}, {about}") from error

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
        self.cluster.update(self.name, "StartTime=now", f"Partition={partition}")
        self.is_told()

    def is_told(self, *, steps: bool = False) -> None:
        """To go on, when it is there."""
        self.until(lambda: bool(self.processes()), "is there again")
        self.cluster.ask("scancel", *([] if steps else ["--batch"]), "--signal=USR2", self.name)

    def is_over(self) -> None:
        """Nothing is left of its run on the node: what a job that is released before says at its end counts for the next run.

        It is looked twice, as the controller may hear of the end a moment later.
        """
        pattern = f"^slurmstepd: .{self.number}\\."
        for _ in range(2):
            self.until(lambda: not self.cluster.ask("pgrep", "-f", pattern, check=False).strip(), "is over")
            time.sleep(1)

    def processes(self) -> list[str]:
        """Of its programs."""
        pattern = f"^/var/lib/transproc/jobs/slurm-{self.number}-"
        return self.cluster.ask("pgrep", "-f", pattern, check=False).split()

    def hold(self) -> None:
        """From now on, criu stops when it is to dump it."""
        self._file("hold").touch()

    def dumps(self) -> None:
        """Criu has stopped there."""
        self.until(lambda: self._file("dumping").exists(), "makes a checkpoint")

    def unhold(self) -> None:
        self._file("hold").unlink()

    def clean(self) -> None:
        """By Slurm's epilog."""
        self._file("epilog").touch()

    def _file(self, what: str) -> Path:
        return self.cluster.directory / f"{what}-{self.number}"

    def ends(self) -> str:
        """As what, and how: "COMPLETED 0:0"."""
        self.until(lambda: self.look().state not in ("RUNNING", "PENDING", "COMPLETING"), "ends")
        text = self.cluster.ask("scontrol", "show", "job", self.name)
        found = re.search(r"ExitCode=(\S+)", text)
        return f"{self.look().state} {found and found[1]}"


def submitter(cluster: Cluster, counter: Path) -> Callable[..., Submitted]:
    """What submits a job whose script runs that program."""

    def submit(
        name: str,
        *words: str,
        options: str = "",
        sbatch: tuple[str, ...] = (),
        user: bool = False,
        exec: str = "exec ",
        script: str = SCRIPT,
    ) -> Submitted:
        path = cluster.jobs / f"{name}.sh"
        path.write_text(script.format(exec=exec, options=options, program=counter, words=" ".join(words)))
        path.chmod(0o755)
        out, err = cluster.jobs / f"{name}.out", cluster.jobs / f"{name}.err"
        files = () if "--output" in " ".join(sbatch) else ("--output", str(out), "--error", str(err))
        number = cluster.ask("sbatch", "--parsable", "--requeue", *files, *sbatch, str(path), user=user)
        return Submitted(cluster, int(number.split()[-1]), out, err)

    return submit


def preempted(cluster: Cluster, submit: Callable[..., Submitted], name: str) -> Submitted:
    """A job that another one has driven out of its partition, and that goes on in another one."""
    job = submit(name, *WAITS, sbatch=("-p", "cheap"))
    job.has_begun()
    cluster.preempt("p1")
    job.has_left()
    job.goes_on("arm")
    return job


@contextmanager
def outcomes(
    cases: dict[str, Any], cluster: Cluster, submit: Callable[..., Submitted]
) -> Iterator[Callable[[str], str]]:
    """Carries out all scenarios of a module (`_case_NAME`) at once; what each returned, or raises what it raised."""
    names = {name: function for name, function in cases.items() if name.startswith("_case_")}
    with ThreadPoolExecutor(len(names)) as pool:
        futures: dict[str, Future[str]] = {
            name: pool.submit(function, cluster, submit) for name, function in names.items()
        }
    yield lambda name: futures[f"_case_{name}"].result()


def expected(cluster: Cluster, *words: str, stdin: bytes = b"") -> tuple[str, str]:
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
