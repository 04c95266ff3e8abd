# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory of a dumped process, as the process would read it."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Mapping

from transproc.binary.elf import PAGE
from transproc.binary.pair import Binary
from transproc.errors import AbsentPagesError, TransformError
from transproc.images import runs
from transproc.images.flags import VmaStatus
from transproc.images.memory import Memory
from transproc.images.proto.memory_pb2 import MemoryMap, Vma

MAP_GROWSDOWN = 0x100
STACK_GUARD_GAP = 256 * PAGE
"""What the kernel keeps free below a stack that grows (stack_guard_gap in mm/mmap.c)."""


class ProcessMemory:
    """What a process would read at an address: its dumped pages, else its executable's file, else zeros.

    `AbsentPagesError` for pages that have contents which are not in the image.
    """

    def __init__(self, memory: Memory, mm: MemoryMap, binary: Binary, *, stack_limit: int = 0) -> None:
        """`stack_limit`: bytes to which a stack may grow that grows by itself (RLIMIT_STACK)."""
        self._memory = memory
        self._stack_limit = stack_limit
        self._binary = binary
        self._vmas = sorted(mm.vmas, key=lambda vma: vma.start)
        self._ends: list[int] = [vma.end for vma in self._vmas]
        self._exe = mm.exe_file_id

    def read(self, address: int, size: int) -> bytes:
        """Bytes at an address. Raises `TransformError` outside every mapping."""
        end = address + size
        parts = []
        while address < end:
            vma = self.vma(address)
            if vma is None:
                raise TransformError(f"address {address:#x} is not mapped")
            stop = min(end, vma.end)
            if is_executable_mapping(vma, self._exe):  # pages of the file among dumped ones
                stop = min(stop, (address & -PAGE) + PAGE)
                page = self.page(address & -PAGE)
                parts.append(page[address & PAGE - 1 :][: stop - address])
            else:
                parts.append(self._anonymous(address, stop))
            address = stop
        return b"".join(parts)

    def _anonymous(self, address: int, end: int) -> bytes:
        """Memory of a mapping without a file: dumped pages, and zeros."""
        self._refuse_lazy(address, end)
        dumped = list(self._memory.present(address, end))
        if dumped == [(address, end)]:
            return self._memory.read(address, end - address)
        out = bytearray(end - address)
        for start, stop in dumped:
            out[start - address : stop - address] = self._memory.read(start, stop - start)
        return bytes(out)

    def _refuse_lazy(self, start: int, end: int) -> None:
        """Pages that the dump left in the process: nobody here knows what is in them."""
        for lazy, behind in runs.clip(self._memory.lazy, start, end):
            raise AbsentPagesError(
                f"the page at {lazy:#x} is not in the image: it was left in the process",
                path=self._memory.directory.path / self._memory.name,
                pid=int(self._memory.pid),
                start=lazy & -PAGE,
                end=-(-behind // PAGE) * PAGE,
            )

    def page(self, page: int) -> bytes:
        """One page."""
        vma = self.vma(page)
        if vma is None:
            raise TransformError(f"address {page:#x} is not mapped")
        if self._memory.is_present(page):
            return self._memory.read(page, PAGE)
        self._refuse_lazy(page, page + PAGE)
        if is_executable_mapping(vma, self._exe):
            return self._binary.elf.read_page(page) or bytes(PAGE)
        return bytes(PAGE)

    def vma(self, address: int) -> Vma | None:
        """The mapping that holds an address."""
        number = bisect_right(self._ends, address)  # the first that ends above it
        if number < len(self._vmas) and self._vmas[number].start <= address:
            return self._vmas[number]
        return None

    def floor(self, address: int) -> int | None:
        """How far down the mapping of an address reaches, or may grow when it is touched there; None outside all."""
        vma = self.vma(address)
        if vma is None:
            return None
        start: int = vma.start
        if not vma.flags & MAP_GROWSDOWN:
            return start
        number = bisect_right(self._ends, start)
        below = self._ends[number - 1] if number else 0
        return min(start, max(int(vma.end) - self._stack_limit, below + STACK_GUARD_GAP))

    def u64s(self, address: int, count: int) -> list[int]:
        """`count` words."""
        data = self.read(address, 8 * count)
        return [int.from_bytes(data[i : i + 8], "little") for i in range(0, 8 * count, 8)]

    def changed_pages(self, words: Mapping[int, int]) -> dict[int, bytes]:
        """The pages that hold these words, each at a multiple of 8, with new values."""
        pages: dict[int, bytearray] = {}
        for address, value in words.items():
            start = address & -PAGE
            if start not in pages:
                pages[start] = bytearray(self.page(start))
            struct.pack_into("<Q", pages[start], address - start, value)
        return {start: bytes(page) for start, page in pages.items()}


def is_executable_mapping(vma: Vma, exe_file_id: int) -> bool:
    """A private mapping of the executable file itself."""
    return bool(vma.status & VmaStatus.FILE_PRIVATE) and vma.shmid == exe_file_id
