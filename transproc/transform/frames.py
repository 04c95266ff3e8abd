# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The frames of a stack, as columns, and what they hold: live values and the addresses of stack objects.

A deep recursion has many frames at few sites, so the work per frame is done by numpy: a walk only finds where each frame
lies, and registers, values and objects are read for all frames at one site together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transproc.binary import stackmap
from transproc.binary.sites import FrameRule, Function, Index, Site
from transproc.errors import TransformError
from transproc.transform.window import Window, Words

Entries = NDArray[np.intp]
"""Numbers of activations, counted from the innermost."""
Location = tuple[int, int, int, int]
"""Kind, size in bytes, DWARF register, offset: a row of the index's `locations`."""

MASK = (1 << 64) - 1
NOT_SAVED = np.iinfo(np.int64).max


class Shape(NamedTuple):
    """What all activations at one pc have in common.

    site: None in the system-call leaf and its continuation, which are frames without values.
    """

    site: Site | None
    rule: FrameRule


class Frames:
    """The activations of a thread, innermost first: entry i has shape `shapes[kinds[i]]` and its CFA is `cfas[i]`.

    registers: those of the innermost one by DWARF number, values of up to 16 bytes. Entry `count` means the code behind the
    outermost activation, which has registers and no frame.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        kinds: list[int],
        cfas: list[int],
        registers: Mapping[int, int],
        stack_pointer: int,
    ) -> None:
        self.shapes = shapes
        self.count = len(kinds)
        self.registers = registers
        self.kinds: Entries = np.array(kinds, np.intp)
        self.cfas: Words = np.array(cfas, np.uint64)
        self._columns = {stack_pointer: np.concatenate([_word(registers[stack_pointer]), self.cfas])}
        self._saves: dict[int, Entries] = {stack_pointer: np.arange(self.count + 1)}
        """How many frames inside of each entry have saved a register."""

    def sited(self) -> Entries:
        """The entries that have a site, and so values: all others are the system-call leaf's."""
        has_site = np.array([shape.site is not None for shape in self.shapes], np.bool_)
        return np.flatnonzero(has_site[self.kinds])

    def by_site(self, entries: Entries) -> Iterator[Entries]:
        """Where in `entries` those of each site are, in their order."""
        kinds = self.kinds[entries]
        order = np.argsort(kinds, kind="stable")
        return (at for at in np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1) if len(at))

    def site(self, entry: int) -> Site:
        """The site of an entry that has one."""
        site = self.shapes[int(self.kinds[entry])].site
        assert site is not None, "only entries of `sited` are asked for"
        return site

    def register(self, number: int, entries: Entries, bit: int, window: Window) -> Words:
        """64 bits of a register, from a bit on, in some activations.

        Of a saved vector register only the low 8 bytes are preserved (AAPCS64, 6.1.2); higher ones are not live.
        """
        if number not in self._columns:
            self._columns[number] = self._column(number, window)
        low: Words = self._columns[number][entries]
        if not bit:
            return low
        value = self.registers.get(number, 0)
        untouched = self._saves[number][entries] == 0
        above: Words = low >> np.uint64(bit) if bit < 64 else np.zeros_like(low)
        return np.where(untouched, np.uint64(value >> bit & MASK), above)

    def _column(self, number: int, window: Window) -> Words:
        """A register in every entry: the value that the next inner frame has saved which saves it, else the innermost one."""
        places = [dict(shape.rule.saved).get(number, NOT_SAVED) for shape in self.shapes]
        place = np.array(places, np.int64)[self.kinds]
        saving = place != NOT_SAVED
        addresses = self.cfas[saving] + place[saving].astype(np.uint64)
        saved = window.gather(addresses, 8).view(np.uint64).reshape(-1)
        self._saves[number] = np.concatenate([[0], np.cumsum(saving)])
        values: Words = np.concatenate([_word(self.registers.get(number, 0)), saved])
        return values[self._saves[number]]


def _word(value: int) -> Words:
    return np.array([value & MASK], np.uint64)


def slot_words(narrow: int, wide: int) -> int:
    """Words that the slots of a record take: narrow values one each, then, 16-aligned, wide ones two each."""
    return narrow + (narrow & 1 if wide else 0) + 2 * wide


class Reader:
    """Reads n frames that stand at the same site."""

    def __init__(self, index: Index, frames: Frames, entries: Entries, window: Window) -> None:
        self.site = frames.site(entries[0])
        self._index = index
        self._frames = frames
        self._entries = entries
        self._window = window

    def values(self) -> Words:
        """n rows of `slot_words`: the live values in list order, padded with zeros to their slots."""
        site = self.site
        out = np.zeros((len(self._entries), slot_words(site.narrow, site.wide)), np.uint64)
        at = 0
        for number, location in enumerate(self._index.values(site)):
            width = 1 if number < site.narrow else 2
            at += at & width - 1
            self._value(location, out[:, at : at + width])
            at += width
        return out

    def objects(self, function: Function) -> Words:
        """n rows of addresses, one for each stack object of the function."""
        rows = [self._address(register, offset) for register, offset, _, _ in function.objects]
        return np.array(rows, np.uint64).reshape(len(rows), len(self._entries)).T

    def _value(self, location: Location, out: Words) -> None:
        """Writes a value of each frame into rows of one or two words."""
        kind, size, register, offset = location
        if kind == stackmap.REGISTER:
            # A nonzero offset counts bits: the value lies in a part of the register (x86_64's AH).
            for word in range(out.shape[1]):
                out[:, word] = self._register(register, offset + 64 * word)
        elif kind == stackmap.DIRECT:
            out[:, 0] = self._address(register, offset)
        elif kind == stackmap.INDIRECT:
            data = self._window.gather(self._address(register, offset), min(size, 8 * out.shape[1]))
            padded = np.zeros((len(data), 8 * out.shape[1]), np.uint8)
            padded[:, : data.shape[1]] = data
            out[:] = padded.view(np.uint64)
        elif kind == stackmap.CONSTANT:
            out[:, 0] = np.uint64(offset & MASK)
        elif kind == stackmap.CONSTANT_INDEX:
            out[:, 0] = self._index.constants[offset]
        else:
            raise TransformError(f"unknown kind of location {kind}", site=self.site.id)

    def _address(self, register: int, offset: int) -> Words:
        return self._register(register, 0) + np.uint64(offset & MASK)

    def _register(self, register: int, bit: int) -> Words:
        return self._frames.register(register, self._entries, bit, self._window)
