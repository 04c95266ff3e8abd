# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a batch says, and how its file is read (its keys: docs/plans.md, "Batches")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from transproc.automation.parcel import Parcel
from transproc.automation.plans.reading import Reader, Source, Table, Where, shown
from transproc.cluster.job import name_after
from transproc.cluster.start import Program
from transproc.errors import TransprocError

MOST_RUNS = 10_000
MOST_SLOTS = 1_000
TOP = ("batch", "goal", "nodes", "program")
PROGRAM = ("name", "program", "arguments", "stdin", "files", "env", "repeat", "seconds")


class Goal(StrEnum):
    """What is to be little."""

    TIME = "time"
    COST = "cost"


@dataclass(frozen=True)
class Entry:
    """One program of a batch: `repeat` runs of it. `seconds`: how long one takes, by node, as far as its author knows."""

    name: str
    line: int
    program: Program
    repeat: int
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Batch:
    """`nodes`: those that are used, empty: all but this machine; with slots and prices where they differ from nodes.toml's.

    `text`: the file as it was read; `named`: what it calls files, and which those are.
    """

    name: str
    path: Path
    goal: Goal
    nodes: Mapping[str, tuple[int | None, float | None]]
    entries: tuple[Entry, ...]
    text: str = ""
    named: dict[str, Path] = field(default_factory=dict)

    @property
    def parcel(self) -> Parcel:
        """With all that it needs of this host."""
        return Parcel(self.path.name, self.text, self.named)


def read(source: Source) -> Batch:
    """Raises `PlanError` with all that is wrong."""
    reader = Reader(source)
    data = source.data
    reader.unknown(data, (), TOP)
    name = reader.text(data, "batch", ()) or name_after(source.path.stem)[:28]
    if reader.job_name(name, ("batch",)) and len(name) > 28:
        reader.wrong(("batch",), f"batch cannot be {shown(name)}, expected at most 28 characters")
    goal = reader.text(data, "goal", ()) or Goal.TIME
    if goal not in tuple(Goal):
        reader.wrong(("goal",), f"goal cannot be {shown(goal)}", f"expected {' or '.join(Goal)}")
    nodes = _nodes(reader, reader.table(data, "nodes", ()))
    tables = reader.array(data, "program", (), required=True)
    entries = [_entry(reader, table, ("program", i)) for i, table in enumerate(tables)]
    found = [entry for entry in entries if entry]
    if sum(entry.repeat for entry in found) > MOST_RUNS:
        reader.wrong(("program",), f"more than {MOST_RUNS} runs")
    for number, entry in enumerate(found):
        if entry.name in {other.name for other in found[:number]}:
            reader.wrong(
                ("program", number), f"two programs are called {entry.name}", "name says it otherwise"
            )
    reader.finish()
    return Batch(name, source.path, Goal(goal), nodes, tuple(found), source.text, reader.named)


def _nodes(reader: Reader, table: Table) -> dict[str, tuple[int | None, float | None]]:
    found = {}
    for name in table:
        where: Where = ("nodes", name)
        value = reader.table(table, name, ("nodes",))
        reader.unknown(value, where, ("slots", "price"))
        slots = reader.number(value, "slots", where)
        if slots is not None and not 0 < slots <= MOST_SLOTS:
            reader.wrong((*where, "slots"), f"slots cannot be {slots}", f"expected 1 to {MOST_SLOTS}")
        price = value.get("price")
        if price is not None and (not _positive(price) or price > 1e6):
            reader.wrong((*where, "price"), f"price cannot be {shown(price)}, expected what an hour costs")
            price = None
        found[name] = (slots, None if price is None else float(price))
    return found


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _entry(reader: Reader, table: Any, where: Where) -> Entry | None:
    if not isinstance(table, dict):
        reader.wrong(where, f"a program cannot be {shown(table)}, expected a table")
        return None
    reader.unknown(table, where, PROGRAM)
    before = len(reader.problems)
    path = reader.file(table, "program", where)
    if "program" not in table:
        reader.wrong(where, "program is missing")
    arguments = reader.array(table, "arguments", where)
    words = [
        reader.words(word, "arguments", (*where, "arguments", i)) or "" for i, word in enumerate(arguments)
    ]
    env = reader.table(table, "env", where)
    variables = {key: reader.words(text, "env", (*where, "env", key)) or "" for key, text in env.items()}
    repeat = 1 if "repeat" not in table else reader.number(table, "repeat", where)
    if repeat is not None and not 0 < repeat <= MOST_RUNS:
        reader.wrong((*where, "repeat"), f"repeat cannot be {repeat}", f"expected 1 to {MOST_RUNS}")
    seconds = reader.table(table, "seconds", where)
    known = {node: reader.time(seconds, node, (*where, "seconds")) for node in seconds}
    stdin, files = reader.file(table, "stdin", where), reader.file(table, "files", where)
    for given, key in ((stdin, "stdin"), (files, "files")):
        if given is not None and not (given.is_dir() if key == "files" else given.is_file()):
            reader.wrong((*where, key), f"{key}: there is no {given}")
    if path is None or repeat is None or len(reader.problems) > before:
        return None
    program = Program([str(path), *words], stdin, files, variables)
    try:
        program.pair()
    except TransprocError as error:
        reader.wrong((*where, "program"), error.message, error.hint)
    except OSError as error:  # a name that is too long with its ISA
        reader.wrong((*where, "program"), str(error))
    name = reader.text(table, "name", where) or program.name
    return Entry(
        name, reader.line(where), program, repeat, {node: time for node, time in known.items() if time}
    )
