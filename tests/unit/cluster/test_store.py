# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The database of jobs: what survives, who may write, and what an older transproc left."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from transproc import paths
from transproc.cluster import schema
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.locks import BRIEF
from transproc.cluster.store import JobStore, Result
from transproc.errors import BusyError, ConflictError, FormatError, StoreError, TransprocError


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "state")


def made(store: JobStore, name: str = "j", **fields: object) -> Job:
    job = Job(name, "x86", ["prog"], **fields)  # type: ignore[arg-type]
    store.create(job)
    return job


def test_for_the_owner_alone(store: JobStore) -> None:
    made(store)
    with store.lock("j"):
        places = [store.directory, *store.directory.rglob("*")]
        assert {path.name for path in places} >= {"jobs.sqlite", "jobs.sqlite-wal", "locks", "j"}
        assert [path for path in places if path.stat().st_mode & 0o077] == []


def test_a_record_that_has_changed_is_not_overwritten(store: JobStore) -> None:
    """What `ps`, `wait` and `logs` notice must not undo what a migration has written meanwhile."""
    made(store)
    mine, other = store.load("j"), JobStore(store.directory).load("j")
    mine.state, mine.node = State.RUNNING, "arm"
    store.save(mine)
    other.state = State.EXITED
    with pytest.raises(ConflictError, match="job j: another transproc command has changed it meanwhile"):
        store.save(other)
    assert store.load("j") == mine
    mine.state = State.PAUSED
    store.save(mine)
    assert store.load("j").state is State.PAUSED


def test_a_removed_job_is_not_written_again(store: JobStore) -> None:
    job = made(store)
    store.remove("j")
    with pytest.raises(ConflictError):
        store.save(job)
    made(store)
    with pytest.raises(ConflictError):
        store.save(job)


def test_the_host_is_in_the_id(store: JobStore, tmp_path: Path) -> None:
    assert made(store).id.startswith(store.host)
    assert JobStore(store.directory).host == store.host != JobStore(tmp_path / "other").host


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", ".", "a" * 41, "x\n"])
def test_every_way_in_checks_the_name(store: JobStore, name: str, tmp_path: Path) -> None:
    for method in (
        store.load,
        store.remove,
        store.lock(name).__enter__ and (lambda n: store.lock(n).__enter__()),
    ):
        with pytest.raises(TransprocError, match="job name"):
            method(name)
    assert not (tmp_path / "x").exists()


def test_a_name_that_looks_like_a_record(store: JobStore) -> None:
    """Once the directory of job `a.json` was taken for the record of job `a`."""
    made(store, "a.json")
    assert store.names() == ["a.json"]
    made(store, "a")
    assert store.names() == ["a", "a.json"]


def test_steps_are_recorded_before_they_are_taken(store: JobStore) -> None:
    job = made(store)
    number = store.begin(job, "migrate", "arm")
    store.step(number, 0, "prepare")
    store.step_done(number, 0, 0.5, "12 kB")
    store.step(number, 1, "pause")
    found = JobStore(store.directory).unsettled(job)
    assert found is not None
    assert (found.kind, found.before) == ("migrate", State.STARTING)
    assert (found.source, found.target, found.undecided) == ("x86", "arm", False)
    assert found.steps == ["prepare", "pause"]
    store.settle(number, Result.UNDECIDED, "nobody knows")
    assert (found := store.unsettled(job)) is not None and found.undecided
    store.settle(number, Result.UNDONE, "j runs on x86 again")
    assert store.unsettled(job) is None
    assert store.load("j").history == []


def test_history(store: JobStore) -> None:
    job = made(store)
    number = store.begin(job, "migrate", "arm")
    store.step(number, 0, "dump")
    store.step_done(number, 0, 0.5, "")
    hop = Hop("x86", "arm", 0.0, 0.25, {"dump": 0.5}, 99)
    store.settle(number, Result.DONE, hop=hop)
    assert store.load("j").history == [hop]
    store.remove("j")
    made(store)
    assert store.load("j").history == []


def test_lock(store: JobStore) -> None:
    with store.lock("j", "migrate"):
        who = rf"job j: another transproc command is working on it \(migrate, process {os.getpid()}\)"
        with pytest.raises(BusyError, match=who), JobStore(store.directory).lock("j"):
            pass
        assert not store.busy("j") and not store.busy("k"), "that is ourselves"
        (store.directory / "locks" / "j").write_text(f"migrate, process {os.getppid()}")
        assert store.busy("j")
        with store.lock("k"):
            pass
    with store.lock("j"):
        pass
    assert list((store.directory / "locks").iterdir()) == []


def test_who_is_at_work(store: JobStore) -> None:
    assert not store.at_work("j")
    with store.lock("j", "migrate"):
        assert store.at_work("j") and not store.at_work("k")
    assert not store.at_work("j")
    (store.directory / "locks/j").write_text("migrate, process 999999999")  # killed
    assert not store.at_work("j")


def test_a_brief_lock_is_waited_for(store: JobStore) -> None:
    """A look at the job, which another process or thread takes, is nothing that a command fails for."""
    entered, began = threading.Event(), time.monotonic()

    def look() -> None:
        with store.lock("j", BRIEF):
            entered.set()
            time.sleep(0.3)

    thread = threading.Thread(target=look)
    thread.start()
    entered.wait()
    with store.lock("j", "migrate"):
        assert time.monotonic() - began > 0.25
    thread.join()


def test_the_lock_ends_with_its_process(store: JobStore) -> None:
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_lock_and_die, args=(store.directory,))
    child.start()
    child.join()
    assert child.exitcode == -9
    assert (store.directory / "locks/j").exists()
    with store.lock("j"):
        pass
    assert not (store.directory / "locks/j").exists()


def _lock_and_die(directory: Path) -> None:
    with JobStore(directory).lock("j"):
        os.kill(os.getpid(), 9)


def test_several_processes_write(store: JobStore) -> None:
    """None is told that the database is busy, and no change is lost."""
    made(store)
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=_count, args=(store.directory, 20)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    assert store.load("j").moves == 60


def _count(directory: Path, times: int) -> None:
    store = JobStore(directory)
    while times:
        job = store.load("j")
        job.moves += 1
        try:
            store.save(job)
        except ConflictError:
            continue
        times -= 1


def test_full_disk(store: JobStore) -> None:
    """The kernel's limit of a file's size: SQLite is told the same as by a full disk."""
    job = made(store)
    job.argv.append("x" * 4_000_000)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        with pytest.raises(StoreError, match=r"the records of jobs, .*jobs.sqlite: ") as caught:
            store.save(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "sqlite" in str(caught.value)
    assert store.load("j").argv == ["prog"]
    store.save(job)


def test_a_later_version(store: JobStore) -> None:
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(FormatError, match=f"is of version 99, expected at most {len(schema._STEPS)}"):
        JobStore(store.directory)


def test_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_text("something else, long enough to be looked at" * 50)
    with pytest.raises(StoreError, match="not a database"):
        JobStore(tmp_path)


OLD = {
    "name": "j", "node": "arm", "argv": ["prog", "1"], "pid": 7, "state": "running", "target": None, "exit": None,
    "started": 5.0, "id": "abcd", "moves": 1, "terminal": False, "leftovers": ["x86"],
    "history": [{"source": "x86", "target": "arm", "started": 6.0, "downtime": 0.5, "steps": {"dump": 0.1}, "bytes_sent": 9}],
}  # fmt: skip


def test_json_records_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    old = paths.home() / "jobs"
    (old / "j" / "pair").mkdir(parents=True)
    (old / "j" / "pair" / "prog.x86_64").write_text("code")
    (old / "j.json").write_text(json.dumps(OLD))
    (old / "bad.json").write_text("{")
    (old / "j.lock").touch()
    store = JobStore()
    job = store.load("j")
    assert {key: value for key, value in job.as_dict().items() if key in OLD} == OLD
    assert (store.pair("j") / "prog.x86_64").read_text() == "code"
    with pytest.raises(TransprocError, match="job bad: its record is damaged"):
        store.load("bad")
    assert not old.exists()
    job.state = State.PAUSED
    store.save(job)
    assert JobStore().load("j") == job
