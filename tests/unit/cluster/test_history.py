# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is read of the records to be shown: everything, at once, and nothing is written."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from transproc.cluster.history import Reader
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.store import JobStore, Result
from transproc.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return JobStore(tmp_path / "state")


def made(store: JobStore, name: str) -> Job:
    job = Job(name, "x86", ["prog"], state=State.RUNNING)
    store.create(job)
    return job


def test_only_what_has_changed_is_read_again(store: JobStore) -> None:
    one, _ = made(store, "one"), made(store, "two")
    reader = Reader(store.path)
    before = {listed.name: listed.job for listed in reader.jobs()}
    one.state = State.PAUSED
    store.save(one)
    made(store, "three")
    after = {listed.name: listed.job for listed in reader.jobs()}
    assert list(after) == ["one", "three", "two"]
    assert after["one"] is not None and after["one"].state is State.PAUSED
    assert after["two"] is before["two"]
    store.remove("two")
    store.remove("one")
    made(store, "one")
    assert [(listed.name, listed.job and listed.job.state) for listed in reader.jobs()] == [
        ("one", State.RUNNING),
        ("three", State.RUNNING),
    ]


def test_attempts_have_their_steps_and_outcomes(store: JobStore) -> None:
    job, reader = made(store, "j"), Reader(store.path)
    first = store.begin(job, "migrate", "arm")
    store.step(first, 0, "preflight")
    store.step_done(first, 0, 0.25, "2 MiB")
    store.step(first, 1, "dump")
    (now,) = reader.under_way()
    assert (now.job, now.kind, now.source, now.target, now.result) == ("j", "migrate", "x86", "arm", None)
    assert [(step.name, step.seconds, step.detail) for step in now.steps] == [
        ("preflight", 0.25, "2 MiB"),
        ("dump", None, ""),
    ]
    store.settle(first, Result.UNDONE, "j runs on x86 again")
    second = store.begin(job, "migrate", "arm")
    store.settle(second, Result.DONE, hop=Hop("x86", "arm", time.time(), 0.5, {}, 1234))
    assert reader.under_way() == []
    attempts = reader.attempts("j")
    assert [(one.number, one.result, one.outcome, one.bytes) for one in attempts] == [
        (second, "done", "", 1234),
        (first, "undone", "j runs on x86 again", None),
    ]
    assert reader.attempts("j", limit=1) == attempts[:1]
    assert reader.recent("migrate") == reader.latest() == attempts and reader.recent("kill") == []
    assert reader.latest(1) == attempts[:1]
    assert [one.number for one in reader.since("migrate", time.time() - 60)] == [second, first]
    assert reader.since("migrate", time.time() + 60) == reader.since("kill", 0.0) == []
    assert abs(reader.arrivals(["j", "none"]).pop("j") - time.time()) < 10


def test_the_stamp_tells_of_every_writer(store: JobStore) -> None:
    reader = Reader(store.path)
    job, before = made(store, "j"), reader.stamp()
    assert reader.stamp() == before
    JobStore(store.directory).begin(job, "kill")
    assert reader.stamp() != before


def test_a_damaged_record_is_listed(store: JobStore) -> None:
    made(store, "good")
    made(store, "bad")
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE jobs SET version = 2, record = '{' WHERE name = 'bad'")
    bad, good = Reader(store.path).jobs()
    assert (bad.name, bad.job, good.name) == ("bad", None, "good")


def test_nothing_can_be_written(store: JobStore) -> None:
    with pytest.raises(StoreError, match="readonly"):
        Reader(store.path)._all("DELETE FROM jobs")


def test_more_jobs_than_a_query_takes_words(store: JobStore) -> None:
    job = made(store, "j")
    reader = Reader(store.path)
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        rows = [
            (f"n{n}", f"i{n}", 1, "running", database.execute("SELECT record FROM jobs").fetchone()[0])
            for n in range(1200)
        ]
        database.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?)", rows)
    begin = time.process_time()
    assert len(reader.jobs()) == 1201 and job.name == reader.jobs()[0].name
    assert time.process_time() - begin < 2
