# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How many pages a run of a pagemap has: CRIU from 4.2 on says it in a field that 4.1 does not know.

What both understand has it in both. An image may be restored by another CRIU than that which has written it: on another node, or,
of a checkpoint, years later.
"""

from __future__ import annotations

from pathlib import Path

from transproc.images import kinds
from transproc.images.codec import read_image, write_image
from transproc.images.proto.memory_pb2 import PagemapEntry

_MOST = (1 << 31) - 1
"""CRIU 4.1 computes with a C int: a longer run it cannot read in any case."""


def say_twice(directory: Path) -> list[str]:
    """Adds the older field where only the newer one is; returns the names of the images that were written anew."""
    changed = []
    for path in sorted(directory.iterdir()):
        if kinds.by_file_name(path.name) is not kinds.PAGEMAP:
            continue
        image = read_image(path, kinds.PAGEMAP)
        entries = image.messages(PagemapEntry)
        lacking = [entry for entry in entries if not entry.compat_nr_pages and 0 < entry.nr_pages <= _MOST]
        if not lacking:
            continue
        for entry in lacking:
            entry.compat_nr_pages = entry.nr_pages
        write_image(path, image)
        changed.append(path.name)
    return changed
