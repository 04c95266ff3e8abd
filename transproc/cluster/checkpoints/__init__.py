# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints as directories: what is in one (`manifest.py`), and how it is written, found and read (`directory.py`).

    DIR/NAME-20261128T141502Z-1/
        manifest.json     what it is: see `Manifest`
        SHA256SUMS        of all other files, as `sha256sum -c` reads it
        pair/             PROG.x86_64, PROG.aarch64
        images/           what criu and the pause tool wrote
        files.tar         the job's `data/` (see `place.py`), as the node's tar wrote it

SHA-256, because it is the fastest hash of Python's library that is in every system's tools as well (1.8 GB/s with the processors'
instructions for it, BLAKE2b 0.5 GB/s). Docs: docs/checkpoints.md.
"""

from transproc.cluster.checkpoints.directory import (
    Checkpoint,
    Draft,
    all_in,
    discard,
    discard_drafts,
    latest,
    listed,
    next_path,
    prune,
    read,
    remove,
    verify,
)
from transproc.cluster.checkpoints.manifest import Manifest

__all__ = [
    "Checkpoint",
    "Draft",
    "Manifest",
    "all_in",
    "discard",
    "discard_drafts",
    "latest",
    "listed",
    "next_path",
    "prune",
    "read",
    "remove",
    "verify",
]
