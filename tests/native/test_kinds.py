# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that check their state themselves move between two kernels of one ISA: what criu carries over, or the C library."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs.manifest import Program, programs
from tests.programs.moving import OF_THE_LIBRARY, WITHIN_AN_ISA, chosen, compiled, goes_there_and_back
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context, discard
from transproc.cluster.place import Place
from transproc.cluster.start import Program as Start
from transproc.cluster.start import start
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError, NodeError
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

LATEST, FEW = 200, 20
"""Sites between two migrations, at most: some programs have few."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@chosen(OF_THE_LIBRARY | WITHIN_AN_ISA)
def test_a_migrated_run_equals_an_unmigrated_one(
    program: Program, nodes: dict[str, SshNode], built: Path, tmp_path: Path
) -> None:
    latest = LATEST if program.name in OF_THE_LIBRARY else FEW
    goes_there_and_back(program, compiled(program, built), nodes, tmp_path, latest=latest)


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
