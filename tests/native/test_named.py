# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""POSIX shared memory and semaphores with names: each job has a /dev/shm of its own, which moves with its files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import begun, clearing, context_of, nodes_of
from tests.native.systems import busybox
from tests.programs.manifest import programs
from transproc.cluster import operations
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.watch import wait
from transproc.errors import MigrationError, NodeError
from transproc.process import inspect

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

(KIND,) = [program for program in programs() if program.name == "kinds-named"]
ROUNDS, WORK = "6000", "100000"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(KIND.source, tmp_path_factory.mktemp("programs"), "-pthread")


@pytest.fixture
def context(nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[Context]:
    with clearing(tmp_path / "state", nodes) as made:
        yield made
    for node in nodes.values():
        assert node.output(["ls", "/dev/shm"]) == ""


def start(context: Context, program: Path, name: str = "job") -> Place:
    return begun(context, name, [program, "named,closed,removed", ROUNDS, WORK])


def names(place: Place) -> list[str]:
    return [name.rpartition("-")[0] for name in place.node.output(["ls", f"{place.data}/shm/all"]).split()]


def ends_well(context: Context, name: str = "job") -> None:
    """A program that checks itself: each word and semaphore, opened anew by name."""
    place = context.places(context.store.load(name))
    assert wait(context.store, name, context.places, 60).exit == "status 0", place.read("stderr")
    assert place.read("stdout").count(b"checksum") == 1
    assert names(place) == []


def test_two_jobs_have_names_of_their_own_and_move(context: Context, program: Path) -> None:
    first = start(context, program)
    second = start(context, program, "second")
    assert (
        names(first)
        == names(second)
        == ["kinds-closed", "kinds-count", "kinds-go", "kinds-ready", "kinds-segment"]
    )
    for target in ("nb", "na", "nb"):
        operations.migrate(context, "job", target)
    assert not first.node.exists(first.directory)
    ends_well(context)
    ends_well(context, "second")


def test_a_program_that_stays_has_what_it_had(
    context: Context, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = start(context, program)

    def fail(*_: object, **__: object) -> None:
        raise NodeError("nb", "was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Place, "criu_restore", fail)
        with pytest.raises(MigrationError, match="runs on na again"):
            operations.migrate(context, "job", "nb")
    assert not context.places(place.job, "nb").node.exists(place.directory)
    ends_well(context)


def test_a_checkpoint_has_them_too(context: Context, program: Path, tmp_path: Path) -> None:
    """The first job goes on with its own, and follows to where the second is."""
    start(context, program)
    found = operations.checkpoint(context, "job", tmp_path / "to")
    operations.restart(context, found.path, "nb", name="second")
    ends_well(context)
    ends_well(context, "second")


def test_a_node_below_another_root_has_one_for_all(program: Path, tmp_path: Path) -> None:
    """What a program has there is not the job's: it runs, and stays."""
    setting = Setting(criu=[], root=busybox(tmp_path / "root"))
    with NativeNodes(tmp_path / "nodes", setting) as machines, contextlib.ExitStack() as stack:
        nodes = nodes_of(machines.configuration)
        for node in nodes.values():
            stack.callback(node.close)
        context = context_of(tmp_path / "state", nodes)
        place = begun(context, "job", [program, "named", "1000", WORK])
        assert not place.node.exists(f"{place.data}/shm")
        found = inspect.problems(
            place.look(place.job.pid).views, program=place.program, files=place.data, target=None
        )
        assert found
        for problem in found:  # in the order of their addresses, which is a matter of chance
            assert re.search(
                r"has mapped the shared memory /dev/shm/kinds-(segment|go|ready)-\d+, which is not",
                problem.message,
            )
        assert wait(context.store, "job", context.places, 60).exit == "status 0"
        assert place.node.output(["sh", "-c", f"ls /dev/shm | grep -e -{place.job.pid}$ || true"]) == ""
        operations.discard(context, "job")
