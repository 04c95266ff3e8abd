# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Reads a process's stack in few pieces: memory look-ups cost more than what is read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from transproc.errors import TransformError

Read = Callable[[int, int], bytes]
"""(address, bytes wanted) → the process's memory."""

Words = NDArray[np.uint64]

CHUNK = 1 << 14
FEW = 8
"""Addresses that are looked up one by one; for more it pays to read all that lies between them."""
SPARSE = 1 << 12
"""Bytes of stack for each frame beyond which it does not pay any more."""


class Window:
    """Reads memory through chunks of 16 KiB, or a whole stack at once."""

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
