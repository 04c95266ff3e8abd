# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be done with jobs, each use case once: with its lock, its roll-back, and what it says of the process afterwards.

The command line and whatever else manages jobs are thin callers. Nothing here prints, exits, or asks its process for anything:
what an operation needs comes with a `Context`.
"""

from transproc.cluster.operations.checkpoint import checkpoint, checkpoint_every
from transproc.cluster.operations.choose import Choice, choose
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.end import discard, kill
from transproc.cluster.operations.forecast import Forecast, forecast
from transproc.cluster.operations.move import dump, look, migrate, pause, restore, resume, ship, transform
from transproc.cluster.operations.recover import recover, sweep
from transproc.cluster.operations.restart import restart
from transproc.cluster.operations.start import run

__all__ = [
    "Choice",
    "Context",
    "Forecast",
    "checkpoint",
    "checkpoint_every",
    "choose",
    "discard",
    "dump",
    "forecast",
    "kill",
    "look",
    "migrate",
    "pause",
    "recover",
    "restart",
    "restore",
    "resume",
    "run",
    "ship",
    "sweep",
    "transform",
]
