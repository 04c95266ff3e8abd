# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Resume records: what continues a frame on the other ISA (docs/format.md, section 4), made for whole stacks at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transproc.binary.sites import Function, Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa
from transproc.transform.frames import MASK, Frames, Reader
from transproc.transform.unwind import HEAD_SIZE, MAX_RECORD, SavedRecord, Stack, Walker, is_bare
from transproc.transform.window import Words

Places = NDArray[np.intp]

ALIGNMENT = 64
LINE = ALIGNMENT // 8
"""Words."""
ENTER, OUTER, SITE, OBJECTS, RESULT, BASE, SIZE = 0, 1, 2, 3, 4, 8, 9
"""Words of a record's head (runtime/include/transproc/record.h); the result has four."""
HEAD = HEAD_SIZE // 8
NOTHING = np.uint64(MASK)


@dataclass(frozen=True)
class Chain:
    """The records of one thread, outermost first, one behind the other, as words.

    starts: where each begins. `outer` is not set yet, and `objects`, where it is not 0, counts bytes from the first
    record on: both follow from the place in memory, which `encode` knows.
    """

    words: Words
    starts: Places
    frames: int
    values: int

    @property
    def base(self) -> int:
        """Lowest address that execution may begin at: the innermost record's."""
        return int(self.words[self.starts[-1] + BASE])


def encoded_size(chains: list[Chain]) -> int:
    """Bytes that `encode` makes."""
    return sum(chain.words.nbytes for chain in chains)


def encode(chains: list[Chain], start: int) -> tuple[bytes, list[int]]:
    """Lays the records of all threads out from address `start` on; returns the bytes, and each thread's innermost record."""
    parts: list[bytes] = []
    innermost = []
    for chain in chains:
        words, starts = chain.words.copy(), chain.starts
        places = np.uint64(start) + 8 * starts.astype(np.uint64)
        words[starts[0] + OUTER] = 0
        words[starts[1:] + OUTER] = places[:-1]
        owners = starts[words[starts + OBJECTS] != 0]
        words[owners + OBJECTS] += np.uint64(start)
        parts.append(words.tobytes())
        innermost.append(int(places[-1]))
        start += words.nbytes
    return b"".join(parts), innermost


def call_result(isa: Isa, site: Site, registers: Mapping[int, int]) -> bytes:
    """`record.result` of a thread stopped at a return address: the return registers, as the type lies in memory."""
    out = bytearray(32)
    at = 0
    used = {1: 0, 2: 0}
    homes = {1: isa.integer_results, 2: isa.floating_results}
    for byte in site.result.to_bytes(4, "little"):
        kind, size = byte & 3, 1 << (byte >> 2 & 7)
        if not kind:
            break
        value = registers[homes[kind][used[kind]]]
        used[kind] += 1
        at = -(-at // size) * size
        bits = 1 if byte & 32 else 8 * size
        out[at : at + size] = (value & (1 << bits) - 1).to_bytes(size, "little")
        at += size
    return bytes(out)


@dataclass(frozen=True)
class _Group:
    """New records of one shape, such as those of all frames at one site: row i is number `at[i]` of the new records."""

    at: Places
    enter: int
    site: int
    slots: Words
    objects: Words
    values: int = 0
    """Live values of one record."""
    dynamic: bool = False
    """The first slot is the lowest live dynamic address of the frame."""
    result: bytes = bytes(32)

    @property
    def size(self) -> int:
        """Words of a record, without padding."""
        return HEAD + len(self.slots[0]) + len(self.objects[0])

    def lowest(self) -> Words:
        """The lowest address of stack that each frame owns; without any: the highest of all."""
        lowest: Words = self.objects.min(axis=1, initial=NOTHING)
        if self.dynamic:
            lowest = np.minimum(lowest, self.slots[:, 0])
        return lowest


def _single(at: int, enter: int, *slots: int) -> _Group:
    """One record that stands for no frame of compiled code."""
    return _Group(np.array([at]), enter, 0, np.array([slots], np.uint64), np.zeros((1, 0), np.uint64))


class ChainBuilder:
    """Makes the records of one thread."""

    def __init__(self, index: Index, isa: Isa, walker: Walker) -> None:
        self._index = index
        self._isa = isa
        self._walker = walker

    def build(self, stack: Stack) -> Chain:
        """Records for a whole stack, and the records of an earlier migration that are not consumed yet."""
        if stack.current is None:
            kept, base = None, stack.bottom
            groups = [_single(0, self._index.end)]
        else:
            kept = _kept(self._walker, stack.current)
            base, groups = kept.base, []
        first = len(groups)
        frames = stack.frames.sited()[::-1]
        waiting = frames if stack.system_call else frames[:-1]
        for at in stack.frames.by_site(waiting):
            groups.append(self._waiting(stack, waiting[at], first + at, first))
        last = first + len(waiting)
        if stack.system_call:
            groups.append(_single(last, self._index.syscall_resume, *restartable(stack.system_call)))
        else:
            current = None if len(waiting) else stack.current
            base_of_others = min([base, *(int(group.lowest().min()) for group in groups)])
            groups.append(self._stopped(stack.frames, frames[-1:], last, current, base_of_others))
        return _chain(groups, base, kept, len(frames))

    def _waiting(self, stack: Stack, entries: Places, at: Places, first: int) -> _Group:
        """The records of frames that wait at one call; only the one at place `first` can run on a record itself."""
        reader = Reader(self._index, stack.frames, entries, self._walker.window)
        function = self._index.function(reader.site.function)
        if reader.site.in_resume:
            objects = self._of_record(function, stack.current if at.tolist() == [first] else None)
        else:
            objects = reader.objects(function)
        return _group(at, function, reader, objects)

    def _stopped(
        self, frames: Frames, entry: Places, at: int, current: SavedRecord | None, base: int
    ) -> _Group:
        """The record of the innermost frame, which stands at a point or behind a call, whose result is at hand."""
        reader = Reader(self._index, frames, entry, self._walker.window)
        site = reader.site
        function = self._index.function(site.function)
        if site.in_resume:
            objects = self._of_record(function, current)
        elif is_bare(frames, self._isa):
            objects = _place(function, base & -ALIGNMENT)
        else:
            objects = reader.objects(function)
        group = _group(np.array([at]), function, reader, objects)
        if site.is_point:
            return group
        return replace(group, result=call_result(self._isa, site, frames.registers))

    def _of_record(self, function: Function, current: SavedRecord | None) -> Words:
        """The objects of a resumed frame: where its record says."""
        if current is None or current.enter != function.resume:
            raise TransformError(
                "a resumed frame does not belong to its record", function=self._index.name(function.number)
            )
        count = len(function.objects)
        data = self._walker.window.bytes(current.objects, 8 * count) if count else b""
        return np.frombuffer(data, np.uint64).reshape(1, count)


def _group(at: Places, function: Function, reader: Reader, objects: Words) -> _Group:
    site = reader.site
    slots, count = reader.values(), site.narrow + site.wide
    if function.has_dynamic and not len(slots[0]):
        raise TransformError(
            f"site {site.id}: the lowest address of its dynamic objects is not among its values"
        )
    full_id = function.hash << 24 | site.id
    return _Group(at, function.resume, full_id, slots, objects, count, function.has_dynamic)


def _place(function: Function, base: int) -> Words:
    """Fresh room for objects that do not exist yet."""
    addresses = []
    for _register, _offset, size, alignment in function.objects:
        base = base - size & -max(alignment, 1)
        addresses.append(base)
    return np.array([addresses], np.uint64)


def _chain(groups: list[_Group], base: int, kept: Chain | None, frames: int) -> Chain:
    """Writes all new records, behind the kept ones."""
    count = sum(len(group.at) for group in groups)
    sizes, lowest = np.zeros(count, np.intp), np.zeros(count, np.uint64)
    for group in groups:
        sizes[group.at] = -(-group.size // LINE) * LINE
        lowest[group.at] = group.lowest()
    begin = len(kept.words) if kept else 0
    starts = begin + np.cumsum(sizes) - sizes
    words = np.zeros(begin + int(sizes.sum()), np.uint64)
    bases = np.minimum(np.minimum.accumulate(lowest), np.uint64(base)) & np.uint64(-ALIGNMENT & MASK)
    words[starts + BASE] = bases
    for group in groups:
        _write(group, words, starts[group.at])
    if kept:
        words[:begin] = kept.words
        starts = np.concatenate([kept.starts, starts])
    values = sum(len(group.at) * group.values for group in groups)
    return Chain(words, starts, frames, values)


def _write(group: _Group, words: Words, starts: Places) -> None:
    """Writes the records of a group, but for their bases."""
    slots = group.slots.shape[1]
    words[starts + ENTER] = group.enter
    words[starts + SITE] = group.site
    words[starts + SIZE] = 8 * group.size
    words[starts[:, None] + RESULT + np.arange(4)] = np.frombuffer(group.result, np.uint64)
    words[starts[:, None] + HEAD + np.arange(slots)] = group.slots
    if group.objects.shape[1]:
        words[starts + OBJECTS] = 8 * (starts + HEAD + slots)
        words[starts[:, None] + HEAD + slots + np.arange(group.objects.shape[1])] = group.objects


def _kept(walker: Walker, current: SavedRecord) -> Chain:
    """The records outside the current one, which is consumed: its frame gets a new one.

    `encode` has laid them out one behind the other, and they are consumed from the innermost on: they are one block.
    """
    u64 = walker.window.u64
    addresses = []
    end, address = current.address, current.outer
    while address:
        size = u64(address + 8 * SIZE)
        if not 8 * HEAD <= size <= MAX_RECORD or address + (size + ALIGNMENT - 1 & -ALIGNMENT) != end:
            raise TransformError(
                f"record {address:#x} is damaged: {size} bytes, and the next one at {end:#x}"
            )
        addresses.append(address)
        end, address = address, u64(address + 8 * OUTER)
    if not addresses:
        raise TransformError(f"record {current.address:#x} has no outer record")
    words = np.frombuffer(walker.window.bytes(end, current.address - end), np.uint64).copy()
    starts = (np.array(addresses[::-1], np.uint64) - np.uint64(end)).astype(np.intp) // 8
    owners = starts[words[starts + OBJECTS] != 0]
    words[owners + OBJECTS] -= np.uint64(end)
    inside = words[owners + OBJECTS] - 8 * owners.astype(np.uint64)
    if not bool(((inside >= 8 * HEAD) & (inside <= words[owners + SIZE])).all()):
        raise TransformError(
            f"a record between {end:#x} and {current.address:#x} is damaged: its objects lie outside"
        )
    return Chain(words, starts, 0, 0)


CLOCK_NANOSLEEP = 115
"""asm-generic/unistd.h."""
TIMER_ABSTIME = 1


def restartable(call: tuple[int, ...]) -> tuple[int, ...]:
    """The arguments with which an interrupted system call is issued again.

    A relative clock_nanosleep goes on with the remaining time, which the kernel stores at the interruption (the libc always
    passes a place that holds the whole time beforehand). Others are repeated as they are: ppoll and pselect6 update their
    time-out in place, futex waits are re-checked by their callers.
    """
    number, clock, flags, _request, remaining, *rest = call
    if number == CLOCK_NANOSLEEP and not flags & TIMER_ABSTIME and remaining:
        return (number, clock, flags, remaining, remaining, *rest)
    return call
