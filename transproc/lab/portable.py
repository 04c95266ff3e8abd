# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The lab's criu, for nodes of other systems: with its dynamic loader and its libraries it needs nothing of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from transproc import paths
from transproc.errors import LabError
from transproc.lab import closure, rootfs
from transproc.lab.qemu import GUESTS


def portable_criu(isa: str) -> tuple[Path, str]:
    """A directory with the lab's criu for an ISA, its dynamic loader `ld.so` and its libraries in `lib/`: it runs on any Linux.

    And what names its contents. Raises LabError if the lab has no machine of this ISA.
    """
    guest = next((guest for guest in GUESTS if guest.isa == isa), None)
    if guest is None:
        raise LabError(f"the lab has no criu for {isa}")
    root = rootfs.image(guest).root
    place = root.with_name("criu")
    with rootfs.lock(root.with_name("criu.lock")):
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
                draft = Path(temporary) / "criu"
                (draft / "lib").mkdir(parents=True)
                program = root / "usr/sbin/criu"
                shutil.copy2(program, draft / "criu")
                shutil.copy2(root / guest.loader, draft / "ld.so")
                for library in closure.libraries(root, [program], root / guest.loader):
                    shutil.copy2(library, draft / "lib" / library.name)
                draft.rename(place)
    return place, paths.digest([place])
