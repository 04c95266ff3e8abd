# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writing memory into a new image directory that refers to the original one.

Unchanged pages become *in the parent*, so nothing of a process's memory is copied: the work is proportional
to the changed pages and to the number of runs. The original directory is not touched.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from transproc.errors import ImageError
from transproc.images import kinds, runs
from transproc.images.codec import Entry, Image, write_image
from transproc.images.directory import PARENT_LINK, ImageDirectory
from transproc.images.files import create, open_regular
from transproc.images.flags import PageFlag
from transproc.images.memory import PAGE_SIZE, Memory
from transproc.images.proto.memory_pb2 import PagemapEntry, PagemapHead

_MOST_PAGES = (1 << 31) - 1
"""In one entry: CRIU 4.1 computes with a C int."""


class ChildWriter:
    """Writes the memories of one new directory, whose link `parent` leads to `original`.

    CRIU follows the link from the directory where it is, so both directories have to be moved together.
    """

    def __init__(self, path: Path, original: ImageDirectory) -> None:
        """Creates `path` if needed, and the link in it; `ImageError` if it has another parent."""
        self.path = path
        self._original = original
        self._next_id = 1
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._link(path / PARENT_LINK, original.path)

    def add(
        self,
        memory: Memory,
        pages: Mapping[int, bytes],
        dropped: Iterable[tuple[int, int]] = (),
    ) -> None:
        """Writes one memory of the original: the same, but for changed or new `pages` (address → bytes of one or more pages).

        Ranges `[start, end)` in `dropped` vanish, except where `pages` has a page of its own. Pages that are
        in no image (`Memory.lazy`) stay so.
        """
        if memory.directory.path.resolve() != self._original.path.resolve():
            raise ImageError("the memory is of another directory", path=memory.directory.path)
        addresses = sorted(pages)
        self._check(pages)
        fresh = runs.merge(
            runs.from_pairs([(address, address + len(pages[address])) for address in addresses])
        )
        holes = runs.union(fresh, runs.from_pairs(dropped))
        parts = [
            (PageFlag.PARENT, runs.subtract(memory.present(), holes)),
            (PageFlag.LAZY, runs.subtract(memory.lazy, holes)),
            (PageFlag.PRESENT, fresh),
        ]
        rows = sorted((start, end, flag) for flag, ranges in parts for start, end in ranges)
        self._write_pagemap(memory, rows)
        with create(self.path / f"pages-{self._next_id}.img") as file:
            file.writelines(pages[address] for address in addresses)
        self._next_id += 1

    def write(self, name: str, image: Image) -> None:
        """Writes an image other than a memory."""
        write_image(self.path / name, image)

    def finish(self) -> None:
        """Carries over all that was not written: shared memory by reference, other images as copies.

        Statistics and logs of the dump stay behind. `ImageError` for what is no regular file.
        """
        for name in self._original.names():
            kind = kinds.by_file_name(name)
            if (self.path / name).exists() or name.startswith("pages-") or name.endswith(".log"):
                continue
            if kind is kinds.PAGEMAP:
                self.add(Memory(self._original, name.removeprefix("pagemap-").removesuffix(".img")), {})
            elif kind is None or not kind.service:
                self._copy(name)

    def _copy(self, name: str) -> None:
        with open_regular(self._original.path / name) as source, create(self.path / name) as target:
            shutil.copyfileobj(source, target)

    def _write_pagemap(self, memory: Memory, rows: list[tuple[int, int, PageFlag]]) -> None:
        image = Image(kinds.PAGEMAP, [Entry(PagemapHead(pages_id=self._next_id))])
        for start, end, flag in rows:
            for first in range(start, end, _MOST_PAGES * PAGE_SIZE):
                count = min(end - first, _MOST_PAGES * PAGE_SIZE) // PAGE_SIZE
                image.entries.append(Entry(pagemap_entry(first, count, flag, wide=memory.wide_counts)))
        write_image(self.path / memory.name, image)

    def _check(self, pages: Mapping[int, bytes]) -> None:
        free = 0
        for address, data in sorted(pages.items()):
            if address < free:
                raise ImageError(f"page {address:#x} is given twice", path=self.path)
            free = address + len(data)
            if address % PAGE_SIZE or len(data) % PAGE_SIZE or not data:
                raise ImageError(
                    f"page {address:#x} with {len(data)} bytes: expected whole pages", path=self.path
                )

    @staticmethod
    def _link(link: Path, target: Path) -> None:
        if link.is_symlink():
            if link.resolve() != target.resolve():
                raise ImageError(f"the parent is {link.resolve()}, expected {target.resolve()}", path=link)
            return
        # Relative, and between real paths: a link is followed from where its directory really is.
        link.symlink_to(os.path.relpath(target.resolve(), link.parent.resolve()))


def pagemap_entry(address: int, pages: int, flag: PageFlag, *, wide: bool) -> PagemapEntry:
    """A run of pages."""
    entry = PagemapEntry(vaddr=address, compat_nr_pages=pages, flags=flag)
    if flag is PageFlag.PARENT:
        entry.in_parent = True
    if wide:
        entry.nr_pages = pages
    return entry
