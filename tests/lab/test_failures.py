# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Migrations that must fail, really: each says why and what became of the process, and the process runs on.

The machines have old processors (without AVX and XSAVE, without pointer authentication), on which what goes through must as well.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.lab.guests import older_processors
from transproc import log
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.migration import Migration
from transproc.cluster.move import Move
from transproc.cluster.node import SshNode, read
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.errors import MigrationError
from transproc.lab.lab import Lab
from transproc.lab.qemu import Size
from transproc.process.criu import Options
from transproc.transform.pipeline import transform

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

SIZE = Size(memory_mb=512)
NUMBERS = itertools.count()


class World:
    """A lab of its own, and jobs of `victim.c` on its nodes."""

    def __init__(self, root: Path) -> None:
        self.store = JobStore(root / "jobs")
        self.lab = Lab(root / "lab")
        self.lab.up(size=SIZE, kvm=False)
        self.program = compiled(Path(__file__).with_name("victim.c"), root)
        self.connect()

    def connect(self) -> None:
        self.nodes: dict[str, SshNode] = {n.name: n for n in read(self.lab.directory / "nodes.toml")}

    def place(self, job: Job, node: str | None = None) -> Place:
        return Place(self.nodes[node or job.node], job)

    def start(self, *words: str, on: str = "x86") -> Job:
        job = Job(f"j{next(NUMBERS)}", on, ["victim", *words])
        start(self.store, self.place(job), Program([str(self.program), *words]))
        self.counts(job)
        return job

    def migration(self, job: Job, **options: object) -> Migration:
        target = "arm" if job.node == "x86" else "x86"
        places = self.place(job), self.place(job, target)
        return Migration(self.store, job, *places, transform=transform, **options)  # type: ignore[arg-type]

    def fails(self, migration: Migration, status: int, *patterns: str) -> MigrationError:
        """It does, as expected, and the job is seen to run on; then it is ended."""
        job, node = migration.job, migration.job.node
        with pytest.raises(MigrationError) as caught:
            migration.run()
        error = caught.value
        for pattern in (*patterns, f"{job.name} .*runs on {node}"):
            assert re.search(pattern, error.message), error.message
        assert error.exit_status == status
        assert (job.state, job.node, job.target) == (State.RUNNING, node, None)
        self.counts(job)
        self.place(job).kill(job.pid)
        return error

    def counts(self, job: Job, seconds: float = 20) -> None:
        """Until the job has printed something more."""
        place = self.place(job)
        before, end = len(place.read("stdout")), time.monotonic() + seconds
        while len(place.read("stdout")) <= before:
            assert time.monotonic() < end, f"does not run: {place.read('stdout', max(before - 100, 0))!r}"
            time.sleep(0.1)

    def kill(self, node: str) -> None:
        os.kill(self.lab.machine(node).pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    log.quiet = True
    with older_processors():
        made = World(tmp_path_factory.mktemp("failures"))
        yield made
        made.lab.down()
    log.quiet = False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["seccomp"], "preflight: thread [0-9]+ has a seccomp filter"),
        (["open", "/dev/kmsg"], "preflight: .* has opened the device /dev/kmsg"),
        (["tcp"], "preflight: .* has opened a TCP connection"),
        (["orphan"], "preflight: process [0-9]+ has left the tree of process"),
        (["semaphore"], "preflight: .* has opened an eventfd that is a semaphore"),
        (["oneshot"], "preflight: .* has opened inotify with a watch that ends"),
        (["uring"], "preflight: .* has opened io_uring"),
        (["packet"], "transform: the program holds a packet socket"),
        (["exec", "/bin/sleep", "1000"], "preflight: process [0-9]+ .* was not linked by transproc-cc"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_belongs_to_one_machine(world: World, words: list[str], message: str) -> None:
    error = world.fails(world.migration(world.start(*words)), 3, message)
    assert error.hint
    assert ("was not touched" in error.message) == message.startswith("preflight")


def test_unix_socket_of_another_job(world: World) -> None:
    receiver, sender = world.start("receiver"), world.start("sender")
    pattern = rf"preflight: process [0-9]+ is connected through socket:\[[0-9]+\] with process {receiver.pid}"
    assert "was not touched" in world.fails(world.migration(sender), 3, pattern).message
    world.place(receiver).kill(receiver.pid)


def test_tcp_connections_are_closed_on_request(world: World) -> None:
    job = world.start("tcp")
    world.migration(job, options=Options(tcp_close=True)).run()
    assert job.node == "arm"
    world.counts(job)
    world.place(job).kill(job.pid)


def test_address_beyond_the_target(world: World) -> None:
    job = world.start("map", "0x800000000000", on="arm")
    world.fails(world.migration(job), 3, "mapping 0x800000000000-.* lies beyond x86_64's address limit")


def test_pause_that_times_out(world: World) -> None:
    """A signal handler that does not return: no frame below it is described."""
    job = world.start("handler")
    time.sleep(1.5)
    migration = world.migration(job, request=PauseRequest(timeout=1.0))
    began = time.monotonic()
    with pytest.raises(
        MigrationError, match=r"pause: not every thread .*was let go: it runs on x86"
    ) as caught:
        migration.run()
    assert time.monotonic() - began < 30
    assert "signal handler" in (caught.value.hint or "")
    assert world.place(job).liveness(job.pid) is Liveness.RUNNING
    world.place(job).kill(job.pid)


def test_process_ids_lie_far_from_those_of_services(world: World) -> None:
    limit = int(world.nodes["x86"].output(["cat", "/proc/sys/kernel/pid_max"]))
    jobs = [world.start() for _ in range(2)]
    assert all(job.pid > limit // 4 for job in jobs)
    for job in jobs:
        world.place(job).kill(job.pid)


def test_process_id_in_use(world: World) -> None:
    job = world.start()
    taken = (
        f"echo {job.pid - 1} >/proc/sys/kernel/ns_last_pid; sleep 1000 </dev/null >/dev/null 2>&1 & echo $!"
    )
    assert world.nodes["arm"].output(["sh", "-c", taken]).strip() == str(job.pid)
    error = world.fails(world.migration(job), 1, f"preflight: node arm: process ids in use: {job.pid}")
    assert error.hint
    world.nodes["arm"].run(["kill", str(job.pid)])


def test_file_that_only_the_source_has(world: World) -> None:
    world.nodes["x86"].put_bytes(b"words", "/srv/words")
    job = world.start("open", "/srv/words")
    world.fails(world.migration(job), 1, "node arm: the program uses /srv/words, which is not there")


LEAVE_2_MB = """
used=$(df -Pk / | sed -n '2s/^[^ ]* *[0-9]* *\\([0-9]*\\) .*/\\1/p')
mount -o "remount,size=$((used + 2000))k" /
"""


def test_full_target(world: World) -> None:
    """Found out in the middle, and known beforehand."""
    arm, job = world.nodes["arm"], world.start("fill", "8")
    migration = world.migration(job)
    before(migration, "fetch", lambda: arm.run(["sh", "-c", LEAVE_2_MB]))
    try:
        error = world.fails(migration, 1, r"fetch: (?s:.*)No space left on device")
        assert error.hint == "node arm is full: make room there"
        migration = world.migration(world.start("fill", "8"))
        world.fails(migration, 1, "preflight: node arm: .* are free in", "was not touched")
    finally:
        arm.run(["mount", "-o", "remount,size=75%", "/"])


CRIU_THAT_HANGS = "printf '#!/bin/sh\\nsleep 60\\n' > /tmp/criu && chmod +x /tmp/criu && mount --bind /tmp/criu /usr/sbin/criu"


@pytest.mark.parametrize("step", [pytest.param("fetch", marks=pytest.mark.nightly), "restore"])
def test_target_killed_in_the_middle(world: World, step: str) -> None:
    """And when it is not there at all; the emulated machine is ended by SIGKILL."""
    job = world.start("fill", "60" if step == "fetch" else "1")
    migration = world.migration(job)
    killer = threading.Timer(0.5, world.kill, ["arm"])

    if (
        step == "restore"
    ):  # a step of a moment: it must not have ended by then; its criu is started in the preparation
        before(migration, "prepare", lambda: world.nodes["arm"].run(["sh", "-c", CRIU_THAT_HANGS]))
    before(migration, step, killer.start)
    try:
        with pytest.raises(MigrationError, match=rf"{step}: (?s:.*) runs on x86 again") as caught:
            migration.run()
        killer.join()
        assert caught.value.exit_status == 1
        world.counts(job)
        world.fails(world.migration(job), 1, "preflight: node arm: cannot connect", "was not touched")
    finally:
        world.lab.up(size=SIZE, kvm=False)
        world.connect()


@pytest.mark.nightly
def test_target_killed_while_it_takes_over(world: World) -> None:
    """The one moment when nobody can know: the source stays stopped, until its user decides."""
    job = world.start()
    migration = world.migration(job)
    before(migration, "commit", lambda: world.kill("arm"))
    try:
        with pytest.raises(MigrationError, match="it may run there, so its copy on x86 stays stopped"):
            migration.run()
        assert job.state is State.RESTORED
        assert world.place(job).liveness(job.pid) is Liveness.STOPPED
        move = Move(world.store, job, world.place(job), world.place(job, "arm"), transform=transform)
        move.abandon_target(never_ran=True)
        move.resume_source()
        world.counts(job)
        world.place(job).kill(job.pid)
    finally:
        world.lab.up(size=SIZE, kvm=False)
        world.connect()


@pytest.mark.nightly
def test_source_killed_in_the_middle(world: World) -> None:
    """The process is lost with its node: the error must not promise more."""
    job = world.start()
    migration = world.migration(job)
    before(migration, "dump", lambda: world.kill("x86"))
    try:
        with pytest.raises(MigrationError, match=r"is on x86, which does not answer .* lost with the node"):
            migration.run()
        assert not world.nodes["arm"].exists(f"/var/lib/transproc/jobs/{job.name}")
    finally:
        world.lab.up(size=SIZE, kvm=False)
        world.connect()


@pytest.mark.nightly
def test_children_made_after_a_move_can_share_an_epoll_set(world: World) -> None:
    """They have higher ids than their parent even where the target's next id is lower: else criu could not restore them."""
    job = world.start("epoll")
    low = ["sh", "-c", "echo 300 >/proc/sys/kernel/ns_last_pid"]
    migration = world.migration(job)
    before(migration, "restore", lambda: world.nodes["arm"].run(low))
    migration.run()
    for _ in range(3):
        world.counts(job)
    migration = world.migration(job)
    migration.run()
    assert (job.state, job.node) == (State.RUNNING, "x86")
    world.counts(job)
    world.place(job).kill(job.pid)


def before(migration: Migration, step: str, action: Callable[[], object]) -> None:
    """Lets something happen when a step begins."""
    original = getattr(migration.move, step)

    def hooked(*words: object, **options: object) -> object:
        action()
        return original(*words, **options)

    setattr(migration.move, step, hooked)
