# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""State that the kernel of another node does not know, and that the C library carries over: programs that check it themselves."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.programs.manifest import CFLAGS, LIBRARIES, Program, programs
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.rehearsal import Plan, Rehearsal
from transproc.cluster.start import Program as Start
from transproc.cluster.start import start
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError, NodeError
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

HOPS = 2
LATEST = 200
"""Sites between two migrations, at most."""
KINDS = set("kinds-streams kinds-clocks kinds-family kinds-cputimers kinds-stacks kinds-names".split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


def compiled(program: Program, directory: Path) -> Path:
    binary = directory / program.source.stem
    if not binary.exists():
        execute(parse([*CFLAGS, "-O2", str(program.source), *LIBRARIES, "-o", str(binary)]), toolchain())
    return binary


@pytest.mark.parametrize(
    "program", [p for p in programs() if p.name in KINDS], ids=lambda program: program.name
)
def test_a_migrated_run_equals_an_unmigrated_one(
    program: Program, nodes: dict[str, SshNode], built: Path, tmp_path: Path
) -> None:
    binary = compiled(program, built)
    chance = random.Random(program.name)

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    verdict = Rehearsal(
        Context(JobStore(tmp_path / "jobs"), place_of, pipeline.carry, Silent()),
        Start([str(binary), *program.arguments("smoke")]),
        ["na", "nb"],
        plan=Plan(at=[chance.randint(1, LATEST) for _ in range(HOPS)], after=program.after),
    ).run()
    assert verdict.differences == []
    assert not verdict.missed and len(verdict.hops) == HOPS


def test_a_file_with_another_name_leaves_nothing_behind_where_the_program_goes_on(
    nodes: dict[str, SshNode], built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """criu gives the file a name when it dumps, which must go when the migration fails afterwards."""
    store = JobStore(tmp_path / "jobs")
    (program,) = [p for p in programs() if p.name == "kinds-names"]
    arguments = [str(compiled(program, built)), "linked", "100000", "100"]
    job = Job("linked", "na", arguments)

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    def names() -> list[str]:
        words = ["find", f"{place_of(job).data}/work", "-name", "link_remap*"]
        return nodes["na"].run(words).stdout.decode().split()

    def fail(*_: object, **__: object) -> None:
        assert names(), "otherwise this tests nothing"
        raise NodeError("nb", "was lost")

    start(store, place_of(job), Start(arguments))
    try:
        while not nodes["na"].run(["find", f"{place_of(job).data}/work/kinds.second"], check=False).stdout:
            pass
        monkeypatch.setattr(Place, "criu_restore", fail)
        with pytest.raises(MigrationError, match="runs on na again"):
            Migration(store, job, place_of(job), place_of(job, "nb"), transform=pipeline.carry).run()
        assert names() == []
    finally:
        discard(Context(store, place_of, pipeline.carry, Silent()), job.name)
