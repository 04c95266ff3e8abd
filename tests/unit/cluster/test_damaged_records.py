# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Damaged records of jobs and lists of nodes are read, or refused with one clear error."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transproc.cluster.job import Hop, Job, State
from transproc.cluster.node import read
from transproc.cluster.store import JobStore
from transproc.errors import FormatError, TransprocError

JOB = Job(
    "j",
    "x86",
    ["prog", "argument"],
    pid=7,
    state=State.RUNNING,
    history=[Hop("x86", "arm", 1.0, 0.5, {"dump": 0.1}, 9)],
)
NODES = b'[pi]\nhost = "10.0.0.2"\nport = 22\nkey = "k"\nhost_key = "ssh-ed25519 AAAA"\n'

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def mutated(data: st.DataObject, good: bytes) -> bytes:
    """With some bits changed, and a part cut off."""
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    return bytes(damaged[: data.draw(st.integers(0, len(damaged)))])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> JobStore:
    made = JobStore(tmp_path_factory.mktemp("jobs"))
    made.create(dataclasses.replace(JOB, history=[]))
    return made


def load(store: JobStore, record: bytes) -> None:
    with contextlib.closing(sqlite3.connect(store.path)) as database, database:
        database.execute("UPDATE jobs SET record = ?", (record.decode(errors="replace"),))
    try:
        assert isinstance(store.load("j"), Job)
    except TransprocError as error:
        assert "its record is damaged" in error.message and error.hint


@given(st.data())
def test_a_damaged_record(store: JobStore, data: st.DataObject) -> None:
    load(store, mutated(data, json.dumps(JOB.as_dict()).encode()))


@given(st.sampled_from(sorted(JOB.as_dict())), JSON)
def test_a_record_with_a_field_of_another_type(store: JobStore, field: str, value: object) -> None:
    load(store, json.dumps({**JOB.as_dict(), field: value}).encode())


@given(JSON)
def test_a_record_of_something_else(store: JobStore, value: object) -> None:
    load(store, json.dumps(value).encode())


@given(st.data())
def test_a_damaged_list_of_nodes(store: JobStore, data: st.DataObject) -> None:
    path = store.directory / "nodes.toml"
    path.write_bytes(mutated(data, NODES))
    try:
        assert all(node.name for node in read(path))
    except FormatError as error:
        assert str(path) in str(error)


def test_text_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "nodes.toml").write_bytes(b"\xff\xfe[pi]")
    with pytest.raises(FormatError, match="not valid TOML"):
        read(tmp_path / "nodes.toml")
