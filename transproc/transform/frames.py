"""Reads the live values of frames, and writes the resume records that continue them (docs/format.md, section 4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from transproc.binary import stackmap
from transproc.binary.sites import Function, Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa
from transproc.transform.unwind import Frame, SavedRecord, Stack, Walker

HEAD = struct.Struct("<QQQQ32sQQ")
"""enter, outer, site, objects, result, base, size."""
ALIGNMENT = 64
MASK = (1 << 64) - 1


@dataclass
class Record:
    """A resume record that is to be written: for one frame, or one left by an earlier migration and still needed.

    `outer` follows from the order; `base`: see docs/format.md, section 4.
    """

    enter: int
    site: int
    base: int
    result: bytes
    slots: bytes
    objects: list[int]

    @property
    def size(self) -> int:
        """In bytes."""
        return HEAD.size + len(self.slots) + 8 * len(self.objects)

    def encode(self, address: int, outer: int) -> bytes:
        """The record's bytes, for its place in memory."""
        place = address + HEAD.size + len(self.slots) if self.objects else 0
        head = HEAD.pack(self.enter, outer, self.site, place, self.result, self.base, self.size)
        return head + self.slots + struct.pack(f"<{len(self.objects)}Q", *self.objects)


@dataclass(frozen=True)
class Chain:
    """The records of one thread, outermost first."""

    records: list[Record]
    frames: int
    values: int

    @property
    def base(self) -> int:
        """Lowest address that execution may begin at: the innermost record's."""
        return self.records[-1].base


def encoded_size(chains: list[Chain]) -> int:
    """Bytes that `encode` makes."""
    size = 0
    for chain in chains:
        for record in chain.records:
            size = (size + ALIGNMENT - 1 & -ALIGNMENT) + record.size
    return size


def encode(chains: list[Chain], start: int) -> tuple[bytes, list[int]]:
    """Lays the records of all threads out from address `start` on; returns the bytes, and each thread's innermost record."""
    out = bytearray()
    innermost = []
    for chain in chains:
        outer = 0
        for record in chain.records:
            out += bytes(-len(out) % ALIGNMENT)
            address = start + len(out)
            out += record.encode(address, outer)
            outer = address
        innermost.append(outer)
    return bytes(out), innermost


def live_values(index: Index, frame: Frame, walker: Walker) -> tuple[list[bytes], list[bytes]]:
    """The narrow (8 bytes each) and wide (16 bytes) live values of a frame, in list order."""
    site = frame.site
    values = [
        _value(index, location, frame, walker, 8 if i < site.narrow else 16)
        for i, location in enumerate(index.values(site))
    ]
    return values[: site.narrow], values[site.narrow :]


def _value(
    index: Index, location: tuple[int, int, int, int], frame: Frame, walker: Walker, width: int
) -> bytes:
    """One value, padded with zeros to its slot; the slot's unused high bytes are never read."""
    kind, size, register, offset = location
    if kind == stackmap.REGISTER:
        # A nonzero offset counts bits: the value lies in a part of the register (x86_64's AH).
        value = frame.registers[register] >> offset
        return (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    if kind == stackmap.DIRECT:
        return (frame.registers[register] + offset & MASK).to_bytes(8, "little").ljust(width, b"\0")
    if kind == stackmap.INDIRECT:
        address = frame.registers[register] + offset & MASK
        return walker.window.bytes(address, min(size, width)).ljust(width, b"\0")
    if kind == stackmap.CONSTANT:
        return (offset & MASK).to_bytes(8, "little").ljust(width, b"\0")
    if kind == stackmap.CONSTANT_INDEX:
        return int(index.constants[offset]).to_bytes(8, "little").ljust(width, b"\0")
    raise TransformError(f"unknown kind of location {kind}", site=frame.site.id)


def call_result(isa: Isa, site: Site, registers: dict[int, int]) -> bytes:
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


class ChainBuilder:
    """Makes the records of one thread, from the outermost frame inwards."""

    def __init__(self, index: Index, isa: Isa, walker: Walker) -> None:
        self._index = index
        self._isa = isa
        self._walker = walker
        self._records: list[Record] = []
        self._base = 0
        self._values = 0

    def build(self, stack: Stack) -> Chain:
        """Records for a whole stack, and the records of an earlier migration that are not consumed yet."""
        if stack.current is None:
            self._base = stack.bottom & -ALIGNMENT
            self._add(self._index.end, 0, b"", [])
        else:
            self._keep(stack.current)
        for number in reversed(range(len(stack.frames))):
            current = stack.current if number == len(stack.frames) - 1 else None
            self._frame(stack.frames[number], current, stopped_here=number == 0 and stack.system_call is None)
        if stack.system_call is not None:
            slots = struct.pack("<7Q", *restartable(stack.system_call))
            self._add(self._index.syscall_resume, 0, slots, [])
        return Chain(self._records, len(stack.frames), self._values)

    def _keep(self, current: SavedRecord) -> None:
        """Copies the records outside the current one, which is consumed: its frame gets a new one."""
        kept, seen = [], {current.address}
        address = current.outer
        while address:
            if address in seen:
                raise TransformError(f"record {address:#x} is its own outer record")
            seen.add(address)
            saved = self._walker.record(address)
            kept.append(self._copy(saved))
            address = saved.outer
        if not kept:
            raise TransformError(f"record {current.address:#x} has no outer record")
        self._records = kept[::-1]
        self._base = self._records[-1].base

    def _copy(self, saved: SavedRecord) -> Record:
        data = self._walker.window.bytes(saved.address, saved.size)
        count = (saved.address + saved.size - saved.objects) // 8 if saved.objects else 0
        *_, result, base, _size = HEAD.unpack_from(data)
        slots = data[HEAD.size : saved.size - 8 * count]
        objects = list(struct.unpack_from(f"<{count}Q", data, saved.size - 8 * count))
        return Record(saved.enter, saved.site, base, result, slots, objects)

    def _frame(self, frame: Frame, current: SavedRecord | None, *, stopped_here: bool) -> None:
        site = frame.site
        function = self._index.function(site.function)
        if site.in_resume and (current is None or current.enter != function.resume):
            raise TransformError(
                "a resumed frame does not belong to its record", function=self._index.name(site.function)
            )
        narrow, wide = live_values(self._index, frame, self._walker)
        objects = self._objects(frame, function, current, stopped_here=stopped_here)
        self._base = min(self._base, *objects, _lowest_dynamic(function, narrow)) & -ALIGNMENT
        slots = b"".join(narrow)
        if wide:
            slots += bytes(-len(slots) % 16) + b"".join(wide)
        result = bytes(32)
        if stopped_here and not site.is_point:
            result = call_result(self._isa, site, frame.registers)
        self._values += len(narrow) + len(wide)
        full_id = function.hash << 24 | site.id
        self._add(function.resume, full_id, slots, objects, result)

    def _objects(
        self, frame: Frame, function: Function, current: SavedRecord | None, *, stopped_here: bool
    ) -> list[int]:
        """Addresses of the frame's stack objects."""
        count = len(function.objects)
        if not count:
            return []
        if frame.site.in_resume:
            assert current is not None  # checked in _frame
            return list(struct.unpack(f"<{count}Q", self._walker.window.bytes(current.objects, 8 * count)))
        if stopped_here and self._is_bare(frame):
            return self._place(function.objects)
        registers = frame.registers
        return [registers[register] + offset & MASK for register, offset, _, _ in function.objects]

    def _is_bare(self, frame: Frame) -> bool:
        """The frame is not set up yet, or already taken down (shrink wrapping): its objects do not exist."""
        pushed = -(self._isa.return_address_offset or 0)
        return frame.cfa - frame.registers[self._isa.stack_pointer] == pushed

    def _place(self, table: Iterable[tuple[int, int, int, int]]) -> list[int]:
        """Fresh room for objects that do not exist yet."""
        addresses = []
        at = self._base
        for _register, _offset, size, alignment in table:
            at = at - size & -max(alignment, 1)
            addresses.append(at)
        return addresses

    def _add(
        self, enter: int, site: int, slots: bytes, objects: list[int], result: bytes = bytes(32)
    ) -> None:
        self._records.append(Record(enter, site, self._base, result, slots, objects))


def _lowest_dynamic(function: Function, narrow: list[bytes]) -> int:
    """The lowest live dynamic address, which such a function lists first; above everything, if there is none."""
    return int.from_bytes(narrow[0], "little") if function.has_dynamic else MASK


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
