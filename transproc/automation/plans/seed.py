# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The first implementation's `config.json`, read as it is (its keys: docs/plans.md).

Its daemon let a restored program go on; `dump` was of a process that something had stopped. Pyro's names of hosts mean nothing
here.
"""

from __future__ import annotations

import os
from typing import Any

from transproc.automation.plans.model import (
    Block,
    NodeChoice,
    Plan,
    Program,
    Repeat,
    Step,
    Verb,
    steps_of,
)
from transproc.automation.plans.reading import (
    LARGEST_COUNT,
    LONGEST_NAME,
    MOST_STEPS,
    Reader,
    Source,
    Table,
    Where,
    shown,
)
from transproc.cluster.job import name_after

ISAS = {"x86-64": "x86_64", "aarch64": "aarch64"}
"""The file's names of hosts and targets, and the ISAs that are meant."""
TYPES = {
    "run": Verb.COMMAND,
    "run_and_infect": Verb.RUN,
    "dump": Verb.DUMP,
    "transform": Verb.TRANSFORM,
    "copy_to_target": Verb.SHIP,
    "restore": Verb.RESTORE,
    "restore_and_infect": Verb.RESTORE,
}
COMMAND_SECONDS = 3600.0
"""For a command that the file starts and does not wait for."""
STOP_SECONDS = 3600.0
"""Until a program gets to an address; the first implementation waited for ever."""
_KEYS = {
    "run": {"command"},
    "run_and_infect": {"addr"},
    "transform": {"target"},
    "copy_to_target": {"target"},
    "restore_and_infect": {"addr"},
}
_NOT_THE_PROGRAMS = ("config.json", "Makefile", "bin", *ISAS)


def read(source: Source) -> tuple[Plan, Reader]:
    """The plan, and the reader with all that is wrong."""
    reader = Reader(source)
    data = source.data
    _passed_over(reader, data, (), {"hosts", "bin", "instructions", "execution"})
    nodes = _hosts(reader, reader.table(data, "hosts", ()))
    program = _program(reader, data)
    table = reader.table(data, "instructions", (), required=True)
    if len(table) > MOST_STEPS:
        reader.wrong(("instructions",), f"more than {MOST_STEPS} instructions")
        table = {}
    steps = {key: _instruction(reader, key, value, program) for key, value in table.items()}
    main = _execution(reader, reader.array(data, "execution", (), required=True), steps)
    jobs = {program.name: program} if program else {}
    name = program.name if program else "plan"
    return Plan(name, source.path, nodes, jobs, main, source.text), reader


def _hosts(reader: Reader, table: Table) -> dict[str, NodeChoice]:
    for key in table.keys() - ISAS.keys():
        reader.wrong(("hosts", key), f"unknown host {shown(key)}", f"expected {' and '.join(ISAS)}")
    found = {}
    for name, isa in ISAS.items():
        where: Where = ("hosts", name)
        host = reader.table(table, name, ("hosts",))
        _passed_over(reader, host, where, {"ip", "hostname", "user"})
        reader.text(host, "hostname", where)
        reader.text(host, "user", where)
        address = reader.text(host, "ip", where)
        found[name] = NodeChoice(name, reader.line(where), isa=isa, address=address)
    return found


def _program(reader: Reader, data: Table) -> Program | None:
    file = reader.text(data, "bin", (), required=True)
    if file is None:
        return None
    if "/" in file or file in (".", "..") or len(os.fsencode(file)) > LONGEST_NAME - len(".aarch64"):
        reader.wrong(("bin",), f"bin cannot be {shown(file)}, expected a file's name")
        return None
    directory = reader.source.path.parent.absolute()
    path = directory / file
    made = [(isa, directory / "bin" / f"{file}_{name}") for name, isa in ISAS.items()]
    beside = any(path.with_name(f"{file}.{isa}").exists() for isa in ISAS.values())
    pair = () if beside or not any(place.exists() for _, place in made) else tuple(made)
    left_out = (*_NOT_THE_PROGRAMS, file, *(f"{file}.{isa}" for isa in ISAS.values()))
    line = reader.line(("bin",))
    return Program(name_after(file), line, path, files=directory, leave_out=left_out, pair=pair)


def _instruction(reader: Reader, key: str, value: Any, program: Program | None) -> Step | None:
    where: Where = ("instructions", key)
    if not isinstance(value, dict):
        reader.wrong(where, f"instruction {shown(key)} cannot be {shown(value)}, expected a table")
        return None
    before = len(reader.problems)
    kind = reader.text(value, "type", where, required=True)
    if kind is not None and kind not in TYPES:
        reader.wrong((*where, "type"), f"unknown type {shown(kind)}", f"expected {', '.join(TYPES)}")
        return None
    keys = _KEYS.get(kind or "", set())
    _passed_over(reader, value, where, {"type", "host", *keys})
    host = _host(reader, value, "host", where)
    words = {name: reader.text(value, name, where, required=True) for name in sorted(keys - {"target"})}
    target = _host(reader, value, "target", where) if "target" in keys else None
    if kind is None or program is None or any(not problem.note for problem in reader.problems[before:]):
        return None
    verb = TYPES[kind]
    moves = verb in (Verb.TRANSFORM, Verb.SHIP)
    return Step(
        verb,
        reader.line(where),
        key,
        program.name,
        on=target if moves else None if verb is Verb.DUMP else host,
        at=words.get("addr"),
        command=words.get("command") or "",
        background=verb is Verb.COMMAND,
        timeout=COMMAND_SECONDS if verb is Verb.COMMAND else STOP_SECONDS if "addr" in keys else None,
        host=None if verb in (Verb.RUN, Verb.COMMAND, Verb.RESTORE) else host,
    )


def _host(reader: Reader, table: Table, key: str, where: Where) -> str | None:
    name = reader.text(table, key, where, required=True)
    if name is not None and name not in ISAS:
        reader.wrong((*where, key), f"unknown {key} {shown(name)}", f"expected {' or '.join(ISAS)}")
    return name


def _execution(reader: Reader, blocks: list[Any], steps: dict[str, Step | None]) -> Block:
    found = []
    for number, block in enumerate(blocks):
        where: Where = ("execution", number)
        if not isinstance(block, dict):
            reader.wrong(where, f"execution: expected a table, found {shown(block)}")
            continue
        _passed_over(reader, block, where, {"freq", "sequence"})
        freq = reader.number(block, "freq", where, required=True)
        body = _sequence(reader, reader.array(block, "sequence", where, required=True), where, steps)
        if freq and body:
            times = None if freq < 0 else min(freq, LARGEST_COUNT)
            found.append(Repeat(tuple(body), reader.line(where), f"execution {number + 1}", times))
    if sum(1 for _ in steps_of(tuple(found))) > MOST_STEPS:
        reader.wrong(("execution",), f"more than {MOST_STEPS} steps")
        return ()
    return tuple(found)


def _sequence(reader: Reader, words: list[Any], where: Where, steps: dict[str, Step | None]) -> list[Step]:
    found = []
    for number, word in enumerate(words):
        key = str(word) if isinstance(word, int) and not isinstance(word, bool) else word
        if not isinstance(key, str) or key not in steps:
            reader.wrong((*where, "sequence", number), f"there is no instruction {shown(word)}")
        elif step := steps[key]:
            found.append(step)
    return found


def _passed_over(reader: Reader, table: Table, where: Where, known: set[str]) -> None:
    """Keys that the first implementation did not look at either."""
    for key in sorted(table.keys() - known):
        reader.note((*where, key), f"{shown(key)} is not looked at")
