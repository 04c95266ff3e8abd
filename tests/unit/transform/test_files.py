"""Open files are translated so that they behave as before."""

from __future__ import annotations

import pytest

from transproc.images.proto.files_pb2 import FileEntry, TimerFile
from transproc.isa import AARCH64, X86_64
from transproc.transform.files import convert


def timer(value: tuple[int, int], interval: tuple[int, int]) -> FileEntry:
    file = TimerFile(id=1, flags=2, clockid=1, ticks=1, settime_flags=0)
    file.vsec, file.vnsec = value
    file.isec, file.insec = interval
    return FileEntry(type=17, id=1, tfd=file)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        ((0, 0), (1, 500), (1, 500)),  # it has expired: without a value it would never do so again
        ((0, 7), (1, 500), (0, 7)),
        ((3, 0), (1, 500), (3, 0)),
        ((0, 0), (0, 0), (0, 0)),  # it is off, or was to expire once
    ],
)
def test_a_timer_that_has_expired_unread_goes_on(
    value: tuple[int, int], interval: tuple[int, int], expected: tuple[int, int]
) -> None:
    entry = timer(value, interval)
    convert(entry, X86_64, AARCH64)
    assert (entry.tfd.vsec, entry.tfd.vnsec) == expected
    assert (entry.tfd.isec, entry.tfd.insec, entry.tfd.ticks) == (*interval, 1)
