# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job: a named program that transproc started and may move.

On the host the store holds its record (`store.py`), the pair of binaries (a copy: the program may be compiled again while the
job runs) and, during a migration, the images. On the node that holds the process, and nowhere else,
`/var/lib/transproc/jobs/NAME/` is the job's directory (see `place.py`).

A record is written *before* each step that cannot be taken back, so that it tells the truth, or less than the truth,
whenever the host dies: the state is then the last one that was certain.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from transproc.errors import TransprocError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class State(StrEnum):
    """What is known of a job's process. `resume` leads from each of the middle five back to RUNNING on the source."""

    STARTING = "starting"  # its directory is being sent; the process may exist
    RUNNING = "running"
    PAUSED = "paused"  # stopped at equivalence points on `node`
    DUMPED = "dumped"  # paused, and its image is on the host
    TRANSFORMED = "transformed"  # paused, and the image for the other ISA is on the host
    SHIPPED = "shipped"  # transformed, and the image and the files are on `target`, too
    RESTORED = "restored"  # paused on `node`, and a copy that has not run is stopped on `target`
    OWING = "owing"  # runs on `node`; a part of its memory is still in the stopped copy on `owed_by`
    EXITED = "exited"


@dataclass
class Hop:
    """One migration, in seconds; `downtime` from the pause's beginning to the target's resume."""

    source: str
    target: str
    started: float
    downtime: float
    steps: dict[str, float] = field(default_factory=dict)
    bytes_sent: int = 0


@dataclass
class Job:
    """The record of one job; `pid` is the same on every node (CRIU restores it).

    `target`: the node that a migration under way goes to: the job's directory may be there, and in RESTORED a copy of it.
    `leftovers`: nodes that may hold a stopped copy, which must go. `moves`: how often the process was moved; the identity of its
    files depends on that number. `version` is the store's, see `JobStore.save`.
    """

    name: str
    node: str
    argv: list[str]
    pid: int = 0
    state: State = State.STARTING
    target: str | None = None
    exit: str | None = None
    started: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    moves: int = 0
    terminal: bool = False
    """Its standard streams are a terminal, which `transproc attach` connects to."""
    user: str = ""
    """Whom it runs as, on every node; empty: as whom the nodes' commands run, root as a rule."""
    uid: int = 0
    gid: int = 0
    groups: list[int] = field(default_factory=list)
    """The numbers of `user`, which are equal on all nodes; without one they mean nothing."""
    directory: str = ""
    """The name of its directory on nodes, empty if that is the job's: the program knows its path, also when it goes on under
    another name (`operations.restart`)."""
    addresses: list[str] = field(default_factory=list)
    """Those that move with it (`addresses.py`); it has a network of its own then, with these `gateways`."""
    gateways: list[str] = field(default_factory=list)
    keeps_files: bool = False
    """A node that it leaves keeps a copy of its files for a time: of a move back only what is different since then is sent."""
    owed_by: str | None = None
    """The node whose stopped copy holds memory that has not followed the process: in OWING, and in RESTORED if that is next."""
    leftovers: list[str] = field(default_factory=list)
    image: str = ""
    """The ISA that its image on this host was made for last."""
    history: list[Hop] = field(default_factory=list)
    version: int = 0

    @property
    def words(self) -> str:
        """What it does, as messages say it: runs, is paused, has ended (status 0)."""
        if self.state is State.EXITED:
            return f"has ended ({self.exit})"
        return "runs" if self.state is State.RUNNING else f"is {self.state}"

    @property
    def program(self) -> str:
        """File name of the program, without the ISA."""
        return Path(self.argv[0]).name

    @property
    def runs(self) -> bool:
        """The process exists, and is not stopped by us."""
        return self.state in (State.RUNNING, State.OWING)

    @property
    def stopped(self) -> bool:
        """The process exists and is stopped by us."""
        return self.state in _STOPPED

    @property
    def owes(self) -> str:
        """Where the rest of the memory comes from, in words, of a process that runs without it; else empty."""
        return f"memory comes from {self.owed_by}" if self.owed_by and self.state is State.OWING else ""

    @property
    def visited(self) -> list[str]:
        """Nodes that may keep a copy of its files."""
        found = (node for hop in self.history for node in (hop.source, hop.target))
        return [node for node in dict.fromkeys(found) if node != self.node] if self.keeps_files else []

    @property
    def nodes(self) -> list[str]:
        """Where something of it may be; the one that holds it is the last."""
        others = [*self.leftovers, *filter(None, (self.target, self.owed_by))]
        return [*dict.fromkeys(other for other in others if other != self.node), self.node]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.record(), "history": [dataclasses.asdict(hop) for hop in self.history]}

    def record(self) -> dict[str, Any]:
        """As `as_dict`, without the history, which grows, and is kept by itself."""
        names = (field.name for field in dataclasses.fields(self))
        found = {name: getattr(self, name) for name in names if name not in ("history", "version")}
        return {name: list(value) if isinstance(value, list) else value for name, value in found.items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Job:
        """The reverse of `as_dict`. Raises ValueError, TypeError or KeyError for what is no record."""
        hops = [Hop(**hop) for hop in data["history"]]
        job = cls(**{**data, "state": State(data["state"]), "history": hops})
        for key, kind in _KINDS.items():
            if not isinstance(getattr(job, key), kind):
                raise TypeError(f"{key} is {getattr(job, key)!r}")
        words = [*job.argv, *job.leftovers, *job.addresses, *job.gateways]
        if not job.argv or not all(isinstance(word, str) for word in words):
            raise TypeError(
                f"argv is {job.argv!r}, leftovers is {job.leftovers!r}, addresses is {job.addresses!r}"
            )
        if job.directory and not _NAME.fullmatch(job.directory):
            raise ValueError(f"directory is {job.directory!r}")
        return job


_STOPPED = (State.PAUSED, State.DUMPED, State.TRANSFORMED, State.SHIPPED, State.RESTORED)
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("name", "node", "id", "user", "directory", "image"), str),
    **dict.fromkeys(("target", "exit", "owed_by"), str | None),
    **dict.fromkeys(("pid", "moves", "uid", "gid"), int),
    "keeps_files": bool,
    **dict.fromkeys(("argv", "leftovers", "groups", "addresses", "gateways"), list),
    "started": int | float,
}


def check_name(name: str, what: str = "job") -> None:
    """The one rule for names, of jobs and of whatever else one names: they are names of files, here and on nodes.

    Raises `TransprocError`.
    """
    if not _NAME.fullmatch(name):
        raise TransprocError(
            f"{what} name {name!r}: expected lower-case letters, digits, '.', '_', '-', at most 40"
        )


def name_after(program: str) -> str:
    """A valid name for a job, after its program."""
    return re.sub(r"[^a-z0-9._-]", "-", program.lower()).lstrip("._-")[:32] or "job"


def expect(job: Job, *states: State) -> None:
    """Raises `TransprocError` unless the job is in one of these states."""
    if job.state in states:
        return
    if job.state is State.EXITED:
        raise TransprocError(f"job {job.name}: has ended ({job.exit})")
    expected = " or ".join(states)
    hint = f"'transproc resume {job.name}' lets it go on" if job.stopped else None
    if job.state is State.OWING:
        hint = f"memory still comes from {job.owed_by}; if nothing brings it, 'transproc recover {job.name}' does"
    raise TransprocError(f"job {job.name}: is {job.state}, expected {expected}", hint=hint)
