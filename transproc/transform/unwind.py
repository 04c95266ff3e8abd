"""Walks the machine stack of a stopped thread by the site index: no DWARF, no guessing.

A thread that was paused stands at a site or in the system-call leaf, and each outer frame at a call site, down to a bottom:
the start code, or the resume loop of an earlier migration (docs/format.md, section 6).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from transproc.binary import sites
from transproc.binary.sites import Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa

Read = Callable[[int, int], bytes]
"""(address, bytes wanted) → the process's memory."""

CHUNK = 1 << 14
ARGUMENTS = 80
"""The system-call leaf keeps its seven arguments from CFA − 80 on."""
RECORD_HEAD = struct.Struct("<QQQQ32xQQ")
"""enter, outer, site, objects, base, size: the head of a resume record (runtime/include/transproc/record.h)."""

MAX_RECORD = 1 << 20
"""Bytes: 65535 values of each width and as many objects need more, but no function has them."""


class Window:
    """Reads words of the stack through chunks of 16 KiB, so that a walk costs few memory look-ups."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._chunks: dict[int, bytes] = {}

    def bytes(self, address: int, size: int) -> bytes:
        """`size` ≤ 16 KiB bytes at an address."""
        base = address & -CHUNK
        offset = address - base
        if offset + size > CHUNK:
            return self._read(address, size)
        if base not in self._chunks:
            try:
                self._chunks[base] = self._read(base, CHUNK)
            except TransformError:  # the chunk crosses the end of a mapping
                return self._read(address, size)
        return self._chunks[base][offset : offset + size]

    def u64(self, address: int) -> int:
        """The word at an address."""
        offset = address & CHUNK - 1
        chunk = self._chunks.get(address - offset)
        if chunk is None or offset > CHUNK - 8:
            return int.from_bytes(self.bytes(address, 8), "little")
        return int.from_bytes(chunk[offset : offset + 8], "little")


@dataclass(frozen=True)
class Frame:
    """One activation: its site, its registers (DWARF number → value of up to 16 bytes), and its CFA."""

    site: Site
    registers: dict[int, int]
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
        self.window = Window(read)

    def walk(self, pc: int, registers: dict[int, int]) -> Stack:
        """The frames of a thread. Raises `TransformError` where a frame is not described."""
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
        return self._outer(pc, registers, frames, system_call, cfa)

    def at_trap(self, pc: int) -> bool:
        """A pc is that of the system-call leaf's trap itself."""
        special = self._index.special(pc)
        return special is not None and special[0] == sites.TRAP

    def _outer(
        self, pc: int, registers: dict[int, int], frames: list[Frame], call: tuple[int, ...] | None, cfa: int
    ) -> Stack:
        while True:
            special = self._index.special(pc)
            if special is None:
                site = self._index.call_at(pc)
                if site is None:
                    raise TransformError(f"frame {len(frames)} returns to {pc:#x}, which is no site")
                inner = cfa
                cfa, pc, outer = self._up(site.row, registers)
                _check_order(cfa, inner)
                frames.append(Frame(site, registers, cfa))
                registers = outer
            elif special[0] == sites.RESUME_SYSCALL:
                inner = cfa
                cfa, pc, registers = self._up(special[1], registers)
                _check_order(cfa, inner)
            elif special[0] == sites.LOOP:
                current = self.record(registers[self._isa.record_register])
                return Stack(frames, call, cfa, current)
            else:
                return Stack(frames, call, cfa, None)

    def _up(self, row: int, registers: dict[int, int]) -> tuple[int, int, dict[int, int]]:
        """(CFA, return address, caller's registers) of a frame under a frame rule."""
        rule = self._index.rule(row)
        cfa = (registers[rule.register] + rule.offset) & (1 << 64) - 1
        outer = dict(registers)
        for register, offset in rule.saved:
            # Of a saved vector register only the low 8 bytes are preserved (AAPCS64, 6.1.2); higher ones are not live.
            outer[register] = self.window.u64(cfa + offset)
        outer[self._isa.stack_pointer] = cfa
        if self._isa.return_address_offset is not None:
            return cfa, self.window.u64(cfa + self._isa.return_address_offset), outer
        assert self._isa.return_address is not None  # validated in Isa
        return cfa, outer[self._isa.return_address], outer

    def record(self, address: int) -> SavedRecord:
        """Reads the head of a resume record."""
        record = SavedRecord(address, *RECORD_HEAD.unpack(self.window.bytes(address, RECORD_HEAD.size)))
        end = address + record.size
        if not RECORD_HEAD.size <= record.size <= MAX_RECORD or (
            record.objects and not address + RECORD_HEAD.size <= record.objects <= end
        ):
            raise TransformError(f"record {address:#x} is damaged")
        return record


def _check_order(cfa: int, inner: int) -> None:
    """Stacks grow downwards; on a damaged one a walk might else never end."""
    if cfa <= inner:
        raise TransformError(f"a frame ends at {cfa:#x}, not above its callee's, which ends at {inner:#x}")
