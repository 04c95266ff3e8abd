# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The test programs as data: reads manifest.toml, whose head explains the fields."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

DIRECTORY = Path(__file__).parent
CFLAGS = ("-std=gnu11", "-ffp-contract=off", "-pthread")
LIBRARIES = ("-lm",)

Size = Literal["smoke", "short", "long"]


@dataclass(frozen=True)
class Program:
    """One test program; `arguments` gives those of a run of the given size."""

    name: str
    source: Path
    smoke: tuple[str, ...]
    short: tuple[str, ...]
    long: tuple[str, ...]
    stdin: str
    environment: dict[str, str]
    tags: frozenset[str]
    after: str | None
    """Where its state has been made: migrations before the program enters that function would find nothing."""

    def arguments(self, size: Size) -> tuple[str, ...]:
        """The command line after the program's name."""
        return {"smoke": self.smoke, "short": self.short, "long": self.long}[size]


def programs(*required: str) -> list[Program]:
    """All programs that have every one of the required tags, in the manifest's order.

    Raises TypeError if an entry lacks a field or has an unknown one.
    """
    with (DIRECTORY / "manifest.toml").open("rb") as file:
        entries = tomllib.load(file)["program"]
    found = [_program(**entry) for entry in entries]
    return [program for program in found if program.tags.issuperset(required)]


def _program(
    *,
    name: str,
    source: str,
    smoke: list[str],
    short: list[str],
    long: list[str],
    tags: list[str],
    stdin: str = "",
    environment: dict[str, str] | None = None,
    after: str | None = None,
) -> Program:
    return Program(
        name=name,
        source=DIRECTORY / source,
        smoke=tuple(smoke),
        short=tuple(short),
        long=tuple(long),
        stdin=stdin,
        environment=environment or {},
        tags=frozenset(tags),
        after=after,
    )
