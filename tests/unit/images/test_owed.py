# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages that stayed in the process: noted, filled in, listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.writers.images import PAGE, PRESENT, pagemap
from transproc.errors import ImageError
from transproc.images import owed
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory


@pytest.fixture
def dump(counter: ImageDirectory, tmp_path: Path) -> ImageDirectory:
    """A real dump, whose process has pages 16, 17 and 30, and owes 20 to 23."""
    for name in counter.names():
        (tmp_path / name).write_bytes((counter.path / name).read_bytes())
    pid = counter.processes()[0].pid
    pages = b"".join(bytes([value]) * PAGE for value in (1, 2, 3))
    pagemap(tmp_path, [(16 * PAGE, 2, PRESENT), (30 * PAGE, 1, PRESENT)], pages, pid=pid)
    (tmp_path / owed.FILE).write_text(f"{pid} {20 * PAGE:#x} {24 * PAGE:#x}\n")
    return ImageDirectory(tmp_path)


def test_marked_pages_are_lazy_and_the_others_stay(dump: ImageDirectory) -> None:
    pid = dump.processes()[0].pid
    assert owed.mark(dump) == 4 * PAGE
    memory = Memory(dump, pid)
    assert list(memory.lazy) == [(20 * PAGE, 24 * PAGE)]
    assert [memory.read(number * PAGE, 1) for number in (16, 17, 30)] == [b"\1", b"\2", b"\3"]
    with pytest.raises(ImageError, match="no page"):
        memory.read(21 * PAGE, 1)


def test_filled_pages_are_there(dump: ImageDirectory) -> None:
    pid = dump.processes()[0].pid
    owed.mark(dump)
    owed.fill(dump, pid, {21 * PAGE: b"\7" * 2 * PAGE})
    memory = Memory(dump, pid)
    assert memory.read(17 * PAGE, PAGE) == b"\2" * PAGE
    assert memory.read(21 * PAGE, 2 * PAGE) == b"\7" * 2 * PAGE
    assert memory.read(30 * PAGE, PAGE) == b"\3" * PAGE
    assert list(memory.lazy) == [(20 * PAGE, 21 * PAGE), (23 * PAGE, 24 * PAGE)]
    lines = f"{pid} {20 * PAGE:#x} {21 * PAGE:#x}\n{pid} {23 * PAGE:#x} {24 * PAGE:#x}\n"
    assert owed.still_lazy(dump) == (lines, 2 * PAGE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{pid} 0x14000", "has the line"),
        ("{pid} 0x14001 0x15000", "no range of pages"),
        ("{pid} 0x15000 0x14000", "no range of pages"),
        ("1 0x14000 0x15000", "which is not in it"),
        ("{pid} 0x10000 0x11000", "owes them as well"),
        ("{pid} 0x14000 0x15000\0", "has the line"),
    ],
)
def test_a_list_that_makes_no_sense(dump: ImageDirectory, text: str, message: str) -> None:
    (dump.path / owed.FILE).write_text(text.format(pid=dump.processes()[0].pid) + "\n")
    with pytest.raises(ImageError, match=message):
        owed.mark(dump)
