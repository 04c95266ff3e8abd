# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Slurm as a `Scheduler`: places are partitions, a job that stops is requeued and held.

The partition to which a job is to go is a word in its comment, which only its user and operators can write, and which its
`transproc slurm exec` reads: at once if a signal tells it, else at its next look.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from transproc.automation.schedulers import Host, Running
from transproc.errors import TransprocError
from transproc.slurm import admission, commands
from transproc.slurm.commands import WANTED, SlurmJob

WAKE = "CONT"
"""Makes `transproc slurm exec` look at once, and harms nobody who does not know it yet."""
_ALIVE = (
    "RUNNING",
    "PENDING",
    "CONFIGURING",
    "COMPLETING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "RESIZING",
    "SUSPENDED",
    "STOPPED",
)
_CLOSED = ("DOWN", "DRAIN", "FAIL", "MAINT", "NOT_RESPONDING")


class Slurm:
    """The cluster whose commands are in PATH. See `Scheduler`."""

    def hosts(self) -> Sequence[Host]:
        """As `Scheduler` says."""
        return [
            Host(
                node.name,
                node.isa,
                node.partitions,
                not any(word in state for state in node.states for word in _CLOSED),
            )
            for node in commands.nodes()
        ]

    def look(self, job: str) -> Running:
        """As `Scheduler` says."""
        about = self._job(job)
        if about.state not in _ALIVE:
            raise TransprocError(f"job {job}: is {about.state.lower()}, expected running")
        held = about.state == "PENDING" and about.held
        running = about.state in ("RUNNING", "SUSPENDED")
        return Running(job, ",".join(about.partitions), about.nodes if running else "", held)

    def check(self, job: str, place: str) -> None:
        """As `Scheduler` says."""
        admission.check(self._job(job), place)

    def stop(self, job: str, place: str) -> None:
        """As `Scheduler` says."""
        about = self._job(job)
        if about.state not in ("RUNNING", "COMPLETING"):
            raise TransprocError(
                f"job {job}: is {about.state.lower()}, expected running",
                hint=f"'scontrol update JobId={job} Partition={place}' is all that a job needs that waits",
            )
        if not about.requeue:
            raise TransprocError(f"job {job}: is not to be requeued", hint="sbatch --requeue")
        commands.update(about.label, Comment=f"{_without(about.comment)} transproc:to={place}".strip())
        with contextlib.suppress(TransprocError):  # it is only sooner: it looks from time to time
            commands.warn(about.label, WAKE)

    def ship(self, job: str, place: str) -> None:
        """Nothing: the state directory is on a file system that all nodes share."""

    def place(self, job: str, place: str) -> None:
        """As `Scheduler` says. Slurm lets a requeued job wait for two minutes: this one need not."""
        about = self._job(job)
        commands.update(about.label, Partition=place, StartTime="now", Comment=_without(about.comment))

    def start(self, job: str) -> None:
        """As `Scheduler` says."""
        commands.release(self._job(job).label)

    def _job(self, job: str) -> SlurmJob:
        if not commands.LABEL.fullmatch(job):
            raise TransprocError(f"job {job}: expected a number, or that of an array's task, such as 4711_3")
        return commands.job(job)


def _without(comment: str) -> str:
    return WANTED.sub("", comment).strip()
