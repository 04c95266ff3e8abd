"""Walks the machine stack of a stopped thread by the site index: no DWARF, no guessing.

A thread that was paused stands at a site or in the system-call leaf, and each outer frame at a call site, down to a bottom:
the start code, or the resume loop of an earlier migration (docs/format.md, section 6).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transproc.binary import sites
from transproc.binary.sites import Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa

Read = Callable[[int, int], bytes]
"""(address, bytes wanted) → the process's memory."""

Words = NDArray[np.uint64]

CHUNK = 1 << 14
FEW = 8
"""Addresses that are looked up one by one; for more it pays to read all that lies between them."""
SPARSE = 1 << 12
"""Bytes of stack for each frame beyond which it does not pay any more."""
MASK = (1 << 64) - 1
ARGUMENTS = 80
"""The system-call leaf keeps its seven arguments from CFA − 80 on."""
RECORD_HEAD = struct.Struct("<QQQQ32xQQ")
"""enter, outer, site, objects, base, size: the head of a resume record (runtime/include/transproc/record.h)."""
HEAD_SIZE = RECORD_HEAD.size

MAX_RECORD = 1 << 20
"""Bytes: 65535 values of each width and as many objects need more, but no function has them."""


class Window:
    """Reads the stack through chunks of 16 KiB, so that a walk costs few memory look-ups."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._chunks: dict[int, memoryview] = {}
        self.words: dict[int, memoryview] = {}
        """The chunks that were read, by their addresses, as words: for the walk, which cannot afford a call for each."""
        self._low = 0
        self._span = np.zeros(0, np.uint8)

    def bytes(self, address: int, size: int) -> bytes:
        """`size` bytes at an address."""
        base = address & -CHUNK
        offset = address - base
        if offset + size > CHUNK or not self._load(base):
            return self._read(address, size)
        return self._chunks[base][offset : offset + size].tobytes()

    def u64(self, address: int) -> int:
        """The word at an address."""
        offset = address & CHUNK - 1
        words = self.words.get(address - offset)
        if words is None or offset & 7:
            return int.from_bytes(self.bytes(address, 8), "little")
        word: int = words[offset >> 3]
        return word

    def keep(self, low: int, high: int, frames: int) -> None:
        """Reads the stack of that many frames, `[low, high)`, at once for `gather`, unless most of it is stack objects."""
        if frames <= FEW or high - low > SPARSE * frames:
            return
        with suppress(TransformError):  # a part on another stack: then one by one
            self._span = np.frombuffer(self._read(low, high - low), np.uint8)
            self._low = low

    def gather(self, addresses: Words, size: int) -> NDArray[np.uint8]:
        """The `size` bytes at each of n addresses: n rows."""
        offsets = addresses - np.uint64(self._low)  # below `low` it wraps around, and is too large
        if len(addresses) > FEW and bool((offsets + np.uint64(size) <= len(self._span)).all()):
            rows: NDArray[np.uint8] = self._span[offsets[:, None] + np.arange(size, dtype=np.uint64)]
            return rows
        data = b"".join(self.bytes(address, size) for address in addresses.tolist())
        return np.frombuffer(data, np.uint8).reshape(len(addresses), size)

    def _load(self, base: int) -> bool:
        """Reads a chunk; False if it crosses the end of a mapping."""
        if base not in self._chunks:
            try:
                chunk = memoryview(self._read(base, CHUNK))
            except TransformError:
                return False
            self._chunks[base], self.words[base] = chunk, chunk.cast("Q")
        return True


class Frame(NamedTuple):
    """One activation: its site, its registers (by DWARF number, values of up to 16 bytes), and its CFA.

    A tuple, because a stack has up to millions of them.
    """

    site: Site
    registers: list[int]
    cfa: int


@dataclass(frozen=True)
class SavedRecord:
    """A resume record found in memory, left by an earlier migration."""

    address: int
    enter: int
    outer: int
    site: int
    objects: int
    base: int
    size: int


@dataclass(frozen=True)
class Stack:
    """A walked stack, innermost frame first.

    system_call: the seven neutral arguments of the call in which the thread is blocked, or None.
    bottom: first address above the outermost frame. current: the record on which the outermost frame runs, if it was resumed.
    """

    frames: list[Frame]
    system_call: tuple[int, ...] | None
    bottom: int
    current: SavedRecord | None


class Walker:
    """Walks the stacks of one process."""

    def __init__(self, index: Index, isa: Isa, read: Read) -> None:
        self._index = index
        self._isa = isa
        self._return_address = isa.stack_pointer if isa.return_address is None else isa.return_address
        self._steps: dict[int, tuple[int, int, tuple[tuple[int, int], ...]]] = {}
        self.window = Window(read)

    def walk(self, pc: int, values: Mapping[int, int]) -> Stack:
        """The frames of a thread with a pc and registers (by DWARF number).

        Raises `TransformError` where a frame is not described.
        """
        registers = [0] * (max(values) + 1)
        for register, value in values.items():
            registers[register] = value
        stack_pointer = registers[self._isa.stack_pointer]
        special = self._index.special(pc)
        system_call = None
        frames: list[Frame] = []
        if special and special[0] in (sites.TRAP, sites.TRAP_DONE):
            cfa, pc, registers = self._up(special[1], registers)
            system_call = struct.unpack("<7Q", self.window.bytes(cfa - ARGUMENTS, 56))
        else:
            site = self._index.stop_at(pc)
            if site is None:
                raise TransformError(f"thread stands at {pc:#x}, which is no equivalence point")
            cfa, pc, outer = self._up(site.row, registers)
            frames.append(Frame(site, registers, cfa))
            registers = outer
        stack = self._outer(pc, registers, frames, system_call, cfa)
        self.window.keep(stack_pointer, stack.bottom, len(frames))
        return stack

    def at_trap(self, pc: int) -> bool:
        """A pc is that of the system-call leaf's trap itself."""
        special = self._index.special(pc)
        return special is not None and special[0] == sites.TRAP

    def _outer(
        self, pc: int, registers: list[int], frames: list[Frame], call: tuple[int, ...] | None, cfa: int
    ) -> Stack:
        index = self._index
        while True:
            special = index.special(pc)
            inner = cfa
            if special is None:
                site = index.call_at(pc)
                if site is None:
                    raise TransformError(f"frame {len(frames)} returns to {pc:#x}, which is no site")
                cfa, pc, outer = self._up(site.row, registers)
                frames.append(Frame(site, registers, cfa))
                registers = outer
            elif special[0] == sites.RESUME_SYSCALL:
                cfa, pc, registers = self._up(special[1], registers)
            elif special[0] == sites.LOOP:
                current = self.record(registers[self._isa.record_register])
                return Stack(frames, call, cfa, current)
            else:
                return Stack(frames, call, cfa, None)
            if cfa <= inner:  # stacks grow downwards; on a damaged one a walk might else never end
                raise TransformError(
                    f"a frame ends at {cfa:#x}, not above its callee's, which ends at {inner:#x}"
                )

    def _up(self, row: int, registers: list[int]) -> tuple[int, int, list[int]]:
        """(CFA, return address, caller's registers) of a frame under a frame rule.

        Where calls push the return address, it is read as if it had been saved in the stack pointer's place.
        """
        base, offset, saved = self._steps.get(row) or self._step(row)
        cfa = registers[base] + offset & MASK
        outer = registers.copy()
        words = self.window.words
        for register, place in saved:
            # Of a saved vector register only the low 8 bytes are preserved (AAPCS64, 6.1.2); higher ones are not live.
            address = cfa + place
            chunk = words.get(address & -CHUNK)
            if chunk is None or address & 7:
                outer[register] = self.window.u64(address)
            else:
                outer[register] = chunk[(address & CHUNK - 1) >> 3]
        pc = outer[self._return_address]
        outer[self._isa.stack_pointer] = cfa
        return cfa, pc, outer

    def _step(self, row: int) -> tuple[int, int, tuple[tuple[int, int], ...]]:
        """A frame rule as `_up` takes it: base register, offset of the CFA, and what is read where, relative to the CFA."""
        rule = self._index.rule(row)
        saved = rule.saved
        if self._isa.return_address_offset is not None:
            saved += ((self._isa.stack_pointer, self._isa.return_address_offset),)
        self._steps[row] = rule.register, rule.offset, saved
        return self._steps[row]

    def record(self, address: int) -> SavedRecord:
        """Reads the head of a resume record."""
        record = SavedRecord(address, *RECORD_HEAD.unpack(self.window.bytes(address, RECORD_HEAD.size)))
        end = address + record.size
        if not RECORD_HEAD.size <= record.size <= MAX_RECORD or (
            record.objects and not address + RECORD_HEAD.size <= record.objects <= end
        ):
            raise TransformError(f"record {address:#x} is damaged")
        return record
