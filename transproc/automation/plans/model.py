# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a plan says, whichever format its file has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from transproc.automation.parcel import Parcel


class Verb(StrEnum):
    """What a step does, named as the command line names it."""

    RUN = "run"
    COMMAND = "command"
    PAUSE = "pause"
    DUMP = "dump"
    TRANSFORM = "transform"
    SHIP = "ship"
    RESTORE = "restore"
    RESUME = "resume"
    MIGRATE = "migrate"
    CHECKPOINT = "checkpoint"
    KILL = "kill"
    WAIT = "wait"


@dataclass(frozen=True)
class NodeChoice:
    """What a plan calls a node, and how it is found: by its name, else by its address, else by ISA and label."""

    name: str
    line: int
    node: str | None = None
    isa: str | None = None
    address: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Program:
    """A job of the plan; `path` is None for one that runs already. Paths are absolute.

    `pair`: the two binaries by ISA, if they do not lie beside `path`.
    """

    name: str
    line: int
    path: Path | None = None
    arguments: tuple[str, ...] = ()
    stdin: Path | None = None
    files: Path | None = None
    leave_out: tuple[str, ...] = ()
    """Names in `files` that are not the program's."""
    env: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    pair: tuple[tuple[str, Path], ...] = ()


class Kind(StrEnum):
    """What a condition looks at."""

    LOAD = "load"
    MEMORY = "memory"
    ENTERS = "enters"
    PRINTS = "prints"
    ENDED = "has ended"


@dataclass(frozen=True)
class Condition:
    """`subject`: a node as the plan names it, or a job. `above`: greater than `limit`, else less. `what`: function or text."""

    kind: Kind
    subject: str
    text: str
    above: bool = True
    limit: float = 0.0
    what: str = ""


@dataclass(frozen=True)
class Gate:
    """Waits before a step: `after` seconds, then until all of `when` hold at once, at most `within` seconds.

    What then: the plan fails, or with `skip` the step is left out. `since`: and not before so many seconds of the plan.
    """

    after: float = 0.0
    when: tuple[Condition, ...] = ()
    within: float | None = None
    skip: bool = False
    since: float = 0.0

    @property
    def open(self) -> bool:
        """There is nothing to wait for."""
        return not self.after and not self.when and not self.since


@dataclass(frozen=True)
class Step:
    """One instruction. `on`: a node, or the ISA of a transformation's target, as the plan names it.

    `at`: a function or address at which the program is stopped. `stopped`: a restored copy is not let go. `background`: a command
    that is not waited for until the plan ends. `directory`, `end`: of a checkpoint. `host`: the node that the file expects the
    job to be on.
    """

    verb: Verb
    line: int
    name: str
    job: str | None = None
    on: str | None = None
    at: str | None = None
    command: str = ""
    timeout: float | None = None
    stopped: bool = False
    background: bool = False
    directory: Path | None = None
    end: bool = False
    host: str | None = None
    gate: Gate = field(default_factory=Gate)

    @property
    def title(self) -> str:
        """In a few words, for people."""
        words = {
            Verb.RUN: f"run {self.job} on {self.on}",
            Verb.COMMAND: f"on {self.on}: {self.command}",
            Verb.TRANSFORM: f"transform {self.job} for {self.on}",
            Verb.SHIP: f"ship {self.job} to {self.on}",
            Verb.RESTORE: f"restore {self.job} on {self.on}" + (", stopped" if self.stopped else ""),
            Verb.MIGRATE: f"migrate {self.job} to {self.on}" + (", stopped" if self.stopped else ""),
            Verb.WAIT: f"wait for the end of {self.job}",
        }.get(self.verb, f"{self.verb} {self.job}")
        return (
            words
            + (f", to {self.at}" if self.at and self.verb is not Verb.MIGRATE else "")
            + (f" at {self.at}" if self.at and self.verb is Verb.MIGRATE else "")
        )


@dataclass(frozen=True)
class Repeat:
    """A block again and again: `times`, None: for ever; or until all of `until` hold at its end."""

    body: Block
    line: int
    name: str
    times: int | None = 1
    until: tuple[Condition, ...] = ()
    gate: Gate = field(default_factory=Gate)


@dataclass(frozen=True)
class Parallel:
    """Several blocks at the same time."""

    branches: tuple[Block, ...]
    line: int
    name: str
    gate: Gate = field(default_factory=Gate)


Item = Step | Repeat | Parallel
Block = tuple[Item, ...]


@dataclass(frozen=True)
class Plan:
    """`text`: the file as it was read; `named`: what it calls files, and which those are."""

    name: str
    path: Path
    nodes: dict[str, NodeChoice]
    jobs: dict[str, Program]
    main: Block
    text: str = ""
    named: dict[str, Path] = field(default_factory=dict)

    @property
    def parcel(self) -> Parcel:
        """With all that it needs of this host. The first implementation's is the directory of its file."""
        tree = None if self.path.suffix == ".toml" else self.path.absolute().parent
        return Parcel(self.path.name, self.text, self.named, tree)


def steps_of(block: Block) -> Iterator[Step]:
    """All steps, each once for each place where it stands."""
    for item in block:
        if isinstance(item, Step):
            yield item
        elif isinstance(item, Repeat):
            yield from steps_of(item.body)
        else:
            for branch in item.branches:
                yield from steps_of(branch)


def conditions_of(block: Block) -> Iterator[tuple[int, Condition]]:
    """All conditions, with the lines of what they belong to."""
    for item in block:
        yield from ((item.line, condition) for condition in item.gate.when)
        if isinstance(item, Repeat):
            yield from ((item.line, condition) for condition in item.until)
            yield from conditions_of(item.body)
        elif isinstance(item, Parallel):
            for branch in item.branches:
                yield from conditions_of(branch)
