# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether a job could start in another partition as it was submitted: Slurm would let it wait there for ever.

`scontrol update` takes any partition for a job. What does not fit is found by the scheduler, when the job has left: it
then waits with `BadConstraints` or `PartitionTimeLimit`. So `sbatch --test-only` is asked before, with what the job asks for.
"""

from __future__ import annotations

import os
import re

from transproc.errors import TransprocError
from transproc.slurm.commands import SlurmJob, ask

_TRIVIAL = re.compile(r"--(nodes|ntasks|cpus-per-task|mincpus)=1(-1)?")
"""What each job of one task asks for."""
_OWN = "--nodelist", "--exclude", "--constraint", "--reservation"
"""What a job that waits can be made to do without."""
_FIELDS = dict(zip(_OWN, ("ReqNodeList", "ExcNodeList", "Features", "ReservationName"), strict=True))
_UNLIMITED = 365 * 86400.0
"""Seconds that Slurm shows for a job without a limit."""


def check(about: SlurmJob, partition: str) -> None:
    """Raises `TransprocError` if the job could not start there; nothing is changed.

    Nodes that are down or drained do not count, those that are busy do.
    """
    _check_time(about, partition)
    words = ["sbatch", "--test-only", f"--partition={partition}", *about.asks]
    if about.uid == os.geteuid():
        words += about.terms
    elif os.geteuid() == 0 and about.uid is not None:  # nobody else may ask for another one
        words += [f"--uid={about.uid}", *about.terms]
    try:
        ask([*words, "--wrap=true"])
    except TransprocError as error:
        asks = " ".join(word for word in about.asks if not _TRIVIAL.fullmatch(word))
        said = error.message.rpartition(": ")[2]
        raise TransprocError(
            f"job {about.label}: cannot start in {partition}"
            + (f" with {asks}" if asks else "")
            + f": {said}",
            hint=_way_out(about, partition)
            or "nodes that are down or drained do not count: 'sinfo' shows them",
        ) from error


def _way_out(about: SlurmJob, partition: str) -> str:
    """What lets it go there all the same, if that is a matter of what it has asked for by name."""
    own = [_FIELDS[option] for word in about.asks if (option := word.partition("=")[0]) in _OWN]
    if not own:
        return ""
    label, without = about.label, "".join(f" {name}=" for name in own)
    return (
        f"'scontrol requeuehold {label}' lets it make its checkpoint and wait, 'scontrol update JobId={label} "
        f"Partition={partition} StartTime=now{without}' takes that away, 'scontrol release {label}' lets it go on"
    )


def _check_time(about: SlurmJob, partition: str) -> None:
    """A limit of its own stays the job's; one that it has from its partition becomes that of the other one."""
    longest, limit = _times(partition)[0], about.limit
    if longest is None or limit is None or limit <= longest:
        return
    if limit == _UNLIMITED or any(limit in _times(own) for own in about.partitions):
        return
    own, most = int(limit // 60), int(longest // 60)
    raise TransprocError(
        f"job {about.label}: cannot start in {partition}: its time limit is {own} minutes, that of the partition {most}",
        hint=f"'scontrol update JobId={about.label} TimeLimit={most}' makes it shorter",
    )


def _times(partition: str) -> tuple[float | None, float | None]:
    """Seconds: how long jobs may run in a partition, and how long they may if they do not say it. None: no limit."""
    text = ask(["scontrol", "show", "partition", partition])
    longest, usual = (re.search(rf"\b{name}=(\S+)", text) for name in ("MaxTime", "DefaultTime"))
    return seconds(longest[1] if longest else ""), seconds(usual[1] if usual else "")


def seconds(text: str) -> float | None:
    """Of a time as Slurm prints it, DAYS-HOURS:MINUTES:SECONDS; None for UNLIMITED and the like."""
    found = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", text)
    if found is None:
        return None
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
