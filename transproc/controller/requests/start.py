# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Requests by which a program becomes a job: from its pair of binaries, or from a checkpoint; and the making of those."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from transproc.cluster import checkpoints, operations
from transproc.cluster.checkpoints import Checkpoint as Made
from transproc.cluster.operations import Context
from transproc.cluster.start import Program
from transproc.controller.requests.base import Desk, JobName, Meaning, NodeName, Request, Seconds, Where
from transproc.controller.tokens import Role
from transproc.errors import TransprocError
from transproc.process.criu import Options
from transproc.process.launch import Window

NewName = Annotated[str | None, Meaning("The job's name, by default after the program.", longest=40)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Run(Request):
    """Starts a program on a node as a job, as a whole or not at all. Returns its record.

    The program comes by an upload (`POST /uploads`), is that of a job which the controller knows (`like`), or, for who is
    *admin*, is a file on the controller's host.
    """

    kind: ClassVar[str] = "run"
    path: ClassVar[str] = "/jobs"
    program: Annotated[
        str, Meaning("The program's name; without an upload the path of its pair; with `like` anything.")
    ]
    node: NodeName
    arguments: Annotated[Sequence[str], Meaning("Its arguments.", longest=4096)] = ()
    name: NewName = None
    upload: Annotated[str | None, Meaning("The upload with the program.", longest=40)] = None
    like: Annotated[str | None, Meaning("Else the job whose program it is.", longest=40)] = None
    stdin: Annotated[str | None, Meaning("A path on the controller's host: its standard input.")] = None
    files: Annotated[str | None, Meaning("A directory there: copied, its working directory.")] = None
    env: Annotated[Mapping[str, str], Meaning("Its environment.", longest=1000)] = field(default_factory=dict)
    pause_at: Where = None
    terminal: Annotated[bool, Meaning("Its standard streams are a terminal.")] = False
    rows: Annotated[int, Meaning("Of the terminal.", 1, 65535)] = Window.rows
    columns: Annotated[int, Meaning("Of the terminal.", 1, 65535)] = Window.columns
    user: Annotated[str | None, Meaning("Whom it runs as; who is no admin may name himself.", longest=32)] = (
        None
    )
    starter: Annotated[str | None, Meaning("The same, where the node knows that name.", longest=32)] = None
    addresses: Annotated[
        Sequence[str], Meaning("Addresses that move with it: `10.77.0.5/24`.", longest=64)
    ] = ()
    gateways: Annotated[Sequence[str], Meaning("Ways out of their networks: `10.77.0.1`.", longest=64)] = ()

    keep_files: Annotated[bool, Meaning("A node that it leaves keeps its files for some days.")] = False

    def __post_init__(self) -> None:
        """Raises ValueError for words that no program can be given."""
        for name, value in self.env.items():
            if not _VARIABLE.fullmatch(name) or "\0" in value:
                raise ValueError(f"{name!r}: not a variable of an environment")
        paths = [self.stdin or "", self.files or ""]
        if any("\0" in word for word in [self.program, *self.arguments, *paths]):
            raise ValueError("an argument has a zero byte")

    def perform(self, context: Context) -> Any:
        """As the base says."""
        stdin, files = (None if path is None else Path(path) for path in (self.stdin, self.files))
        window = Window(self.rows, self.columns)
        program = Program([self.program, *self.arguments], stdin, files, dict(self.env), window)
        how: dict[str, Any] = {"name": self.name, "pause_at": self.pause_at, "terminal": self.terminal}
        how |= {"addresses": self.addresses, "gateways": self.gateways, "keep_files": self.keep_files}
        job = operations.run(context, program, self.node, user=self.user, starter=self.starter, **how)
        return job.as_dict()

    def nodes(self, context: Context) -> Sequence[str]:
        """The one."""
        return [self.node]

    def admitted(self, desk: Desk) -> Request:
        """Paths are those of an upload, or an admin's; the user is who asks, or whom the operator has chosen."""
        user, starter = self.user, None
        if not desk.role.includes(Role.ADMIN):
            if user not in (None, desk.who):
                raise TransprocError(f"token {desk.who} may not start programs as user {user}")
            if (self.upload is None and self.like is None) or self.stdin or self.files:
                raise TransprocError(
                    "an admin only may start a program that is on the controller's host",
                    hint="send it as an upload",
                )
            user, starter = user or desk.job_user, desk.who
        if self.like is not None:
            return dataclasses.replace(self, program=str(desk.program(self.like)), user=user, starter=starter)
        if self.upload is None:
            return dataclasses.replace(self, user=user, starter=starter)
        place = desk.upload(self.upload)
        if "/" in self.program or self.program in ("", ".", ".."):
            raise TransprocError(f"{self.program!r}: expected the program's name alone")
        for isa in ("x86_64", "aarch64"):
            if (place / isa).exists():
                (place / isa).rename(place / f"{self.program}.{isa}")
        stdin, files = (str(path) if (path := place / part).exists() else None for part in ("stdin", "files"))
        program = str(place / self.program)
        return dataclasses.replace(
            self, program=program, stdin=stdin, files=files, user=user, starter=starter
        )

    def record(self) -> dict[str, Any]:
        """Without the environment, which may hold secrets."""
        return {key: value for key, value in super().record().items() if key != "env"}


@dataclass(frozen=True)
class Checkpoint(Request):
    """Writes a job to a directory on the controller's host, from which it can be started again; the job goes on.

    Returns where that is, and what the checkpoint says of itself.
    """

    kind: ClassVar[str] = "checkpoint"
    name: JobName
    to: Annotated[str | None, Meaning("The directory; an admin may name one.")] = None
    keep: Annotated[int | None, Meaning("Remove all but the newest of this job there.", 1, 10_000)] = None
    end: Annotated[bool, Meaning("The job ends when the checkpoint is written.")] = False
    files: Annotated[bool, Meaning("With its working directory.")] = True
    exclude: Annotated[Sequence[str], Meaning("Patterns of files to leave out.", longest=256)] = ()
    at: Where = None
    timeout: Seconds = 10.0
    tcp_close: Annotated[bool, Meaning("Its TCP connections are closed when it is restarted.")] = False

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a path."""
        if "\0" in (self.to or ""):
            raise ValueError("a path has a zero byte")

    def perform(self, context: Context) -> Any:
        """As the base says."""
        where = None if self.to is None else Path(self.to)
        return described(operations.checkpoint(context, self.name, where, **self.how()))

    def how(self) -> dict[str, Any]:
        """As arguments of `operations.checkpoint`."""
        return {
            "files": self.files,
            "exclude": self.exclude,
            "keep": self.keep,
            "end": self.end,
            "at": self.at,
            "timeout": self.timeout,
            "options": Options(tcp_close=self.tcp_close),
        }

    def admitted(self, desk: Desk) -> Request:
        """An admin only says where to write on the controller's host."""
        if self.to is not None and not desk.role.includes(Role.ADMIN):
            raise TransprocError("an admin only may choose the directory of a checkpoint")
        return self


def described(made: Made) -> dict[str, Any]:
    """A checkpoint for JSON."""
    found = made.manifest
    words = {"path": str(made.path), "name": found.name, "number": found.number, "taken": found.taken}
    return {**words, "bytes": made.size, "downtime": found.downtime}


@dataclass(frozen=True)
class Restart(Request):
    """Starts a job from a checkpoint that is on the controller's host, on a node of either ISA. Returns its record."""

    kind: ClassVar[str] = "restart"
    path: ClassVar[str] = "/restart"
    directory: Annotated[str, Meaning("The checkpoint, as `checkpoint` has returned it.")]
    node: NodeName
    name: NewName = None
    paused: Annotated[bool, Meaning("Leave it stopped.")] = False
    force: Annotated[bool, Meaning("Although files beyond its directory are not as they were.")] = False

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be a path."""
        if "\0" in self.directory:
            raise ValueError("a path has a zero byte")

    @property
    def job(self) -> str | None:
        """As the base says: by default it has the name that it had."""
        if self.name is None:
            with contextlib.suppress(TransprocError):
                return checkpoints.read(Path(self.directory)).manifest.job(self.node, None).name
        return self.name

    def perform(self, context: Context) -> Any:
        """As the base says."""
        job = operations.restart(
            context, Path(self.directory), self.node, name=self.name, paused=self.paused, force=self.force
        )
        return job.as_dict()

    def nodes(self, context: Context) -> Sequence[str]:
        """The one."""
        return [self.node]

    def admitted(self, desk: Desk) -> Request:
        """Others than admins restart what the controller's own checkpoints are."""
        expect_own(self.directory, desk.role, desk.checkpoints)
        return self


def expect_own(directory: str, role: Role, checkpoints: Path) -> None:
    """Raises `TransprocError` for who is no admin and names something that is none of the controller's own checkpoints."""
    inside = Path(directory).resolve().is_relative_to(checkpoints.resolve())
    if not (inside or role.includes(Role.ADMIN)):
        raise TransprocError(
            f"{directory}: not one of the controller's checkpoints",
            hint=f"those are in {checkpoints}; an admin may name others",
        )
