# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Direct calls and jumps in the code of objects, by ISA: what the checks of objects read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from transproc.binary.relocatable import Place, Relocatable
from transproc.errors import UnsupportedError

_JUMP26, _CALL26, _PC32, _PLT32 = 282, 283, 2, 4
_CALL_OPCODE, _JUMP_OPCODE = 0xE8, 0xE9
_CONDITIONAL = range(0x80, 0x90)
"""Second byte of the conditional jumps of x86_64; the first is 0x0F."""
_BL, _BL_MASK = 0x94000000, 0xFC000000

Found = Iterator[tuple[Place, Place]]


def _calls_x86_64(elf: Relocatable) -> Found:
    """Those with a relocation, so all of other sections; instructions are not decoded."""
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        for row in relocations[np.isin(relocations["type"], (_PC32, _PLT32))]:
            at = int(row["offset"])
            if at and code[at - 1] == _CALL_OPCODE:
                yield (section, at + 4), elf.callee(row, bias=4)


def _calls_aarch64(elf: Relocatable) -> Found:
    """All `bl`."""
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        targets = {int(r["offset"]): elf.callee(r) for r in relocations[relocations["type"] == _CALL26]}
        words = np.frombuffer(code[: len(code) & -4], "<u4")
        for index in np.flatnonzero((words & _BL_MASK) == _BL).tolist():
            at = 4 * index
            distance = (int(words[index]) & ~_BL_MASK) << 2
            near = (section, at + (distance ^ 1 << 27) - (1 << 27))
            yield (section, at + 4), targets.get(at, near)


def _jumps_x86_64(elf: Relocatable) -> Found:
    for section in elf.text_sections():
        code, relocations = elf.contents(section), elf.relocations(section)
        for row in relocations[np.isin(relocations["type"], (_PC32, _PLT32))]:
            at = int(row["offset"])
            conditional = at > 1 and code[at - 2] == 0x0F and code[at - 1] in _CONDITIONAL
            if at and (code[at - 1] == _JUMP_OPCODE or conditional):
                yield (section, at + 4), elf.callee(row, bias=4)


def _jumps_aarch64(elf: Relocatable) -> Found:
    for section in elf.text_sections():
        relocations = elf.relocations(section)
        rows = relocations[relocations["type"] == _JUMP26]
        yield from (((section, int(row["offset"]) + 4), elf.callee(row)) for row in rows)


@dataclass(frozen=True)
class Decoder:
    """What an ISA's encoding shows of direct calls, as (return address, callee), and of direct jumps to other sections, as
    (end of the jump, target).
    """

    calls: Callable[[Relocatable], Found]
    jumps: Callable[[Relocatable], Found]


_DECODERS = {
    "x86_64": Decoder(_calls_x86_64, _jumps_x86_64),
    "aarch64": Decoder(_calls_aarch64, _jumps_aarch64),
}


def decoder_of(isa: str) -> Decoder:
    """How to find calls in an ISA's code. Raises `UnsupportedError` for one without: its objects cannot be proven to be right."""
    if isa not in _DECODERS:
        raise UnsupportedError(f"objects for {isa} cannot be checked: nothing here reads its calls")
    return _DECODERS[isa]


def owner(elf: Relocatable, starts: list[Place], place: Place) -> Place | None:
    """The function, of all by their starts, that holds the instruction that ends at a place."""
    before = bisect_left(starts, place)
    if not before:
        return None
    section, start = found = starts[before - 1]
    return found if section == place[0] and place[1] <= start + elf.functions[found][1] else None
