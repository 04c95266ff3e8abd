"""Reads the live values of frames, and writes the resume records that continue them (docs/format.md, section 4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from transproc.binary import sites, stackmap
from transproc.binary.sites import Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa
from transproc.transform.unwind import Frame, Record, Stack, Walker

HEAD = struct.Struct("<QQQQ32s")
"""enter, outer, site, objects, result."""
ALIGNMENT = 64
MASK = (1 << 64) - 1


@dataclass(frozen=True)
class NewRecord:
    """A resume record to be written: its address and its bytes."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Resumption:
    """All records of one thread, and where they begin: the stack pointer and argument of the resume loop."""

    records: list[NewRecord]
    innermost: int
    values: int


def live_values(index: Index, frame: Frame, walker: Walker) -> tuple[list[bytes], list[bytes]]:
    """The narrow (8 bytes each) and wide (16 bytes) live values of a frame, in list order."""
    site = frame.site
    rows = index.locations[site.location : site.location + site.narrow + site.wide].tolist()
    values = [
        _value(index, location, frame, walker, 8 if i < site.narrow else 16)
        for i, location in enumerate(rows)
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


class RecordWriter:
    """Lays the records of one thread out, from the outermost frame inwards, each below all that outer frames own."""

    def __init__(self, index: Index, isa: Isa, walker: Walker) -> None:
        self._index = index
        self._isa = isa
        self._walker = walker
        self._records: list[NewRecord] = []
        self._low = 0
        self._outer = 0
        self._values = 0

    def write(self, stack: Stack) -> Resumption:
        """Records for a whole stack."""
        if stack.current is None:
            self._low = stack.bottom
            self._emit(self._index.end, 0, [], bytes(32), b"")
        else:
            # Everything that outer frames own lies above their innermost record; ours takes the place of the current one.
            self._outer = self._low = stack.current.outer
        for number in reversed(range(len(stack.frames))):
            frame = stack.frames[number]
            current = stack.current if number == len(stack.frames) - 1 else None
            self._frame(frame, current, stopped_here=number == 0 and stack.system_call is None)
        if stack.system_call is not None:
            self._emit(
                self._index.syscall_resume,
                0,
                [],
                bytes(32),
                struct.pack("<7Q", *restartable(stack.system_call)),
            )
        return Resumption(self._records, self._outer, self._values)

    def _frame(self, frame: Frame, current: Record | None, *, stopped_here: bool) -> None:
        site = frame.site
        function = self._index.functions[site.function]
        narrow, wide = live_values(self._index, frame, self._walker)
        objects = self._objects(frame, current, stopped_here=stopped_here)
        if int(function["flags"]) & sites.FUNCTION_DYNAMIC:
            self._low = min(self._low, int.from_bytes(narrow[0], "little"))
        slots = b"".join(narrow)
        if wide:
            slots += bytes(-len(slots) % 16) + b"".join(wide)
        result = bytes(32)
        if stopped_here and not site.is_point:
            result = call_result(self._isa, site, frame.registers)
        self._values += len(narrow) + len(wide)
        full_id = int(function["hash"]) << 24 | site.id
        self._emit(int(function["resume"]), full_id, objects, result, slots)

    def _objects(self, frame: Frame, current: Record | None, *, stopped_here: bool) -> list[int]:
        """Addresses of the frame's stack objects; lowers `_low` below them."""
        function = self._index.functions[frame.site.function]
        count, first = int(function["objects"]), int(function["object"])
        if not count:
            return []
        table = self._index.objects[first : first + count]
        if frame.site.in_resume:
            if current is None:
                raise TransformError(
                    "a resumed frame has no record", function=self._index.name(frame.site.function)
                )
            addresses = list(
                struct.unpack(f"<{count}Q", self._walker.window.bytes(current.objects, 8 * count))
            )
        elif stopped_here and self._is_bare(frame):
            addresses = self._place(table)
        else:
            addresses = [
                frame.registers[register] + offset & MASK
                for register, offset in zip(table["reg"].tolist(), table["offset"].tolist(), strict=True)
            ]
        self._low = min(self._low, *addresses)
        return addresses

    def _is_bare(self, frame: Frame) -> bool:
        """The frame is not set up yet, or already taken down (shrink wrapping): its objects do not exist."""
        pushed = -(self._isa.return_address_offset or 0)
        return frame.cfa - frame.registers[self._isa.stack_pointer] == pushed

    def _place(self, table: object) -> list[int]:
        """Fresh room for objects that do not exist yet."""
        addresses = []
        at = self._low
        for row in table:  # type: ignore[attr-defined]
            at = at - int(row["size"]) & -max(int(row["alignment"]), 1)
            addresses.append(at)
        return addresses

    def _emit(self, enter: int, site: int, objects: list[int], result: bytes, slots: bytes) -> None:
        size = HEAD.size + len(slots) + 8 * len(objects)
        address = self._low - size & -ALIGNMENT
        place = address + HEAD.size + len(slots)
        head = HEAD.pack(enter, self._outer, site, place if objects else 0, result)
        self._records.append(NewRecord(address, head + slots + struct.pack(f"<{len(objects)}Q", *objects)))
        self._outer = self._low = address


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
