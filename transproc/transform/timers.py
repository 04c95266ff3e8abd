# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Timers that would be off after a restore, because they had expired and nobody had taken notice yet.

The kernel shows no time left for a periodic timer in that state, and starts it again when its signal is taken or its descriptor
read. CRIU makes of that a timer that is off for good. Here they get a whole interval.
"""

from __future__ import annotations

from transproc.images.proto.core_pb2 import CoreEntry
from transproc.images.proto.files_pb2 import FileEntry


def keep_file(entry: FileEntry) -> None:
    """A timerfd that was not read (fs/timerfd.c). One that is off may have an interval too, but has no ticks."""
    timer = entry.tfd
    if entry.HasField("tfd") and timer.ticks and not (timer.vsec or timer.vnsec):
        timer.vsec, timer.vnsec = timer.isec, timer.insec


def keep_process(core: CoreEntry) -> None:
    """ITIMER_REAL, while SIGALRM is pending (kernel/signal.c, dequeue_signal). One that is off has no interval."""
    if core.HasField("tc") and core.tc.HasField("timers"):
        timer = core.tc.timers.real
        if not (timer.vsec or timer.vusec):
            timer.vsec, timer.vusec = timer.isec, timer.iusec
