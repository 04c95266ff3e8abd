# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Device and inode numbers stay what they were, also for a program that moves while it asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, context_of
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.watch import wait

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

HOPS = ("nb", "na") * 3


def test_numbers_stay_while_they_are_asked_for(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """It stands between the file's numbers and its attribute in some of these moves, as a rule."""
    program = compiled(Path(__file__).with_name("looking.c"), tmp_path)
    context = context_of(tmp_path / "state", nodes)
    place = begun(context, "job", [program])
    try:
        for node in HOPS:
            operations.migrate(context, "job", node)
        place.node.put_bytes(b"", f"{place.data}/work/stop")
        job = wait(context.store, "job", context.places, 60)
        assert job.exit == "status 0", context.places(job).read("stderr").decode()
    finally:
        operations.discard(context, "job")
