# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What guards a program while it is dumped is not in its image."""

from __future__ import annotations

import re

import pytest

from transproc.images.proto.core_pb2 import CoreEntry
from transproc.paths import SOURCE
from transproc.transform.guards import GUARDS, lift


@pytest.mark.parametrize(("handler", "expected"), [(0x7470, 0), (0x7471, 1), (0x401000, 0x401000)])
def test_its_handler_goes(handler: int, expected: int) -> None:
    core = CoreEntry()
    core.tc.sigactions.add(sigaction=0x400500, flags=4, restorer=5, mask=6)
    core.tc.sigactions.add(sigaction=handler, flags=4, restorer=5, mask=6)
    lift(core)
    other, guard = core.tc.sigactions
    assert (other.sigaction, other.flags, other.restorer, other.mask) == (0x400500, 4, 5, 6)
    assert guard.sigaction == expected
    assert (guard.flags, guard.restorer, guard.mask) == ((4, 5, 6) if handler == expected else (0, 0, 0))
    lift(CoreEntry())  # a thread that is not the main one has none


def test_the_pause_tool_sets_the_same() -> None:
    words = re.findall(r"GUARD\w* = (0x\w+)", (SOURCE / "runtime/tool/guard.h").read_text())
    assert {int(word, 16) for word in words} == set(GUARDS)
