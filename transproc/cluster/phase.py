# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The steps of a migration, by name."""

from __future__ import annotations

from enum import StrEnum

KIND = "migrate"
"""Of a migration's attempt in the store."""


class Phase(StrEnum):
    """The steps, in order."""

    PREFLIGHT = "preflight"
    PREPARE = "prepare"
    FILES = "files"
    PRECOPY = "precopy"
    PAUSE = "pause"
    DUMP = "dump"
    FETCH = "fetch"
    TRANSFORM = "transform"
    SHIP = "ship"
    RESTORE = "restore"
    VERIFY = "verify"
    COMPARE = "compare"
    COMMIT = "resume"
    PAGES = "pages"
    RETIRE = "retire"
