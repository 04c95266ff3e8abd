# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program has ended, or has left: its files are kept, and what follows in the script does not run before its time."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from transproc.errors import TransprocError
from transproc.slurm.identity import Identity

END_SECONDS = 60.0


def keep_results(work: Path, results: Path, say: Callable[[str], None]) -> None:
    """Copies what the program has left in its working directory to a directory of the user's, made if there is anything."""
    try:
        if any(work.iterdir()):
            shutil.copytree(work, results, symlinks=True, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise TransprocError(
            f"{results}: the program's files cannot be kept there: {error}",
            hint="they are still in " + str(work),
        ) from error


def await_end(job: Identity, *, told: bool) -> None:
    """The job has left: what follows in its script is not for now. `told`: Slurm has begun to end it, and its script as well.

    Whatever is left of a job keeps it from starting again, for `KillWait` at most.
    """
    if job.shell and not job.step:
        with contextlib.suppress(ProcessLookupError):
            ended = os.pidfd_open(job.shell)
            os.kill(job.shell, signal.SIGTERM)
            select.select([ended], [], [], END_SECONDS)
            os.close(ended)
    elif job.step and not told:
        time.sleep(END_SECONDS)  # until Slurm ends us
