# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Walks the machine stack of a stopped thread by the site index: no DWARF, no guessing.

A thread that was paused stands at a site or in the system-call leaf, and each outer frame at a call site, down to a bottom:
the start code, or the resume loop of an earlier migration (docs/format.md, section 6).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transproc.binary import sites
from transproc.binary.sites import Index, Site
from transproc.errors import TransformError
from transproc.isa import Isa
from transproc.transform.frames import MASK, Frames, Shape
from transproc.transform.window import CHUNK, Read, Window

ARGUMENTS = 80
"""The system-call leaf keeps its seven arguments from CFA − 80 on."""
RECORD_HEAD = struct.Struct("<QQQQ32xQQ")
"""enter, outer, site, objects, base, size: the head of a resume record (runtime/include/transproc/record.h)."""
HEAD_SIZE = RECORD_HEAD.size

MAX_RECORD = 1 << 20
"""Bytes: 65535 values of each width and as many objects need more, but no function has them."""


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
    """A walked stack.

    system_call: the seven neutral arguments of the call in which the thread is blocked, or None.
    current: the record on which the outermost frame runs, if it was resumed.
    """

    frames: Frames
    system_call: tuple[int, ...] | None
    current: SavedRecord | None

    @property
    def bottom(self) -> int:
        """First address above the outermost frame."""
        return int(self.frames.cfas[-1])


class _Step(NamedTuple):
    """How the walk leaves an activation: number of its shape, and its rule as far as the way to the caller needs it.

    pc, frame_pointer: where the caller's are saved, relative to the CFA; None: they are still in their registers.
    """

    kind: int
    on_frame_pointer: bool
    offset: int
    pc: int | None
    frame_pointer: int | None


class Walker:
    """Walks the stacks of one process."""

    def __init__(self, index: Index, isa: Isa, read: Read) -> None:
        self._index = index
        self._isa = isa
        self._shapes: list[Shape] = []
        self._steps: dict[int, _Step] = {}
        """Those of callers, by return address."""
        self.window = Window(read)

    def walk(self, pc: int, registers: Mapping[int, int]) -> Stack:
        """The frames of a thread with a pc and registers (by DWARF number).

        Raises `TransformError` where a frame is not described.
        """
        isa, window = self._isa, self.window
        special = self._index.special(pc)
        blocked = special is not None and special[0] in (sites.TRAP, sites.TRAP_DONE)
        first = self._step(None, special[1]) if special and blocked else self._stop(pc)
        kinds, cfas, bottom = self._follow(first, registers)
        frames = Frames(self._shapes, kinds, cfas, registers, isa.stack_pointer)
        window.keep(registers[isa.stack_pointer], cfas[-1], len(cfas))
        call = struct.unpack("<7Q", window.bytes(cfas[0] - ARGUMENTS, 56)) if blocked else None
        current = None
        if bottom == sites.LOOP:
            at_bottom = np.array([frames.count])
            current = self.record(int(frames.register(isa.record_register, at_bottom, 0, window)[0]))
        return Stack(frames, call, current)

    def at_trap(self, pc: int) -> bool:
        """A pc is that of the system-call leaf's trap itself."""
        special = self._index.special(pc)
        return special is not None and special[0] == sites.TRAP

    def _follow(self, step: _Step, registers: Mapping[int, int]) -> tuple[list[int], list[int], int]:
        """From the innermost activation to the bottom: number of the shape and CFA of each, and the bottom's kind.

        Only what leads to the next caller is followed here, which costs under a microsecond for each.
        """
        isa, steps, words, u64 = self._isa, self._steps, self.window.words, self.window.u64
        frame_pointer, inner = registers[isa.frame_pointer], registers[isa.stack_pointer]
        pc = 0 if isa.return_address is None else registers[isa.return_address]
        kinds: list[int] = []
        cfas: list[int] = []
        while True:
            kind, on_frame_pointer, offset, place, place_of_frame_pointer = step
            cfa = (frame_pointer if on_frame_pointer else inner) + offset & MASK
            if cfas and (cfa <= inner or place is None):
                raise TransformError(_astray(cfa, inner, len(cfas)))
            kinds.append(kind)
            cfas.append(cfa)
            inner = cfa
            if place is not None:
                address = cfa + place
                chunk = words.get(address & -CHUNK)
                pc = chunk[(address & CHUNK - 1) >> 3] if chunk and not address & 7 else u64(address)
            if place_of_frame_pointer is not None:
                frame_pointer = u64(cfa + place_of_frame_pointer)
            known = steps.get(pc)
            if known is None:
                bottom = self._caller(pc, len(kinds))
                if bottom:
                    return kinds, cfas, bottom
                known = steps[pc]
            step = known

    def _stop(self, pc: int) -> _Step:
        """Of the innermost frame, if it is no system call."""
        site = self._index.stop_at(pc)
        if site is None:
            raise TransformError(f"thread stands at {pc:#x}, which is no equivalence point")
        return self._step(site, site.row)

    def _caller(self, pc: int, depth: int) -> int:
        """Notes the step of a caller, by return address; if that is a bottom instead, returns its kind, else 0."""
        special = self._index.special(pc)
        if special is None:
            site = self._index.call_at(pc)
            if site is None:
                raise TransformError(f"frame {depth} returns to {pc:#x}, which is no site")
            self._steps[pc] = self._step(site, site.row)
        elif special[0] == sites.RESUME_SYSCALL:
            self._steps[pc] = self._step(None, special[1])
        else:
            return special[0]
        return 0

    def _step(self, site: Site | None, row: int) -> _Step:
        """Numbers a shape. Where calls push the return address, it counts as saved in the frame."""
        isa, rule = self._isa, self._index.rule(row)
        if rule.register not in (isa.stack_pointer, isa.frame_pointer):
            raise TransformError(
                f"frame rule {row} starts from register {rule.register}, which is no stack pointer"
            )
        saved = dict(rule.saved)
        pc = isa.return_address_offset if isa.return_address is None else saved.get(isa.return_address)
        self._shapes.append(Shape(site, rule))
        return _Step(
            len(self._shapes) - 1,
            rule.register == isa.frame_pointer,
            rule.offset,
            pc,
            saved.get(isa.frame_pointer),
        )

    def record(self, address: int) -> SavedRecord:
        """Reads the head of a resume record."""
        record = SavedRecord(address, *RECORD_HEAD.unpack(self.window.bytes(address, RECORD_HEAD.size)))
        end = address + record.size
        if not RECORD_HEAD.size <= record.size <= MAX_RECORD or (
            record.objects and not address + RECORD_HEAD.size <= record.objects <= end
        ):
            raise TransformError(f"record {address:#x} is damaged")
        return record


def is_bare(frames: Frames, isa: Isa) -> bool:
    """The innermost frame is not set up yet, or already taken down (shrink wrapping): its objects do not exist."""
    pushed = -(isa.return_address_offset or 0)
    return int(frames.cfas[0]) - frames.registers[isa.stack_pointer] == pushed


def _astray(cfa: int, inner: int, depth: int) -> str:
    """Why a walk cannot go on: on a damaged stack it might never end."""
    if cfa > inner:
        return f"frame {depth} has called another one, and its return address is saved nowhere"
    return (
        f"a frame ends at {cfa:#x}, not above its callee's, which ends at {inner:#x}"  # stacks grow downwards
    )
