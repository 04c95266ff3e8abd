# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What OpenMP's run time has to do with a node: threads that are blocked in it when the program moves, and processors."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compiling import compiled as compiled_c
from tests.native.nodes import NativeNodes
from tests.native.performing import clearing, context_of, nodes_of, onto_itself
from tests.native.processes import children
from tests.programs.moments import (
    CONSTRUCTS,
    OPENMP,
    SECONDS,
    Subject,
    await_moment,
    compiled,
    ended,
    moved,
    reference,
)
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.controller import looks

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

BARRIER = replace(
    CONSTRUCTS, name="barrier", moments=CONSTRUCTS.moments[:1], env={"OMP_WAIT_POLICY": "passive"}
)
THREADS = 4
"""In its barrier; one of them waits for the move before it goes there."""
PROCESSORS = Subject("processors", [("to fewer", 0)], [OPENMP / "processors.c"])


def states(place: Place) -> list[str]:
    """Of its threads, as the kernel names them."""
    text = place.node.output(["sh", "-c", "cat /proc/$1/task/*/stat", "sh", str(place.job.pid)])
    return [line.rpartition(") ")[2][0] for line in text.splitlines()]


def test_a_pause_while_threads_wait_in_a_barrier(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """They are blocked in it when the image is written, and go on on the other node, by records, when the last one comes."""
    program = compiled(BARRIER, tmp_path)
    env = BARRIER.env | {"MOMENTS": BARRIER.moments[0][0]}
    with clearing(tmp_path / "state", nodes) as plain:
        context = replace(plain, transform=onto_itself)
        job = operations.run(
            context, Program([str(program), *BARRIER.arguments], env=env), "na", name="barrier"
        )
        place = context.places(job)
        await_moment(place, 0, BARRIER.moments[0][0])
        until = time.monotonic() + SECONDS
        while (found := states(place)) != ["S"] * THREADS:
            assert time.monotonic() < until, found
            time.sleep(0.01)
        operations.dump(context, job.name)
        stacks = looks.job(context.store, job.name).data["stacks"]
        waiting = [
            stack
            for stack in stacks
            if stack["frames"][0]["kind"] == "system call"
            and any("__kmp_barrier" in frame["function"] for frame in stack["frames"])
        ]
        assert (len(stacks), len(waiting)) == (THREADS, THREADS - 1), stacks
        operations.transform(context, job.name, nodes["nb"].isa)
        operations.ship(context, job.name, "nb")
        operations.restore(context, job.name, "nb")
        operations.resume(context, job.name)
        run = ended(context, job.name)
    assert run == replace(reference(BARRIER, tmp_path), moved=BARRIER.moments)


@pytest.fixture
def unequal(tmp_path: Path) -> Iterator[dict[str, SshNode]]:
    """Nodes of which the second has one processor."""
    if os.getuid() != 0:
        pytest.skip("namespaces need root")
    if len(processors := os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has one processor")
    with NativeNodes(tmp_path / "nodes") as machines:
        (server,) = children(machines.machines["nb"].process.pid)
        os.sched_setaffinity(server, [min(processors)])
        nodes = nodes_of(machines.configuration)
        yield nodes
        for node in nodes.values():
            node.close()


def test_the_number_of_threads_stays_where_there_are_fewer_processors(
    unequal: dict[str, SshNode], tmp_path: Path
) -> None:
    context = context_of(tmp_path / "state", unequal)
    program = compiled_c(PROCESSORS.sources[0], tmp_path, "-fopenmp")
    run = moved(PROCESSORS, program, context, ["na", "nb"])
    here = len(os.sched_getaffinity(0))
    said = f"{here} threads ({(1 << min(here, 32)) - 1:#x}), at most {here}, {{}} processors\n"
    assert run.stdout == f"first: {said.format(here)}then: {said.format(1)}"
