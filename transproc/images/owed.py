# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pages that stayed in the process when it was dumped, and follow it after its restore (post-copy).

The pause tool leaves a file `owed` beside the images: a line `PID START END` (hexadecimal) for each range of pages that the
dump does not hold. In the pagemaps they become rows that are only lazy, so whoever reads such a page is told. The
target's tool gets such a list as well, of what is still lazy in the transformed image.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from transproc.errors import ImageError
from transproc.images import kinds, runs
from transproc.images.child import pagemap_entry
from transproc.images.codec import Entry, Image, write_image
from transproc.images.directory import ImageDirectory
from transproc.images.files import create, open_regular
from transproc.images.flags import PageFlag
from transproc.images.memory import PAGE_SIZE, Memory
from transproc.images.proto.memory_pb2 import PagemapEntry, PagemapHead
from transproc.images.runs import Ranges

FILE = "owed"
_LINE = re.compile(r"(\d{1,10}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})")
_LARGEST = 64 << 20
"""Bytes of a list: of some million ranges."""
_MOST_PAGES = 1 << 30


def mark(directory: ImageDirectory) -> int:
    """Notes in the pagemaps what the list beside them says; returns its bytes, 0 if there is none.

    Raises `ImageError` for a list that is none, or contradicts the pagemaps.
    """
    listed = _read(directory.path / FILE)
    known = {process.pid for process in directory.processes()}
    for pid, ranges in listed.items():
        if pid not in known:
            raise ImageError(f"owes pages to process {pid}, which is not in it", path=directory.path / FILE)
        memory = Memory(directory, pid)
        if len(runs.intersect(memory.present(), ranges)[0]):
            raise ImageError(f"process {pid} has pages and owes them as well", path=directory.path / FILE)
        _rewrite(memory, {}, ranges)
    return sum(ranges.size for ranges in listed.values())


def fill(directory: ImageDirectory, pid: int, pages: Mapping[int, bytes]) -> None:
    """Adds pages that were lazy (address → bytes of one or more pages): from then on the image has them."""
    memory = Memory(directory, pid)
    added = runs.from_pairs((address, address + len(data)) for address, data in pages.items())
    _rewrite(memory, pages, runs.subtract(memory.lazy, added))


def still_lazy(directory: ImageDirectory) -> tuple[str, int]:
    """What an image does not hold, as a list for the pause tool, and its bytes."""
    lines, size = [], 0
    for process in directory.processes():
        if directory.has(f"pagemap-{process.pid}.img"):
            lazy = Memory(directory, process.pid).lazy
            lines += [f"{process.pid} {start:#x} {end:#x}\n" for start, end in runs.merge(lazy)]
            size += lazy.size
    return "".join(lines), size


def _read(path: Path) -> dict[int, Ranges]:
    if not path.exists():
        return {}
    with open_regular(path) as file:
        text = file.read(_LARGEST + 1).decode("ascii", "replace")
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for line in text.splitlines():
        words = _LINE.fullmatch(line)
        if words is None or len(text) > _LARGEST:
            raise ImageError(f"has the line {line[:80]!r}", path=path)
        start, end = int(words[2], 16), int(words[3], 16)
        if start >= end or (start | end) % PAGE_SIZE:
            raise ImageError(f"has the line {line!r}, which is no range of pages", path=path)
        found[int(words[1])].append((start, end))
    return {pid: runs.from_pairs(ranges) for pid, ranges in found.items()}


def _rewrite(memory: Memory, more: Mapping[int, bytes], lazy: Ranges) -> None:
    """Writes a memory that has no parent anew, with `more` pages, and with `lazy` ones that are absent."""
    directory = memory.directory
    head = directory.image(memory.name, kinds.PAGEMAP).messages(PagemapHead)[0]
    rows = [(start, end, PageFlag.PRESENT) for start, end in memory.present()]
    if more:
        parts = {start: memory.read(start, end - start) for start, end, _ in rows} | dict(more)
        rows = [(start, start + len(data), PageFlag.PRESENT) for start, data in parts.items()]
        pages = directory.path / f"pages-{head.pages_id}.img"
        with create(_draft(pages)) as file:
            file.writelines(parts[start] for start in sorted(parts))
        _draft(pages).replace(pages)
    rows += [(start, end, PageFlag.LAZY) for start, end in lazy]
    entries: list[PagemapEntry] = []
    for start, end, flag in sorted(rows):
        for first in range(start, end, _MOST_PAGES * PAGE_SIZE):
            count = min(end - first, _MOST_PAGES * PAGE_SIZE) // PAGE_SIZE
            entries.append(pagemap_entry(first, count, flag, wide=memory.wide_counts))
    pagemap = directory.path / memory.name
    write_image(_draft(pagemap), Image(kinds.PAGEMAP, [Entry(head), *map(Entry, entries)]))
    _draft(pagemap).replace(pagemap)


def _draft(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")
