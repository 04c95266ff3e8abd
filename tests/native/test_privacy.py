# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images are memory: who can read what during a migration and after it, on both nodes and on the host."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transproc.cluster import passing
from transproc.cluster.events import Silent
from transproc.cluster.files import JobFiles
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.node import DATA, SshNode
from transproc.cluster.operations import Context, discard
from transproc.cluster.phase import Phase
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.errors import FormatError, MigrationError, TransprocError
from transproc.log import Step
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

Modes = dict[str, int]


class World:
    """A job on na, and a look at every file that is there because of it."""

    def __init__(self, nodes: dict[str, SshNode], root: Path, user: str) -> None:
        self.nodes = nodes
        self.store = JobStore(root / "jobs")
        self.job = Job("private", "na", ["counter", "100000", "5000", "1"], user=user, uid=65534, gid=65534)

    def place_of(self, job: Job, name: str | None = None) -> Place:
        return Place(self.nodes[name or job.node], job)

    def on(self, name: str) -> Modes:
        """Modes of all files on a node, by path; directories end in a slash."""
        words = [
            "find",
            str(DATA),
            "(",
            "-type",
            "d",
            "-printf",
            "%m %p/\\n",
            ")",
            "-o",
            "-printf",
            "%m %p\\n",
        ]
        lines = [line.split(" ", 1) for line in self.nodes[name].output(words).splitlines()]
        return {path: int(mode, 8) for mode, path in lines}

    def here(self) -> Modes:
        tops = [self.store.move(self.job.name), passing.directory(self.store.directory, self.job.name)]
        found = [path for top in tops for path in [top, *top.rglob("*")] if path.exists()]
        return {f"{path}{'/' * path.is_dir()}": stat.S_IMODE(path.lstat().st_mode) for path in found}


@pytest.fixture(params=["", "nobody"])
def world(
    nodes: dict[str, SshNode], counter: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    world = World(nodes, tmp_path, request.param)
    start(world.store, world.place_of(world.job), Program([str(counter), *world.job.argv[1:]]))
    yield world
    discard(Context(world.store, world.place_of, pipeline.carry, Silent()), "private")
    for node in nodes.values():
        node.run(["rm", "-rf", str(DATA / "jobs")])


def is_private(modes: Modes) -> list[str]:
    """What others could read or change; that they may execute the program and pass through to it is no harm, nor what is below a
    directory through which they cannot.
    """
    shut = tuple(path for path, mode in modes.items() if path.endswith("/") and not mode & 0o011)
    return [
        f"{mode:o} {path}"
        for path, mode in modes.items()
        if mode & (0o066 if path.endswith("/") else 0o077)
        and "/bin/" not in path
        and "/parent" not in path
        and not any(path != top and path.startswith(top) for top in shut)
    ]


def images(modes: Modes) -> list[str]:
    return [path for path in modes if "/images" in path or path.endswith(".img")]


class Watching(Silent):
    """Looks at everything after each step; raises after one, if that is wanted."""

    def __init__(self, world: World, fail_after: Phase | None = None) -> None:
        self.seen: list[str] = []
        self._world = world
        self._fail_after = fail_after

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """As `Events` says."""
        with super().step(name) as step:
            yield step
        for node in self._world.nodes:
            modes = self._world.on(node)
            self.seen += images(modes)
            assert is_private(modes) == []
        here = self._world.here()
        self.seen += images(here)
        assert is_private(here) == []
        if name == self._fail_after:
            raise TransprocError("as if")


def migration_of(world: World, events: Watching) -> Migration:
    source, target = world.place_of(world.job, "na"), world.place_of(world.job, "nb")
    return Migration(world.store, world.job, source, target, transform=pipeline.carry, events=events)


def migrate(world: World, events: Watching) -> None:
    """Skips what needs a capability that a container may lack: it is refused then, before the program is touched."""
    try:
        migration_of(world, events).run()
    except MigrationError as error:
        if not world.job.user or "cap_sys_resource" not in error.message:
            raise
        assert "was not touched: it runs on na" in error.message
        pytest.skip("this machine's root cannot move programs of other users")


def assert_no_images(world: World) -> None:
    assert images(world.on("na")) == images(world.on("nb")) == images(world.here()) == []


def test_nobody_else_can_read_an_image_and_none_is_left(world: World) -> None:
    watching = Watching(world)
    migrate(world, watching)
    assert any("pages-1.img" in path for path in watching.seen)
    assert_no_images(world)
    assert not [path for path in world.on("na") if "/jobs/private" in path]


def test_a_job_is_its_users_wherever_it_is(world: World) -> None:
    """Not more, not less: it has its files, and can change nothing of what is ours."""
    assert_is_its_users(world, "na")
    migrate(world, Watching(world))
    assert_is_its_users(world, "nb")


def assert_is_its_users(world: World, name: str) -> None:
    expected = "65534" if world.job.user else "0"
    directory, node = DATA / "jobs" / "private", world.nodes[name]
    status = node.output(["cat", f"/proc/{world.job.pid}/status"]).splitlines()
    assert [line.split()[1:] for line in status if line.startswith(("Uid", "Gid"))] == [[expected] * 4] * 2
    its = [f"{directory}/data/{path}" for path in ("work", "stdin", "stdout")]
    assert node.output(["stat", "-c", "%u", *its]).split() == [expected] * 3
    ours = [f"{directory}{path}" for path in ("", "/bin", "/bin/counter", "/data", "/id")]
    assert node.output(["stat", "-c", "%u", *ours]).split() == ["0"] * 5
    as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    writable = [
        node.run([*as_user, "test", "-w", path], check=False).returncode == 0 for path in [its[0], *ours]
    ]
    assert writable == [bool(world.job.user), *[False] * 5]
    assert node.run([*as_user, "ls", str(directory)], check=False).returncode != 0


@pytest.mark.parametrize("world", [""], indirect=True)
@pytest.mark.parametrize("phase", [Phase.FETCH, Phase.SHIP, Phase.RESTORE])
def test_none_is_left_after_a_failure(world: World, phase: Phase) -> None:
    with pytest.raises(MigrationError, match="runs on na again"):
        migration_of(world, Watching(world, phase)).run()
    assert_no_images(world)
    assert not [path for path in world.on("nb") if "/jobs/private" in path]


@pytest.mark.parametrize("world", [""], indirect=True)
def test_a_program_of_roots_is_not_carried_among_a_users_files(world: World) -> None:
    """On the target its user could execute it."""
    source, target = world.place_of(world.job, "na"), world.place_of(world.job, "nb")
    path = f"{source.data}/work/su"
    source.node.run(["sh", "-c", 'echo >"$1"; chmod 4755 "$1"', "sh", path])
    target.prepare(world.store.pair("private") / "counter.x86_64")
    source.node.run(["kill", "-STOP", str(world.job.pid)])  # tar refuses what changes meanwhile
    JobFiles(source, target).send()  # a job of root's may have one
    assert target.node.exists(f"{target.data}/work/su")
    world.job.user = "nobody"
    with pytest.raises(FormatError, match="runs as user 0 whoever starts it"):
        JobFiles(source, target).send()
    world.job.user = ""
    target.remove()
