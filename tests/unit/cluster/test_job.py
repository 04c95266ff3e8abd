# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Records of jobs, and what is asked of a job while it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from tests.unit.cluster.fakes import PID, FakeNode
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.place import Place
from transproc.cluster.start import address_of
from transproc.cluster.store import JobStore
from transproc.cluster.watch import exit_code, follow, wait
from transproc.errors import CommandError, TransprocError
from transproc.text import human


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "store")


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    return FakeNode("x86", "x86_64", tmp_path / "x86")


def running(store: JobStore, node: FakeNode) -> Place:
    """A job that runs, with its directory."""
    job = Job("j", "x86", ["prog"], pid=PID)
    store.create(job)
    place = Place(node, job)
    binary = store.files("j") / "prog.x86_64"
    binary.write_text("code")
    place.prepare(binary)
    node.processes[PID] = "running"
    job.state = State.RUNNING
    store.save(job)
    return place


def test_record_survives_the_disk(store: JobStore) -> None:
    job = Job("j", "x86", ["prog", "ä b"], pid=7, state=State.RESTORED, target="arm", leftovers=["pi"])
    store.create(job)
    assert store.load("j") == job
    assert store.names() == ["j"]


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a" * 41, "-x"])
def test_bad_names(store: JobStore, name: str) -> None:
    with pytest.raises(TransprocError, match="job name"):
        store.create(Job(name, "x86", ["prog"]))


def test_a_name_is_free_again_when_its_job_has_ended(store: JobStore) -> None:
    store.create(Job("j", "x86", ["prog"]))
    with pytest.raises(TransprocError, match="job j: exists already"):
        store.create(Job("j", "x86", ["prog"]))
    assert store.free_name("J") == "j-2"
    ended = store.load("j")
    ended.state = State.EXITED
    store.save(ended)
    assert store.free_name("J") == "j"
    store.create(Job("j", "arm", ["prog"]))
    assert store.load("j").node == "arm"


@pytest.mark.parametrize(
    ("program", "name"), [("nbody", "nbody"), ("My Prog!", "my-prog-"), ("...", "job"), ("_a", "a")]
)
def test_names_after_programs(store: JobStore, program: str, name: str) -> None:
    assert store.free_name(program) == name
    store.create(Job(name, "x86", ["prog"]))


def test_liveness(store: JobStore, node: FakeNode) -> None:
    place = running(store, node)
    assert place.liveness(PID) is Liveness.RUNNING
    node.processes[PID] = "stopped"
    assert place.liveness(PID) is Liveness.STOPPED
    del node.processes[PID]
    assert place.liveness(PID) is Liveness.GONE


def test_directory_of_another_living_job(store: JobStore, node: FakeNode) -> None:
    place = running(store, node)
    binary = store.files("j") / "prog.x86_64"
    other = Place(node, Job("j", "x86", ["prog"]))
    with pytest.raises(TransprocError, match="belongs to another job, j, which has not ended") as refused:
        other.prepare(binary)
    assert "'transproc recover j'" in str(refused.value.hint)
    (node.root / "jobs/j/name").write_text("$(true) no name\n")
    with pytest.raises(TransprocError, match="belongs to another job, which has not ended"):
        other.prepare(binary)
    (node.root / "jobs/j/name").unlink()
    other.remove()
    assert (node.root / "jobs/j/bin/prog").exists()
    (node.root / "jobs/j/exit").write_text("status 0\n")
    with pytest.raises(TransprocError, match="has the files of another job, j, which has ended"):
        Place(node, Job("k", "x86", ["prog"], directory="j")).prepare(binary)
    other.prepare(binary)
    assert place.exit_status() is None


def test_what_cannot_be_claimed_for_another_reason(store: JobStore, node: FakeNode) -> None:
    """The reason is told: it is no other job's."""
    place = running(store, node)
    node.processes.clear()
    place.remove()
    (node.root / "jobs").rename(node.root / "elsewhere")
    (node.root / "jobs").write_text("")
    with pytest.raises(TransprocError, match="mkdir"):
        place.prepare(store.files("j") / "prog.x86_64")


def test_a_directory_without_an_owner_blocks_no_name(store: JobStore, node: FakeNode) -> None:
    """What was cut off while it was sent or removed."""
    (node.root / "jobs/j/bin").mkdir(parents=True)
    (node.root / "jobs/j~new").mkdir()
    place = running(store, node)
    assert (node.root / "jobs/j/id").read_text() == place.job.id + "\n"
    assert not (node.root / "jobs/j~new").exists()


@pytest.mark.parametrize("program", ["mkdir", "chmod", "mv"])
def test_of_a_claim_that_was_cut_off_nothing_stays(
    store: JobStore, node: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """Whatever was the last that it has begun, and come to its end."""
    place = running(store, node)
    node.processes.clear()
    place.remove()
    usual = shutil.which(program)
    for count in (1, 2):
        (tmp_path / "bin").mkdir(exist_ok=True)
        stub = tmp_path / "bin" / program
        stub.write_text(
            f'#!/bin/sh\n{usual} "$@"\necho >>{tmp_path}/{count}\n'
            f"[ $(wc -l <{tmp_path}/{count}) -lt {count} ] || kill -9 $PPID\n"
        )
        stub.chmod(0o755)
        with monkeypatch.context() as cut:
            cut.setenv("PATH", f"{stub.parent}:{os.environ['PATH']}")
            with contextlib.suppress(CommandError):
                place.prepare(store.files("j") / "prog.x86_64")
        place.remove()
        assert not [*(node.root / "jobs").iterdir()], f"{program} {count}"


def test_read_from_an_offset(store: JobStore, node: FakeNode) -> None:
    place = running(store, node)
    assert place.read("stdout") == b""
    (node.root / "jobs/j/data/stdout").write_bytes(b"one\ntwo\n")
    assert place.read("stdout") == b"one\ntwo\n"
    assert place.read("stdout", 4) == b"two\n"
    assert place.read("stdout", 8) == b""


def test_wait(store: JobStore, node: FakeNode) -> None:
    place = running(store, node)
    with pytest.raises(TransprocError, match="job j: has not ended after 0 s; it is running on x86"):
        wait(store, "j", lambda job: place, 0)
    (node.root / "jobs/j/exit").write_text("signal 11\n")
    job = wait(store, "j", lambda job: place)
    assert (job.state, job.exit) == (State.EXITED, "signal 11")
    assert store.load("j").state is State.EXITED


def test_follow(store: JobStore, node: FakeNode) -> None:
    place = running(store, node)
    out = node.root / "jobs/j/data/stdout"
    out.write_bytes(b"one\n")
    lines = follow(store, "j", lambda job: place)
    assert next(lines) == ("x86", b"one\n")
    out.write_bytes(b"one\ntwo\n")
    (node.root / "jobs/j/exit").write_text("status 0\n")
    assert list(lines) == [("x86", b"two\n")]


@pytest.mark.parametrize(
    ("status", "code"), [("status 0", 0), ("status 3", 3), ("signal 9", 137), (None, 1), ("lost", 1)]
)
def test_exit_code(status: str | None, code: int) -> None:
    assert exit_code(status) == code


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e9, "2.0 GB")]
)
def test_human(count: float, text: str) -> None:
    assert human(count) == text


def test_address_of_a_number() -> None:
    with pytest.raises(TransprocError, match="0xyz: not a hexadecimal number"):
        address_of(Path("none"), "0xyz")
