# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Slurm as its own commands show it: `scontrol`, `squeue`, `scancel`, as any user may call them.

They speak for whoever calls, so Slurm itself decides what is allowed. Versions from 22.05 on (Debian 12) were tried.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from transproc.errors import CommandError, FormatError, TransprocError
from transproc.run import run

_OF_SYSTEM = tuple(os.strerror(number) for number in (errno.EAGAIN, errno.ENOENT, errno.EINPROGRESS))
_TRIES, _REST = 6, 0.5
"""Of a change, and seconds between two of them."""
SECONDS = 30.0
"""For one command: a controller that does not answer is asked again later."""
WANTED = re.compile(r"\btransproc:to=([A-Za-z0-9_.-]+)")
"""What `transproc slurm migrate` puts into a job's comment: the partition where it is to go on."""
LABEL = re.compile(r"[1-9]\d{0,9}(?:_\d{1,9})?")
"""A job, or a task of an array: the number of an array's first job means all of them, in every command."""
_NAMES = re.compile(r"JobId=(\d+)(?: ArrayJobId=(\d+) ArrayTaskId=(\d+)(?=\s))?")
_FIELD = re.compile(r"(?:^|\s)(\w+(?:[/:]\w+)*)=(\S*)")
_ASKS = {
    "NumNodes": "--nodes",
    "NumTasks": "--ntasks",
    "CPUs/Task": "--cpus-per-task",
    "MinCPUsNode": "--mincpus",
    "MinMemoryNode": "--mem",
    "MinMemoryCPU": "--mem-per-cpu",
    "MinTmpDiskNode": "--tmp",
    "TresPerNode": "--gres",
    "Features": "--constraint",
    "ReqNodeList": "--nodelist",
    "ExcNodeList": "--exclude",
    "Licenses": "--licenses",
    "Reservation": "--reservation",
}
_TERMS = {"Account": "--account", "QOS": "--qos"}
"""Fields of `scontrol show job`, and what options of sbatch they come from."""
_NOTHING = ("", "0", "(null)", "N/A")
SIGNALING = "SIGNALING"
"""So it calls a running job for as long as a signal is on its way."""
_ISAS = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(frozen=True)
class SlurmJob:
    """What the controller says of a job. Times in seconds after 1970, None if there is none; `partitions`: where it may run;
    `label`: by what commands know it and no other one.
    """

    number: int
    label: str
    state: str
    partitions: tuple[str, ...]
    restarts: int
    requeue: bool
    started: float | None
    ends: float | None
    preempted: float | None
    nodes: str
    comment: str
    stdout: str
    stderr: str
    held: bool = False
    """It waits, and does not start before it is released."""
    name: str = ""
    reason: str = ""
    """Why it waits, or ended."""
    batch: bool = True
    """It has a script: only such jobs can be requeued."""
    uid: int | None = None
    """Whose it is."""
    asks: tuple[str, ...] = ()
    """What it asks of nodes, as options of `sbatch`."""
    terms: tuple[str, ...] = ()
    """Account and quality of service, likewise: only its own user has them."""

    @property
    def limit(self) -> float | None:
        """Seconds that it may run in all."""
        return self.ends - self.started if self.ends is not None and self.started is not None else None


@dataclass(frozen=True)
class SlurmNode:
    """A compute node: as `uname -m` says it, or as Slurm does if that is no ISA of ours."""

    name: str
    isa: str
    states: frozenset[str]
    partitions: tuple[str, ...]


def job(label: str) -> SlurmJob:
    """Raises `TransprocError` if there is no such job, if these are several, or the controller does not answer."""
    text = ask(["scontrol", "show", "job", label])
    found = re.findall(r"(?m)^JobId=\d+ ArrayJobId=(\d+) ArrayTaskId=(\S+)", text)
    if len(found) > 1:
        raise TransprocError(
            f"job {label}: is an array of {len(found)} tasks, expected one of them",
            hint=f"as squeue --array shows it: {'_'.join(found[0])}",
        )
    return parse_job(text)


def parse_job(text: str) -> SlurmJob:
    """Of `scontrol show job`. What users write (name, comment, paths) is taken by line: it may hold anything but line ends."""
    _, _, rest = text.partition("\n")  # the first line holds the job's name
    lines = dict(line.strip().partition("=")[::2] for line in rest.splitlines() if "=" in line)
    free = ("Comment", "StdOut", "StdErr", "Command", "WorkDir", "StdIn", "AdminComment", "SystemComment")
    fields: dict[str, str] = {}
    for line in rest.splitlines():
        if not line.strip().startswith(tuple(f"{name}=" for name in free)):
            for name, value in _FIELD.findall(line):
                fields.setdefault(name, value)
    try:
        number, array, task = _NAMES.match(text).groups()  # type: ignore[union-attr]
        return SlurmJob(
            int(number),
            f"{array}_{task}" if task else number,
            "RUNNING" if fields["JobState"] == SIGNALING else fields["JobState"],
            tuple(word for word in fields.get("Partition", "").split(",") if word),
            int(fields["Restarts"]),
            fields["Requeue"] == "1",
            _moment(fields.get("StartTime", "")),
            _moment(fields.get("EndTime", "")),
            _moment(fields.get("PreemptTime", "")),
            _known(fields.get("NodeList", "")),
            _known(lines.get("Comment", "")),
            _known(lines.get("StdOut", "")),
            _known(lines.get("StdErr", "")),
            fields.get("Priority") == "0",
            (re.match(r"JobId=\d+.* JobName=(.*)", text) or ["", ""])[1],
            fields.get("Reason", ""),
            fields.get("BatchFlag") != "0",
            int(owner[1]) if (owner := re.search(r"\((\d+)\)$", fields.get("UserId", ""))) else None,
            _options(_ASKS, fields),
            _options(_TERMS, fields),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"scontrol show job: not as expected: {error}") from error


def _options(known: Mapping[str, str], fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{option}={re.sub('^gres[:/]', '', fields[name])}"
        for name, option in known.items()
        if fields.get(name, "") not in _NOTHING
    )


def node(name: str) -> SlurmNode:
    """Raises `TransprocError` if there is no such node."""
    return parse_nodes(ask(["scontrol", "show", "node", name]))[0]


def nodes() -> list[SlurmNode]:
    """All of the cluster."""
    return parse_nodes(ask(["scontrol", "show", "node"]))


def parse_nodes(text: str) -> list[SlurmNode]:
    """Of `scontrol show node`."""
    found = []
    for part in re.split(r"(?m)^(?=NodeName=)", text):
        if not part.strip():
            continue
        fields: dict[str, str] = {}
        for name, value in _FIELD.findall(part):
            fields.setdefault(name, value)
        try:
            states = frozenset(fields["State"].rstrip("*").split("+"))
            isa = fields.get("Arch", "")
            found.append(
                SlurmNode(
                    fields["NodeName"],
                    _ISAS.get(isa, isa),
                    states,
                    tuple(fields.get("Partitions", "").split(",")),
                )
            )
        except KeyError as error:
            raise FormatError(f"scontrol show node: not as expected: {error}") from error
    if not found:
        raise FormatError("scontrol show node: names no node")
    return found


def requeue(label: str, *, hold: bool = False) -> None:
    """Ends a running job and puts it back into the queue, where it is held or not."""
    ask(["scontrol", "requeuehold" if hold else "requeue", label])


def update(label: str, **fields: str) -> None:
    """Changes a job, as `scontrol update` does.

    A controller without accounting takes errno for an error of its own when a partition is changed, whatever that was left at
    (24.11, job_mgr.c: `_update_job`, where `_retrieve_new_assoc` finds none). So what is an error of the system's, and none of
    Slurm's, is asked again.
    """
    words = ["scontrol", "update", f"JobId={label}", *(f"{name}={value}" for name, value in fields.items())]
    for _ in range(_TRIES - 1):
        try:
            ask(words)
        except TransprocError as error:
            if not any(text in error.message for text in _OF_SYSTEM):
                raise
            time.sleep(_REST)
        else:
            return
    ask(words)


def release(label: str) -> None:
    """Lets a held job start."""
    ask(["scontrol", "release", label])


def warn(label: str, signal: str) -> None:
    """Sends a signal to a job: to what its script executes (`exec transproc slurm exec`), and to its steps (`srun`)."""
    ask(["scancel", "--batch", f"--signal={signal}", label])
    ask(["scancel", f"--signal={signal}", label])


def kill_wait() -> float:
    """Seconds from the signal that ends a job to SIGKILL."""
    found = re.search(r"(?m)^KillWait\s*=\s*(\d+)", ask(["scontrol", "show", "config"]))
    if found is None:
        raise FormatError("scontrol show config: names no KillWait")
    return float(found[1])


def known() -> list[int]:
    """All jobs that the controller knows, also those that have ended lately, and could be requeued, by number."""
    return [
        int(number)
        for number in re.findall(r"(?m)^JobId=(\d+)", ask(["scontrol", "--oneliner", "show", "job"]))
    ]


def ask(argv: Sequence[str]) -> str:
    """What a command prints. Raises `TransprocError` with what it says, if that is an error."""
    environment = {**os.environ, "SLURM_TIME_FORMAT": "standard", "LC_ALL": "C.UTF-8"}
    try:
        return run(argv, env=environment, timeout=SECONDS).stdout.decode(errors="replace")
    except CommandError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        said = lines[-1] if lines else f"status {error.status}"
        nowhere = "configuration source" in said or "contact slurm controller" in said
        hint = (
            "it is used where Slurm's own commands work: on a login node, or in a job"
            if nowhere
            else error.hint
        )
        raise TransprocError(f"{' '.join(argv[:3])}: {said}", hint=hint) from error


def _moment(text: str) -> float | None:
    try:
        return time.mktime(datetime.fromisoformat(text).timetuple())
    except ValueError:  # None, Unknown, N/A
        return None


def _known(text: str) -> str:
    return "" if text == "(null)" else text
