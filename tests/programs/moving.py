# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of `programs.toml` move between two nodes, and nothing differs from an unmigrated run: in the lab and on native nodes.

Each is stopped at exact equivalence points, so that short ones can be moved too; the numbers come from a seed that is part of
the test's name. The whole set with ten hops and more seeds: `scripts/rehearse-all`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.programs.manifest import CFLAGS, LIBRARIES, Program, programs
from transproc import log
from transproc.cluster.job import Job
from transproc.cluster.node import Node
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.rehearsal import Plan, Rehearsal
from transproc.cluster.start import Program as Start
from transproc.cluster.store import JobStore
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain
from transproc.transform import pipeline

HOPS = 2
BETWEEN_ISAS = set(
    "vectors locals threads forks signals npb-cg blocked-epoll blocked-futex"
    " kinds-processes kinds-timers kinds-protected kinds-sockets kinds-attributes".split()
)
"""What the transformation changes, or must leave alone."""
OF_KERNELS = set("kinds-protected kinds-sockets kinds-attributes".split())
"""Those among them that the kernel of the machine that tests may not have, or not allow: both machines are guests."""
ALSO_BETWEEN_ISAS = set(
    "recursion vla varargs callbacks statics floats heap files blocked-read blocked-sleep kinds-names".split()
)
"""Whose stacks the stress tests of both ISAs change, whose kinds move within an ISA in every run, or whose way (a blocked call, a
file) another of these programs goes. Nightly."""
WITHIN_AN_ISA = set(
    "shared pipes kinds-descriptors kinds-locks kinds-named kinds-privileged kinds-tuned".split()
)
"""What criu and the kernel of another node must know, and is the same in the images of all ISAs. Between two ISAs: nightly."""
OF_THE_LIBRARY = set(
    "kinds-streams kinds-clocks kinds-family kinds-cputimers kinds-stacks kinds-names".split()
)
"""State that the kernel of another node does not know, and that the C library carries over."""


def chosen(names: set[str], *, nightly: set[str] | None = None) -> Any:
    """The parameter `program`: these, and in nightly tests those as well."""
    marks = {name: [pytest.mark.nightly] for name in nightly or set()}
    marks |= {name: [] for name in names}
    found = [pytest.param(one, id=one.name, marks=marks[one.name]) for one in programs() if one.name in marks]
    assert len(found) == len(marks), "a name that no program has"
    return pytest.mark.parametrize("program", found)


def compiled(program: Program, directory: Path) -> Path:
    """Its binary in a directory; compiled once."""
    binary = directory / program.source.stem
    if not binary.exists():
        words = [*CFLAGS, "-O2", "-g", str(program.source), *LIBRARIES, "-o", str(binary)]
        execute(parse(words), toolchain())
    return binary


def goes_there_and_back(
    program: Program, binary: Path, nodes: Mapping[str, Node], directory: Path, *, latest: int
) -> None:
    """From the first of the nodes to the second. `latest`: sites between two migrations, at most."""
    stdin = None
    if program.stdin:
        stdin = directory / "stdin"
        stdin.write_text(program.stdin)
    start = Start([str(binary), *program.arguments("smoke")], stdin=stdin, env=dict(program.environment))
    chance = random.Random(program.name)
    at = [chance.randint(1, latest) for _ in range(HOPS)]
    if "timed" in program.tags and program.after:
        at = [1] * HOPS  # signal handlers, no place to stop, come faster than an emulated machine counts
    elif program.after:
        at[-1] += 100  # some rounds later

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    context = Context(JobStore(directory / "jobs"), place_of, pipeline.carry, log)
    rehearsal = Rehearsal(context, start, list(nodes), plan=Plan(at=at, after=program.after))
    verdict = rehearsal.run()
    assert verdict.differences == []
    assert rehearsal.moved and rehearsal.moved.exit == "status 0", "a program that checks itself"
    assert not verdict.missed
    there = tuple(nodes)
    assert [(hop.source, hop.target) for hop in verdict.hops] == [there, there[::-1]]
