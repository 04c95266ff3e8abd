# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which job of Slurm this is, and when it is to leave."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from transproc.cluster.job import name_after
from transproc.errors import TransprocError
from transproc.slurm import commands
from transproc.slurm.helped import Sent


@dataclass(frozen=True)
class Terms:
    """When a job leaves; times in seconds. `warning`: the signal that sbatch --signal names; `before`: so long before the time
    limit (at most a quarter of it); `poll`: so often the controller is asked; `every`: so often there is a checkpoint in between.
    """

    warning: signal.Signals = signal.SIGUSR1
    before: float = 60.0
    poll: float = 15.0
    every: float | None = None


@dataclass(frozen=True)
class Identity:
    """Which job this is, as Slurm tells it in the environment."""

    number: int
    label: str
    """By what commands know it: the number of an array's first task means all of the array."""
    restarts: int
    node: str
    shell: int = 0
    """The process of the script, if that is not ours: signals come there."""
    step: bool = False
    """It is one that `srun` has started: signals come to us."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Identity:
        """Raises `TransprocError` outside of a job, and for what cannot be moved as one."""
        number = environment.get("SLURM_JOB_ID", "")
        if not number.isdigit():
            raise TransprocError(
                "this is no job of Slurm", hint="it belongs into the script that sbatch is given"
            )
        if environment.get("SLURM_HET_SIZE", "1") != "1":
            raise TransprocError(
                f"job {number}: is a part of a heterogeneous one, which are requeued as a whole",
                hint="one program moves at a time: a job of its own for each",
            )
        if environment.get("SLURM_STEP_NUM_TASKS", "1") != "1":
            raise TransprocError(
                f"job {number}: this step has {environment['SLURM_STEP_NUM_TASKS']} tasks, expected 1",
                hint="one program moves at a time: srun --ntasks=1, or a job array",
            )
        restarts = environment.get("SLURM_RESTART_COUNT", "0")
        first = environment.get("SLURM_TASK_PID", "")
        array, task = environment.get("SLURM_ARRAY_JOB_ID", ""), environment.get("SLURM_ARRAY_TASK_ID", "")
        label = f"{array}_{task}"
        return cls(
            int(number),
            label if commands.LABEL.fullmatch(label) else number,
            int(restarts) if restarts.isdigit() else 0,
            environment.get("SLURMD_NODENAME", ""),
            int(first) if first.isdigit() and int(first) != os.getpid() else 0,
            environment.get("SLURM_STEP_NODELIST", "") != "",
        )


def name_of(sent: Sent, name: str | None) -> str:
    """What the program is called among those of the job: by default after what it is started with, so that no two mix."""
    if name is not None:
        return name
    digest = hashlib.sha256("\0".join(sent.argv).encode(errors="surrogateescape")).hexdigest()
    return f"{name_after(Path(sent.argv[0]).name)[:12]}-{digest[:8]}"
