# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A random program moves in random ways, while random things are killed: what a seed says (`scripts/shake`).

The program (`tests/programs/shake`) knows at any time what must be in its memory, files and descriptors, and ends if that is not
so.
After each move exactly one copy runs, where its record says; at the end its output is that of an undisturbed run with the same
number of steps, and nothing is left on the nodes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

WAYS = (
    "plain",
    "pages",
    "lazy",
    "precopy",
    "precopy-lazy",
    "chosen",
    "paused",
    "steps",
    "checkpoint",
    "restart",
)
"""How it moves. pages: as large memory does; chosen: as very large memory does; paused: it is paused before, and stays so; steps:
each by hand; checkpoint: it stays where it is; restart: from a checkpoint with which it has ended."""
VICTIMS = (  # some are more likely: a network that stalls takes half a minute
    "command",
    "criu",
    "pause tool",
    "agent",
    "borrower",
    "source connection",
    "target connection",
    "source network cut",
    "target network cut",
    "source network stalled",
    "target network stalled",
    "command",
    "criu",
    "pause tool",
    "borrower",
    "source network corrupted",
    "target network corrupted",
)
MEMORY = (
    "map unmap fill poke clear copy check dontneed free advise children mlock heap protect mremap".split()
)
OBJECTS = "object mapobject writeobject readobject truncate punch remove".split()
FILES = "file open write read seek cut rename unlink lock checkfile direct directory inotify".split()
CHANNELS = "channel send take shut pass epoll".split()
WAITS = "queue signal raise pending tick ask stack guard".split()
PROCESSES = ["fork"]
GROUPS = (OBJECTS, FILES, CHANNELS, WAITS, PROCESSES)
"""What the program's threads do besides what they do with memory."""


@dataclass(frozen=True)
class Strike:
    """What happens to `victim`, `delay` seconds after the operation has told so many things."""

    victim: str
    told: int
    delay: float

    def __str__(self) -> str:
        return f"{self.victim} at {self.told} + {1000 * self.delay:.1f} ms"


@dataclass(frozen=True)
class Move:
    """One move, `after` so many seconds of running. `rate`: bytes per second of pages; `straight`: these go from node to node;
    `files`: they go ahead.
    """

    way: str
    after: float = 0.3
    rate: int | None = None
    straight: bool = False
    files: bool = False
    strike: Strike | None = None

    def __str__(self) -> str:
        more = [f"{self.rate} B/s"] if self.rate else []
        more += ["straight"] if self.straight else []
        more += ["files ahead"] if self.files else []
        more += [str(self.strike)] if self.strike else []
        return " ".join([self.way, *([f"({', '.join(more)})"] if more else [])])


@dataclass(frozen=True)
class Case:
    """A program and its moves. `pages`: of each thread's memory; `rest`: microseconds after each of its steps, at most."""

    seed: int
    processes: int
    threads: int
    pages: int
    rest: int
    deeds: tuple[str, ...]
    moves: tuple[Move, ...] = field(default=())
    compression: bool = False
    keep_files: bool = False

    def arguments(self, outside: str) -> list[str]:
        """Of the program; without a number of steps."""
        numbers = (self.seed, self.processes, self.threads, self.pages, self.rest)
        return [*map(str, numbers), ",".join(self.deeds), outside]

    def __str__(self) -> str:
        shape = f"{self.processes} x {self.threads} threads, {self.pages} pages, rest {self.rest} us"
        also = [*(["compression"] if self.compression else []), *(["keep files"] if self.keep_files else [])]
        return f"seed {self.seed}: {', '.join([shape, *also])}; {' '.join(self.deeds)}"


@dataclass(frozen=True)
class Bounds:
    """What of a case is given, not chosen by its seed."""

    ways: Sequence[str] = WAYS
    victims: Sequence[str] = VICTIMS
    deeds: Sequence[str] = ()
    moves: int = 0
    processes: int = 0
    threads: int = 0
    pages: int = 0


def _strike(chance: random.Random, victims: Sequence[str]) -> Strike | None:
    struck, victim = chance.random() < 0.5, chance.choice(victims or VICTIMS)
    longest = chance.choice((0.0, 0.002, 0.02, 0.2))
    strike = Strike(victim, chance.randint(1, 26), longest * chance.random())
    return strike if struck and victims else None


def _move(chance: random.Random, bounds: Bounds) -> Move:
    way = chance.choice(bounds.ways)
    rate = chance.choice((None, None, None, 4_000_000, 30_000_000))
    after = chance.choice((0.0, 0.05, 0.3)) + chance.random() / 5
    straight, files = chance.random() < 0.15, chance.random() < 0.2
    strike = _strike(chance, bounds.victims)
    return Move(way, after, rate, straight and rate is None, files, strike)


def case_of(seed: int, bounds: Bounds) -> Case:
    """The same for the same seed and bounds; what bounds leave free does not depend on the others."""
    chance = random.Random(seed)
    processes, threads = chance.choice((1, 1, 2, 3)), chance.choice((1, 2, 2, 3))
    pages, rest = chance.choice((256, 2048, 2048, 6000)), chance.choice((500, 2000, 5000))
    rest *= processes * threads  # the machine has other work
    groups = [group for group in GROUPS if chance.random() < 0.6]
    memory = [deed for deed in MEMORY if deed in ("map", "fill", "check") or chance.random() < 0.8]
    deeds = bounds.deeds or [*memory, *(deed for group in groups for deed in group)]
    compression, keep_files = chance.random() < 0.2, chance.random() < 0.2
    moves = tuple(_move(random.Random(f"{seed} {number}"), bounds) for number in range(chance.randint(2, 5)))
    made = Case(seed, processes, threads, pages, rest, tuple(deeds), moves, compression, keep_files)
    given = {
        "processes": bounds.processes,
        "threads": bounds.threads,
        "pages": bounds.pages,
    }
    made = replace(made, **{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
    return replace(made, moves=made.moves[: bounds.moves or None])
