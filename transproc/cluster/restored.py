# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job is restored from images that are on its node, and looked at before it goes on."""

from __future__ import annotations

import time

from transproc.cluster.place import Place
from transproc.errors import TransprocError
from transproc.process.answers import ThreadState
from transproc.process.criu import Options
from transproc.text import plural

SETTLE_SECONDS = 2.0
"""From the end of a restore until each thread has stopped."""


def restore(place: Place, options: Options) -> str:
    """Restores a job from the images in its place, stopped; raises `TransprocError` unless it has the id that it had."""
    job, found = place.job, place.criu_restore(options)
    if found.pid != job.pid:
        raise TransprocError(f"job {job.name}: was restored as process {found.pid}, expected {job.pid}")
    lost = f", {found.unnamed} files with other inode numbers" if found.unnamed else ""
    lost += f", {plural(found.lost, 'option')} of sockets that are not there" if found.lost else ""
    return f"pid {found.pid}{lost}"


def verify(place: Place) -> str:
    """Raises `TransprocError` unless a restored job is there, with every thread stopped.

    criu lets go of threads whose SIGSTOP is still pending: on a busy node some take a moment to stop.
    """
    job, until = place.job, time.monotonic() + SETTLE_SECONDS
    threads = [thread for process in place.restored for thread in process.threads] or _threads(place)
    while any(thread.state != "T" for thread in threads) and time.monotonic() < until:
        time.sleep(0.02)
        threads = _threads(place)
    if not threads:
        status = place.exit_status()
        why = f" ({status})" if status else ""
        raise TransprocError(f"job {job.name}: the restored process is gone{why}, expected stopped")
    for thread in threads:
        if thread.state != "T":
            raise TransprocError(
                f"job {job.name}: the restored thread {thread.tid} is in state {thread.state}, expected T"
            )
    return f"{plural(len(threads), 'thread')} stopped"


def _threads(place: Place) -> list[ThreadState]:
    return [thread for process in place.tool.status(place.job.pid) for thread in process.threads]
