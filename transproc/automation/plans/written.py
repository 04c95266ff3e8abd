# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans as people write them, in TOML (its keys: docs/plans.md).

A sequence is a list of steps. A step is a table with one verb, or a word that names a table of [steps] or another sequence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from transproc.automation.plans import conditions
from transproc.automation.plans.model import (
    Block,
    Condition,
    Gate,
    Item,
    Kind,
    NodeChoice,
    Parallel,
    Plan,
    Program,
    Repeat,
    Step,
    Verb,
)
from transproc.automation.plans.reading import MOST_STEPS, Reader, Source, Table, Where, shown
from transproc.cluster.job import name_after
from transproc.errors import TransprocError
from transproc.isa import ALL

TOP = ("plan", "nodes", "jobs", "steps", "sequence")
NODE = ("node", "isa", "label", "address")
JOB = ("program", "arguments", "stdin", "files", "env", "user")
COMMON = ("name", "after", "when", "within", "otherwise")
VERBS: Mapping[str, tuple[str, ...]] = {
    "run": ("on", "at", "timeout"),
    "command": ("on", "job", "background", "timeout"),
    "pause": ("at", "timeout"),
    "dump": (),
    "transform": ("to",),
    "ship": ("to",),
    "restore": ("to", "at", "stopped", "timeout"),
    "resume": (),
    "migrate": ("to", "at", "stopped", "timeout"),
    "checkpoint": ("directory", "at", "end", "timeout"),
    "kill": (),
    "wait": ("timeout",),
    "do": ("repeat", "until"),
    "together": (),
}
"""What a step may do, and which keys it has besides those that all have."""
_PLACES = {"run": "on", "command": "on", "transform": "to", "ship": "to", "restore": "to", "migrate": "to"}
FOREVER = "forever"


def read(source: Source) -> tuple[Plan, Reader]:
    """The plan, and the reader with all that is wrong."""
    reader = Reader(source)
    data = source.data
    reader.unknown(data, (), TOP)
    name = reader.text(data, "plan", ())
    nodes = _nodes(reader, reader.table(data, "nodes", ()))
    jobs = _jobs(reader, reader.table(data, "jobs", ()))
    main = _Sequences(reader, data).main()
    name = name or name_after(source.path.stem)
    return Plan(name, source.path, nodes, jobs, main, source.text, reader.named), reader


def _nodes(reader: Reader, table: Table) -> dict[str, NodeChoice]:
    found = {}
    for name, value in table.items():
        where: Where = ("nodes", name)
        line = reader.line(where)
        if not isinstance(value, dict):
            node = reader.words(value, name, where)
            found[name] = NodeChoice(name, line, node=node)
            continue
        reader.unknown(value, where, NODE)
        words = {key: reader.text(value, key, where) for key in NODE}
        if not any(words.values()):
            reader.wrong(
                where, f"{name}: nothing says which node it is", f"expected one of {', '.join(NODE)}"
            )
        if words["isa"] and words["isa"] not in {isa.name for isa in ALL}:
            expected = " or ".join(isa.name for isa in ALL)
            reader.wrong((*where, "isa"), f"there is no ISA {shown(words['isa'])}", f"expected {expected}")
        found[name] = NodeChoice(name, line, **words)
    return found


def _jobs(reader: Reader, table: Table) -> dict[str, Program]:
    found = {}
    for name in table:
        where: Where = ("jobs", name)
        value = reader.table(table, name, ("jobs",))
        reader.unknown(value, where, JOB)
        if (good := reader.job_name(name, where)) is None:
            continue
        path = reader.file(value, "program", where)
        if path is None and value.keys() - {"program"}:
            reader.wrong(where, f"program of {name} is missing", "a job that runs already has an empty table")
        arguments = reader.array(value, "arguments", where)
        words = [
            reader.words(word, "arguments", (*where, "arguments", i)) for i, word in enumerate(arguments)
        ]
        env = reader.table(value, "env", where)
        variables = {key: reader.words(text, "env", (*where, "env", key)) for key, text in env.items()}
        found[good] = Program(
            good,
            reader.line(where),
            path,
            tuple(word or "" for word in words),
            reader.file(value, "stdin", where),
            reader.file(value, "files", where),
            env=tuple((key, text or "") for key, text in variables.items()),
            user=reader.text(value, "user", where),
        )
    return found


class _Sequences:
    """Makes blocks of what a file says. Each named one is made once, however often it is named."""

    def __init__(self, reader: Reader, data: Table) -> None:
        self._reader = reader
        self._steps = reader.table(data, "steps", ())
        self._sequences = reader.table(data, "sequence", (), required=True)
        self._made: dict[str, Block] = {}
        self._open: list[str] = []
        self._sizes: dict[int, int] = {}
        for name in sorted(self._steps.keys() & self._sequences.keys()):
            reader.wrong(("steps", name), f"{name} is both a step and a sequence")

    def main(self) -> Block:
        """The sequence of that name; the others are looked at as well."""
        for name in (*self._sequences, *self._steps):
            self._named(name, ("sequence",))
        if self._sequences and "main" not in self._sequences:
            self._reader.wrong(
                ("sequence",), "there is no sequence main", "[[sequence.main]] begins its steps"
            )
        main = self._made.get("main", ())
        if self._size(main) > MOST_STEPS:
            self._reader.wrong(("sequence", "main"), f"more than {MOST_STEPS} steps, written out")
            return ()
        return main

    def _size(self, block: Block) -> int:
        """Steps of a block, written out; of one that stands at many places counted once."""
        if id(block) not in self._sizes:
            count = 0
            for item in block:
                if isinstance(item, Repeat):
                    count += self._size(item.body)
                elif isinstance(item, Parallel):
                    count += sum(self._size(branch) for branch in item.branches)
                else:
                    count += 1
            self._sizes[id(block)] = count
        return self._sizes[id(block)]

    def _named(self, name: str, where: Where) -> Block:
        if name in self._made:
            return self._made[name]
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            self._reader.wrong(where, f"a sequence cannot be a part of itself: {circle}")
            return ()
        if name not in self._steps and name not in self._sequences:
            known = ", ".join([*self._steps, *self._sequences])
            self._reader.wrong(where, f"there is no step or sequence {shown(name)}", f"there are {known}")
            return ()
        self._open.append(name)
        if name in self._steps:
            block = self._items([self._steps[name]], ("steps", name), name, alone=True)
        else:
            values = self._reader.array(self._sequences, name, ("sequence",))
            block = self._items(values, ("sequence", name), name)
        self._open.pop()
        self._made[name] = block
        return block

    def _items(self, values: list[Any], where: Where, name: str, *, alone: bool = False) -> Block:
        """`alone`: the values' only element is at `where` itself."""
        found: list[Item] = []
        for number, value in enumerate(values):
            here = where if alone else (*where, number)
            if isinstance(value, str):
                inner = self._named(value, here)
                if value in self._steps:
                    found += inner
                elif inner:
                    found.append(Repeat(inner, self._reader.line(here), value))
            elif not isinstance(value, dict):
                self._reader.wrong(here, f"a step cannot be {shown(value)}, expected a table or a name")
            elif item := self._item(value, here, name if alone else f"{name}.{number + 1}"):
                found.append(item)
        return tuple(found)

    def _block(self, value: Any, where: Where, name: str) -> Block:
        """Of a name, or of a list of steps in its place."""
        if isinstance(value, str):
            return self._named(value, where)
        if isinstance(value, list):
            return self._items(value, where, name)
        self._reader.wrong(where, f"expected a sequence's name or a list of steps, found {shown(value)}")
        return ()

    def _item(self, table: Table, where: Where, name: str) -> Item | None:
        reader = self._reader
        verbs = [verb for verb in VERBS if verb in table]
        if len(verbs) != 1:
            what = (
                "what is to be done is missing"
                if not verbs
                else f"a step does one thing, not {' and '.join(verbs)}"
            )
            reader.wrong(where, what, None if verbs else f"expected one of {', '.join(VERBS)}")
            return None
        (verb,) = verbs
        reader.unknown(table, where, (verb, *VERBS[verb], *COMMON))
        name = reader.text(table, "name", where) or name
        gate = self._gate(table, where)
        line = reader.line(where)
        if verb == "do":
            return self._repeat(table, where, name, gate)
        if verb == "together":
            values = reader.array(table, verb, where)
            branches = [
                self._block(value, (*where, verb, i), f"{name}/{i + 1}") for i, value in enumerate(values)
            ]
            return Parallel(tuple(branch for branch in branches if branch), line, name, gate)
        return self._step(Verb(verb), table, where, name, gate)

    def _repeat(self, table: Table, where: Where, name: str, gate: Gate) -> Repeat:
        reader = self._reader
        body = self._block(table["do"], (*where, "do"), name)
        until = self._conditions(table, "until", where)
        for condition in until:
            if condition.kind is Kind.ENTERS:
                reader.wrong((*where, "until"), f"until: {condition.text!r} is nothing that lasts")
        times: int | None = 1
        if table.get("repeat") == FOREVER or ("repeat" not in table and until):
            times = None
        elif "repeat" in table:
            times = reader.number(table, "repeat", where)
            if times is not None and times < 0:
                reader.wrong((*where, "repeat"), f"repeat cannot be {times}", f'for ever is "{FOREVER}"')
        return Repeat(body, reader.line(where), name, times, until, gate)

    def _step(self, verb: Verb, table: Table, where: Where, name: str, gate: Gate) -> Step:
        reader = self._reader
        subject = reader.text(table, verb, where, required=True)
        key = _PLACES.get(verb)
        return Step(
            verb,
            reader.line(where),
            name,
            reader.text(table, "job", where) if verb is Verb.COMMAND else subject,
            on=reader.text(table, key, where, required=True) if key else None,
            at=reader.text(table, "at", where),
            command=subject or "" if verb is Verb.COMMAND else "",
            timeout=reader.time(table, "timeout", where),
            stopped=reader.flag(table, "stopped", where),
            background=reader.flag(table, "background", where),
            directory=reader.directory(table, "directory", where),
            end=reader.flag(table, "end", where),
            gate=gate,
        )

    def _gate(self, table: Table, where: Where) -> Gate:
        reader = self._reader
        after = reader.time(table, "after", where) or 0.0
        when = self._conditions(table, "when", where)
        within = reader.time(table, "within", where)
        otherwise = reader.text(table, "otherwise", where) or "fail"
        if otherwise not in ("fail", "skip"):
            reader.wrong(
                (*where, "otherwise"), f"otherwise cannot be {shown(otherwise)}", "expected fail or skip"
            )
        for key in ("within", "otherwise"):
            if key in table and not when:
                reader.wrong((*where, key), f"{key} without when means nothing")
        return Gate(after, when, within, otherwise == "skip")

    def _conditions(self, table: Table, key: str, where: Where) -> tuple[Condition, ...]:
        value = table.get(key, [])
        words: Collection[Any] = value if isinstance(value, list) else [value]
        found = []
        for word in words:
            if (text := self._reader.words(word, key, (*where, key))) is None:
                continue
            try:
                found.append(conditions.parse(text))
            except TransprocError as error:
                self._reader.wrong((*where, key), error.message, error.hint)
        return tuple(found)
