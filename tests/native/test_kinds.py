# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that check their state themselves move between two kernels of one ISA: what criu carries over, or the C library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.manifest import Program, programs
from tests.programs.moving import OF_THE_LIBRARY, WITHIN_AN_ISA, chosen, compiled, goes_there_and_back
from transproc.cluster import operations
from transproc.cluster.events import Silent
from transproc.cluster.job import Job, State
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program as Start
from transproc.cluster.start import start
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError, NodeError, UnsupportedError
from transproc.process.criu import Options
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


class Linked:
    """A program that has files open of which one of several names was removed."""

    def __init__(self, nodes: dict[str, SshNode], built: Path, directory: Path) -> None:
        self.nodes = nodes
        (program,) = [p for p in programs() if p.name == "kinds-names"]
        self.context = Context(JobStore(directory / "jobs"), self.place_of, pipeline.carry, Silent())
        arguments = [str(compiled(program, built)), "linked", "100000", "100"]
        self.job = Job("linked", "na", arguments)
        start(self.context.store, self.place_of(self.job), Start(arguments))
        while (
            not nodes["na"]
            .run(["find", f"{self.place_of(self.job).data}/work/kinds.second"], check=False)
            .stdout
        ):
            pass

    def place_of(self, job: Job, name: str | None = None) -> Place:
        return Place(self.nodes[name or job.node], job)

    def names(self) -> list[str]:
        """Those that criu has given to files where the job is."""
        place = self.place_of(self.context.store.load("linked"))
        return place.node.output(["find", f"{place.data}/work", "-name", "link_remap*"]).split()

    def migrate(self, *, paused: bool = False) -> None:
        """Again when it was opening a directory just then, which is refused."""
        while True:
            if paused:
                operations.pause(self.context, "linked")
            try:
                operations.migrate(self.context, "linked", "nb", options=Options())
            except MigrationError as error:
                if "getdents64" not in error.message:
                    raise
            else:
                return
            if paused:
                operations.resume(self.context, "linked")

    def ship(self) -> None:
        """The steps until the image is on the other node; again in that case as well."""
        while True:
            operations.dump(self.context, "linked")
            operations.transform(self.context, "linked", self.nodes["nb"].isa)
            try:
                operations.ship(self.context, "linked", "nb")
            except UnsupportedError as error:
                if "getdents64" not in error.message:
                    raise
            else:
                return
            operations.resume(self.context, "linked")


@pytest.fixture
def linked(nodes: dict[str, SshNode], built: Path, tmp_path: Path) -> Iterator[Linked]:
    made = Linked(nodes, built, tmp_path)
    yield made
    operations.discard(made.context, "linked")


@pytest.mark.parametrize("paused", [False, True])
def test_a_file_with_another_name_leaves_nothing_behind_where_the_program_goes_on(
    linked: Linked, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    """criu gives the file a name when it dumps, which must go when the migration fails afterwards, and the program goes on."""

    def fail(*_: object, **__: object) -> None:
        assert linked.names(), "otherwise this tests nothing"
        raise NodeError("nb", "was lost")

    monkeypatch.setattr(Place, "criu_restore", fail)
    with pytest.raises(MigrationError, match="is paused on na, as before" if paused else "runs on na again"):
        linked.migrate(paused=paused)
    if paused:
        operations.resume(linked.context, "linked")
    assert linked.names() == []


def test_a_name_that_goes_after_the_preflight(linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dump finds it out, and is made once more; then the files go once more."""
    monkeypatch.setattr("transproc.process.inspect.linked", lambda *_: False)
    linked.migrate()
    assert linked.context.store.load("linked").state is State.RUNNING
    assert linked.names() == []


def test_a_name_that_was_removed_of_a_program_that_moves_step_by_step(linked: Linked) -> None:
    linked.ship()
    operations.restore(linked.context, "linked", "nb")
    assert operations.resume(linked.context, "linked").node == "nb"
    assert linked.names() == []
