# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Processor time that goes on: what a tree had used when it was dumped is added, by its C library, to what the new kernel counts.

The node lists it beside the image (`runtime/tool/clocks.h`); here it is written into each process (`struct transproc_clocks` and
`struct transproc_thread_clock` of `runtime/include/transproc/args.h`), on top of what is there from earlier moves. The kernel
tells user and system time in ticks only. What a program may have been told already is less than a tick more, so that is what
they count as: no clock ever goes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from transproc.binary.pair import Binary
from transproc.errors import ImageError, TransformError
from transproc.images.directory import ImageDirectory, Process
from transproc.images.flags import VmaStatus
from transproc.transform.address_space import ARGS_WORDS
from transproc.transform.process_memory import ProcessMemory
from transproc.transform.threads import thread_block

NAME = "clocks"
"""The list, beside the image; an image that others have made has none."""
TICK = 10_000_000
"""Nanoseconds: USER_HZ is 100 on every ISA (include/uapi/asm-generic/param.h)."""
MARK = 0x314B4C4354505254
"""TRANSPROC_CLOCKS: programs that were linked before there were clocks have something else there."""
CHILDREN = 256
_PROCESS, _WAITED, _THREAD, _CHILDREN, _WORDS_OF_CHILD = 1, 4, 7, 8, 4
"""Words of struct transproc_clocks; word 0 is the process id."""
_LINE = re.compile(r"(process|thread)((?: \d{1,20})+)")
_NUMBERS = {"process": 8, "thread": 4}


@dataclass(frozen=True)
class Time:
    """Nanoseconds, as `struct transproc_time`."""

    total: int = 0
    user: int = 0
    system: int = 0

    def __add__(self, other: Time) -> Time:
        return Time(self.total + other.total, self.user + other.user, self.system + other.system)

    @property
    def words(self) -> list[int]:
        """As they lie in memory."""
        return [self.total, self.user, self.system]


@dataclass
class Used:
    """What the kernel says of a process: its parent, its time, that of the children it has waited for, that of its threads."""

    parent: int
    time: Time
    waited: Time
    threads: dict[int, Time] = field(default_factory=dict)


@dataclass(frozen=True)
class _Noted:
    """What earlier moves have left in a process: all zero if there were none, or only before it was forked."""

    address: int
    thread_offset: int
    time: Time = Time()
    waited: Time = Time()
    children: Mapping[int, Time] = field(default_factory=dict)


class Clocks:
    """The processor time of a dumped tree; `readers`: by process, what is in its memory, and what it executes."""

    def __init__(
        self, directory: ImageDirectory, readers: Mapping[int, tuple[ProcessMemory, Binary]]
    ) -> None:
        self._directory = directory
        self._readers = readers
        self._known: dict[int, _Noted | None] = {}

    @cached_property
    def _used(self) -> dict[int, Used]:
        path = self._directory.path / NAME
        return parse(path.read_text()) if path.is_file() else {}

    def words(self, process: Process) -> dict[int, int]:
        """What a process of the tree must have in its memory when it goes on: words by address."""
        noted, used = self._noted(process.pid), self._used.get(process.pid)
        if noted is None or used is None:
            return {}
        values = [process.pid, *(noted.time + used.time).words, *(noted.waited + used.waited).words]
        found = {noted.address + 8 * i: value for i, value in enumerate(values)}
        for i, value in enumerate(self._table(process.pid, noted)):
            found[noted.address + 8 * (_CHILDREN + i)] = value
        for tid in process.threads:
            found |= self._thread(process.pid, tid, noted, used)
        return found

    def _table(self, pid: int, noted: _Noted) -> Iterator[int]:
        """Those who live or wait to be reaped; and those who were reaped in the very moment, and were not accounted for yet."""
        rows = {child: self._all_below(child) for child, used in self._used.items() if used.parent == pid}
        rows |= {
            child: time for child, time in noted.children.items() if child > 0 and child not in self._used
        }
        for child, time in list(rows.items())[:CHILDREN]:
            yield from (child, *time.words)
        for _ in range(len(noted.children) - len(rows)):
            yield from [0] * _WORDS_OF_CHILD

    def _all_below(self, pid: int) -> Time:
        """The time of a process, of those that it has waited for, and of its descendants."""
        used, noted = self._used[pid], self._noted(pid)
        time = used.time + used.waited
        if noted is not None:
            time += noted.time + noted.waited
        elif (parent := self._noted(used.parent)) is not None:  # a zombie has no memory: as its parent has it
            time += parent.children.get(pid, Time())
        for child, its in self._used.items():
            if its.parent == pid:
                time += self._all_below(child)
        return time

    def _thread(self, pid: int, tid: int, noted: _Noted, used: Used) -> dict[int, int]:
        memory, binary = self._readers[pid]
        address = thread_block(self._directory.core(tid), binary, memory) + noted.thread_offset
        address &= (1 << 64) - 1
        vma = memory.vma(address)
        if not noted.thread_offset or tid not in used.threads or not _is_private(vma):
            return {}
        earlier, *time = memory.u64s(address, 4)
        before = Time(*time) if earlier == tid else Time()
        return {address + 8 * i: word for i, word in enumerate([tid, *(before + used.threads[tid]).words])}

    def _noted(self, pid: int) -> _Noted | None:
        if pid not in self._known:
            self._known[pid] = _read(pid, *self._readers[pid]) if pid in self._readers else None
        return self._known[pid]


def _read(pid: int, memory: ProcessMemory, binary: Binary) -> _Noted | None:
    """None if the program's library has no place for it."""
    try:
        mark, address = memory.u64s(binary.index.args + 8 * ARGS_WORDS, 2)
        if mark != MARK:
            return None
        words = memory.u64s(address, _CHILDREN + CHILDREN * _WORDS_OF_CHILD)
    except TransformError:
        return None
    if words[0] != pid:
        return _Noted(address, words[_THREAD])
    rows = [words[i : i + _WORDS_OF_CHILD] for i in range(_CHILDREN, len(words), _WORDS_OF_CHILD)]
    # Rows become free one by one: the last that is in use says how many are to be written again. Free ones count as no child's.
    last = max((i for i, row in enumerate(rows) if row[0]), default=-1)
    children = {row[0] or -i: Time(*row[1:]) for i, row in enumerate(rows[: last + 1])}
    return _Noted(
        address,
        words[_THREAD],
        Time(*words[_PROCESS:_WAITED]),
        Time(*words[_WAITED:_THREAD]),
        children,
    )


def _is_private(vma: object) -> bool:
    return bool(getattr(vma, "status", 0) & VmaStatus.ANON_PRIVATE)


def parse(text: str) -> dict[int, Used]:
    """The processes of a list, by id. Raises `ImageError` if it is not one."""
    found: dict[int, Used] = {}
    used = None
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        numbers = [] if match is None else [int(word) for word in match[2].split()]
        if match is None or len(numbers) != _NUMBERS[match[1]] or (used is None and match[1] == "thread"):
            raise ImageError(f"the list of processor times has the line {line!r}")
        if match[1] == "process":
            used = found[numbers[0]] = _process(numbers[1:])
        elif used is not None:
            used.threads[numbers[0]] = _time(*numbers[1:])
    return found


def _process(numbers: Sequence[int]) -> Used:
    parent, total, user, system, user_of_children, system_of_children, faults = numbers
    # Whoever has waited for a child has counted faults of it.
    waited = _time(0, user_of_children, system_of_children) if faults else Time()
    return Used(parent, _time(total, user, system), waited)


def _time(total: int, user: int, system: int) -> Time:
    """The most that it can have been; `total` in nanoseconds, 0 if it is not known, the others in full ticks."""
    total = total or (user + system + 2) * TICK
    return Time(
        total,
        max(user * TICK, min((user + 1) * TICK, total - system * TICK)),
        max(system * TICK, min((system + 1) * TICK, total - user * TICK)),
    )
