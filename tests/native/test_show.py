# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `transproc show` says of a stack in C++, as it was dumped, and when its frames are records."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.native.performing import context_of
from tests.unit.toolchain.test_debugger import CXX, built
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.start import Program
from transproc.controller import looks
from transproc.isa import ALL

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME = "shown"


def test_frames_keep_names_lines_and_values(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    program = built(CXX, "-O2", tmp_path)
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(program), "200"]), "na", name=NAME)
    try:
        place = context.places(context.store.load(NAME))
        while not place.read("stdout"):
            time.sleep(0.01)
        operations.dump(context, NAME)
        dumped = looks.job(context.store, NAME).data["stacks"][0]
        other = next(isa for isa in ALL if isa.name != dumped["isa"])
        operations.transform(context, NAME, other.name)
        moved = looks.job(context.store, NAME).data["stacks"][0]
    finally:
        operations.discard(context, NAME)
    assert moved["isa"] == other.name
    told = [[(f["function"], f["line"], f["values"]) for f in one["frames"]] for one in (dumped, moved)]
    assert told[0] == told[1]
    assert {frame["kind"] for frame in moved["frames"]} <= {"record", "system call"}
    innermost = next(i for i, frame in enumerate(told[0]) if frame[0] == "_ZL9innermosti")
    assert [frame[0] for frame in told[0][innermost + 1 : innermost + 5]] == [
        "_ZN5trees4TreeIlE3sumEilR5point"
    ] * 4
    assert all(f"{CXX.name}:" in frame[1] for frame in told[0][innermost : innermost + 5])
    weights = [value["value"] for _, _, values in told[0] for value in values if value["name"] == "weight"]
    assert weights == ["202", "201", "200"]
