# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The signal that a thread gets when its parent ends (PR_SET_PDEATHSIG): not for the end of a parent that stays behind.

The first process of a tree was started by a supervisor, and is criu's child when it is restored. criu sets the signal, and
ends: the program would be killed by its move.
"""

from __future__ import annotations

from transproc.images import kinds
from transproc.images.codec import write_image
from transproc.images.directory import ImageDirectory
from transproc.images.proto.core_pb2 import CoreEntry


def outlive(image: ImageDirectory) -> None:
    """Takes the signal from the threads of the first process of a finished image."""
    for tid in image.processes()[0].threads:
        name = f"core-{tid}.img"
        core = image.image(name, kinds.CORE)
        if core.only(CoreEntry).thread_core.pdeath_sig:
            core.only(CoreEntry).thread_core.ClearField("pdeath_sig")
            (image.path / name).unlink()
            write_image(image.path / name, core)
