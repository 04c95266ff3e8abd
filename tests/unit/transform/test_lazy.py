# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages that a dump has left in the process are errors where they are read, never zeros."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tests.writers import images
from tests.writers.images import LAZY, PAGE, PRESENT
from transproc.binary.pair import Binary
from transproc.errors import ImageError
from transproc.images.directory import ImageDirectory
from transproc.images.flags import VmaStatus
from transproc.images.memory import Memory
from transproc.images.proto.memory_pb2 import MemoryMap, Vma
from transproc.transform.process_memory import ProcessMemory

EXE = 7


@pytest.fixture
def memory(tmp_path: Path) -> ProcessMemory:
    """Anonymous memory from page 16 on (present, lazy, absent), and the executable's first page, lazy."""
    images.inventory(tmp_path)
    images.pagemap(
        tmp_path, [(8 * PAGE, 1, LAZY), (16 * PAGE, 1, PRESENT), (17 * PAGE, 1, LAZY)], b"x" * PAGE
    )
    plain = {"pgoff": 0, "prot": 3, "flags": 0x22, "fd": -1}
    vmas = [
        Vma(start=8 * PAGE, end=9 * PAGE, shmid=EXE, status=VmaStatus.FILE_PRIVATE, **plain),
        Vma(start=16 * PAGE, end=19 * PAGE, shmid=0, status=VmaStatus.ANON_PRIVATE, **plain),
    ]
    mm = MemoryMap(vmas=vmas, exe_file_id=EXE)
    return ProcessMemory(Memory(ImageDirectory(tmp_path), 1), mm, cast(Binary, None))


def test_what_is_there_is_read(memory: ProcessMemory) -> None:
    assert memory.read(16 * PAGE, PAGE) == memory.page(16 * PAGE) == b"x" * PAGE
    assert memory.read(18 * PAGE, 8) == bytes(8)


@pytest.mark.parametrize(
    ("start", "size"), [(17 * PAGE, 8), (17 * PAGE - 8, 16), (16 * PAGE, 3 * PAGE), (8 * PAGE, 8)]
)
def test_what_was_left_behind_is_an_error(memory: ProcessMemory, start: int, size: int) -> None:
    with pytest.raises(ImageError, match="left in the process"):
        memory.read(start, size)
    with pytest.raises(ImageError, match="left in the process"):
        memory.page((start + size - 1 & -PAGE) if start != 16 * PAGE else 17 * PAGE)
