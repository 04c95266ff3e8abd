# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Timers that have expired, and of which nobody has taken notice yet, go on after a migration."""

from __future__ import annotations

import pytest

from transproc.images.proto.core_pb2 import CoreEntry
from transproc.images.proto.files_pb2 import FileEntry, TimerFile
from transproc.isa import AARCH64, X86_64
from transproc.transform.files import convert
from transproc.transform.timers import keep_process


def timer(value: tuple[int, int], interval: tuple[int, int], ticks: int) -> FileEntry:
    file = TimerFile(id=1, flags=2, clockid=1, ticks=ticks, settime_flags=0)
    file.vsec, file.vnsec = value
    file.isec, file.insec = interval
    return FileEntry(type=17, id=1, tfd=file)


@pytest.mark.parametrize(
    ("value", "interval", "ticks", "expected"),
    [
        ((0, 0), (1, 500), 1, (1, 500)),  # it has expired: without a value it would never do so again
        ((0, 7), (1, 500), 1, (0, 7)),
        ((3, 0), (1, 500), 0, (3, 0)),
        ((0, 0), (0, 0), 1, (0, 0)),  # it was to expire once
        ((0, 0), (1, 500), 0, (0, 0)),  # it is off
    ],
)
def test_a_descriptor(
    value: tuple[int, int], interval: tuple[int, int], ticks: int, expected: tuple[int, int]
) -> None:
    entry = timer(value, interval, ticks)
    convert(entry, X86_64, AARCH64)
    assert (entry.tfd.vsec, entry.tfd.vnsec) == expected
    assert (entry.tfd.isec, entry.tfd.insec, entry.tfd.ticks) == (*interval, ticks)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        ((0, 0), (1, 500), (1, 500)),  # SIGALRM is pending
        ((0, 7), (1, 500), (0, 7)),
        ((0, 0), (0, 0), (0, 0)),
    ],
)
def test_an_alarm(value: tuple[int, int], interval: tuple[int, int], expected: tuple[int, int]) -> None:
    core = CoreEntry()
    real = core.tc.timers.real
    (real.vsec, real.vusec), (real.isec, real.iusec) = value, interval
    keep_process(core)
    assert (real.vsec, real.vusec) == expected
    keep_process(CoreEntry())  # a thread that is not the main one has none
