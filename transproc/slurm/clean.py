# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What killed jobs have left is removed: from a node, and from the state directory. For root: Slurm's Epilog, and cron."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from transproc.cluster.node import DATA
from transproc.errors import TransprocError
from transproc.slurm.configuration import Configuration
from transproc.slurm.helper import KEY, Helper
from transproc.slurm.owner import owner


def clean(configuration: Configuration, number: str) -> None:
    """Removes from this node what is left of a job of Slurm that was killed; its checkpoints stay. For root."""
    _expect_root()
    if not KEY.fullmatch(number):
        raise TransprocError(f"job {number!r}: not a job's number")
    names = {
        path.name for place in ("slurm", "jobs") for path in Path(DATA / place).glob(f"slurm-{number}-*")
    }
    for name in sorted(names):
        remainder = Helper(configuration, owner())
        remainder.take(number, name)
        remainder.close()


def clean_state(configuration: Configuration, known: Sequence[int]) -> list[str]:
    """Removes the checkpoints of jobs that Slurm does not know any more; returns their numbers. For root."""
    _expect_root()
    places = [path for path in sorted(configuration.state.glob("*/*")) if KEY.fullmatch(path.name)]
    gone = [path for path in places if path.parent.name.isdigit() and int(path.name) not in known]
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in gone]


def _expect_root() -> None:
    if os.geteuid() != 0:
        raise TransprocError("'transproc slurm clean' must be root: it is for Slurm's Epilog, and for cron")
