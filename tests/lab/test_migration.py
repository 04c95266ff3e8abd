# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Real programs migrate between real kernels of both ISAs, and nothing differs from an unmigrated run.

Each program is stopped at exact equivalence points, so that short ones can be moved too; the numbers come from a seed
that is part of the test's name. The whole set with ten hops and more seeds: `scripts/rehearse-all`.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.programs.manifest import CFLAGS, LIBRARIES, Program, programs
from transproc import log
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.rehearsal import Plan, Rehearsal
from transproc.cluster.start import Program as Start
from transproc.cluster.store import JobStore
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain
from transproc.transform import pipeline

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

HOPS = 2
LATEST = 20
"""Sites between two migrations, at most: even the smallest program has more than HOPS * LATEST."""
CHOSEN = set(
    "recursion vectors locals vla varargs callbacks statics floats heap threads forks shared files pipes signals npb-cg "
    "blocked-read blocked-epoll blocked-futex blocked-sleep kinds-descriptors kinds-names "
    "kinds-sockets kinds-processes kinds-attributes kinds-timers kinds-locks kinds-privileged kinds-protected".split()
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def compiled(program: Program, directory: Path) -> Path:
    binary = directory / program.source.stem
    if not binary.exists():
        words = [*CFLAGS, "-O2", "-g", str(program.source), *LIBRARIES, "-o", str(binary)]
        execute(parse(words), toolchain())
    return binary


@pytest.mark.parametrize(
    "program", [p for p in programs() if p.name in CHOSEN], ids=lambda program: program.name
)
def test_a_migrated_run_equals_an_unmigrated_one(
    program: Program, nodes: dict[str, SshNode], built: Path, tmp_path: Path
) -> None:
    stdin = None
    if program.stdin:
        stdin = tmp_path / "stdin"
        stdin.write_text(program.stdin)
    start = Start(
        [str(compiled(program, built)), *program.arguments("smoke")],
        stdin=stdin,
        env=dict(program.environment),
    )
    chance = random.Random(program.name)
    at = [chance.randint(1, LATEST) for _ in range(HOPS)]
    if "timed" in program.tags and program.after:
        at = [1] * HOPS  # signal handlers, no place to stop, come faster than an emulated machine counts
    elif program.after:
        at[-1] += 100  # some rounds later

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    rehearsal = Rehearsal(
        Context(JobStore(tmp_path / "jobs"), place_of, pipeline.carry, log),
        start,
        ["x86", "arm"],
        plan=Plan(at=at, after=program.after),
    )
    verdict = rehearsal.run()
    assert verdict.differences == []
    assert rehearsal.moved and rehearsal.moved.exit == "status 0", "a program that checks itself"
    assert not verdict.missed
    assert [(hop.source, hop.target) for hop in verdict.hops] == [("x86", "arm"), ("arm", "x86")]
