# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory goes ahead of a program to the other ISA, and back, straight from machine to machine, while the program changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, context_of, expect_right
from tests.native.test_direct import Telling
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.process.criu import Options

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

CHANGING = Path(__file__).parent.parent / "native" / "changing.c"
NAME, MEGABYTES, PERMILLE = "changing", 4, 20


def test_memory_goes_ahead_and_straight(
    guests: dict[str, SshNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transproc.cluster.paging.STRAIGHT", 0)
    events = Telling()
    context = context_of(tmp_path / "state", guests, events)
    begun(context, NAME, [compiled(CHANGING, tmp_path), str(MEGABYTES), str(PERMILLE)], "x86")
    for node, lazy in (("arm", False), ("x86", True)):
        hop = operations.migrate(context, NAME, node, options=Options(precopy=True, lazy=lazy))
        assert events.details["prepare"].endswith("memory goes straight")
        assert hop.bytes_sent > MEGABYTES << 20
    expect_right(context, NAME, "x86")
    operations.discard(context, NAME)
