"""Reads what frames hold: live values and the addresses of stack objects, for all frames at one site together.

A deep recursion has many frames at few sites, so the work per frame is done by numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from transproc.binary import stackmap
from transproc.binary.sites import Function, Index, Site
from transproc.errors import TransformError
from transproc.transform.unwind import MASK, Frame, Window, Words

Location = tuple[int, int, int, int]
"""Kind, size in bytes, DWARF register, offset: a row of the index's `locations`."""


def slot_words(narrow: int, wide: int) -> int:
    """Words that the slots of a record take: narrow values one each, then, 16-aligned, wide ones two each."""
    return narrow + (narrow & 1 if wide else 0) + 2 * wide


class Reader:
    """Reads n frames that stand at the same site."""

    def __init__(self, index: Index, site: Site, frames: Sequence[Frame], window: Window) -> None:
        self.site = site
        self._index = index
        self._frames = frames
        self._window = window
        self._columns: dict[int, Words] = {}

    def values(self) -> Words:
        """n rows of `slot_words`: the live values in list order, padded with zeros to their slots."""
        site = self.site
        out = np.zeros((len(self._frames), slot_words(site.narrow, site.wide)), np.uint64)
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
        return np.array(rows, np.uint64).reshape(len(rows), len(self._frames)).T

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
        if register not in self._columns:
            self._columns[register] = self._register(register, 0)
        return self._columns[register] + np.uint64(offset & MASK)

    def _register(self, register: int, shift: int) -> Words:
        """64 bits of a register of each frame, from bit `shift` on."""
        return np.array([frame.registers[register] >> shift & MASK for frame in self._frames], np.uint64)
