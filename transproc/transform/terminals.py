# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The terminal that a tree shares with its supervisor (`runtime/tool/terminal.h`): on the target it is another supervisor's.

The supervisor leads the session, and is not in the image; criu's `--shell-job` puts the tree into the session of the one that
restores it. But of a terminal that is inherited criu wants to know the session's leader (tty_find_restoring_task in criu/tty.c),
and there is none: so it must not see that there is a session.
"""

from __future__ import annotations

from pathlib import Path

from transproc.images import kinds
from transproc.images.codec import write_image
from transproc.images.directory import ImageDirectory
from transproc.images.proto.files_pb2 import TerminalInfo

NAME = "tty-info.img"
EXTERNAL = 5
"""TtyType.EXT_TTY of images/tty.proto."""


def release(directory: ImageDirectory, target: Path) -> None:
    """Writes the image of terminals to `target`, if there are such that are inherited."""
    if not directory.has(NAME):
        return
    image = directory.image(NAME, kinds.TTY_INFO)
    inherited = [entry for entry in image.messages(TerminalInfo) if entry.type == EXTERNAL]
    if inherited:
        for entry in inherited:
            entry.sid = entry.pgrp = 0
        write_image(target / NAME, image)
