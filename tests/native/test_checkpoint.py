# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of real programs, and what is started from them."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from tests.native.harness import context_of
from transproc.cluster import checkpoints, operations
from transproc.cluster.job import Job, State
from transproc.cluster.node import DATA, SshNode
from transproc.cluster.operations import Context
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import TransprocError
from transproc.run import output, run

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

WORDS = ["300", "4000", "1"]
LONG = ["100000", "4000", "1"]


@pytest.fixture
def context(nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[Context]:
    made = context_of(tmp_path / "state", nodes)
    yield made
    for name in made.store.names():
        operations.discard(made, name)
    operations.sweep(made)
    for node in nodes.values():
        assert node.output(["sh", "-c", f"ls {DATA}/jobs 2>/dev/null || true"]) == ""


def start(context: Context, counter: Path, words: list[str] = WORDS) -> Job:
    job = operations.run(context, Program([str(counter), *words]), "na", name="count")
    await_lines(context, job, 20)
    return job


def await_lines(context: Context, job: Job, count: int) -> None:
    until = time.monotonic() + 10
    while context.places(job).read("stdout").count(b"\n") < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def ends_well(context: Context, name: str, counter: Path) -> None:
    ended = wait(context.store, name, context.places, 30)
    assert ended.exit == "status 0"
    assert context.places(ended).read("stdout").decode() == output([f"{counter}.x86_64", *WORDS])


def test_a_job_goes_on_and_starts_again(context: Context, counter: Path, tmp_path: Path) -> None:
    """On another node, under another name, while the first one runs on; and again when that has ended."""
    first = start(context, counter, LONG)
    found = operations.checkpoint(context, "count", tmp_path / "to")
    assert context.current("count").state is State.RUNNING
    lines = context.places(first).read("stdout").count(b"\n")
    second = operations.restart(context, found.path, "nb", name="second")
    assert (second.state, second.moves, second.node) == (State.RUNNING, 1, "nb")
    for node in ("na", "nb"):
        with pytest.raises(TransprocError, match=f"node {node}: process ids in use"):
            operations.restart(context, found.path, node, name="third")
    assert context.store.names() == ["count", "second"]
    await_lines(context, first, lines + 20)
    await_lines(context, second, lines + 20)
    operations.kill(context, "second")
    with pytest.raises(TransprocError, match="has the files of another job, which has ended"):
        operations.restart(context, found.path, "nb", name="third")
    operations.kill(context, "second", remove=True)
    third = operations.restart(context, found.path, "nb", name="third")
    await_lines(context, third, lines + 20)
    assert context.store.checkpoints(context.store.load("count")) == [found.path]


def test_nothing_but_the_directory_is_needed(
    nodes: dict[str, SshNode], context: Context, counter: Path, tmp_path: Path
) -> None:
    """The job has ended with its checkpoint and is forgotten; another host starts it, and moves it."""
    start(context, counter)
    found = operations.checkpoint(context, "count", tmp_path / "to", end=True)
    assert (context.store.load("count").state, context.store.load("count").exit) == (
        State.EXITED,
        "checkpoint",
    )
    operations.kill(context, "count", remove=True)
    other = context_of(tmp_path / "other", nodes)
    operations.restart(other, found.path, "nb")
    operations.migrate(other, "count", "na")
    ends_well(other, "count", counter)
    operations.kill(other, "count", remove=True)


def test_it_is_its_owners_alone(context: Context, counter: Path, tmp_path: Path) -> None:
    start(context, counter)
    found = operations.checkpoint(context, "count", tmp_path / "to")
    for path in [found.path, *found.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert "pages-1.img" in {path.name for path in found.images.iterdir()}
    assert not context.places(context.store.load("count")).node.exists(f"{DATA}/jobs/count/images")


def test_again_and_again(context: Context, counter: Path, tmp_path: Path) -> None:
    """Until it ends; only the newest stay, and each of them can be started."""
    start(context, counter)
    made = list(operations.checkpoint_every(context, "count", 0.2, tmp_path / "to", keep=2))
    assert len(made) > 2
    assert checkpoints.listed(tmp_path / "to", "count") == [found.path for found in made[-2:]]
    assert [path.name for path in (tmp_path / "to").iterdir() if path.name.startswith(".")] == []
    operations.discard(context, "count")
    for found in made[-2:]:
        operations.restart(context, found.path, "nb")
        ends_well(context, "count", counter)


def test_a_damaged_one_is_refused(context: Context, counter: Path, tmp_path: Path) -> None:
    start(context, counter)
    found = operations.checkpoint(context, "count", tmp_path / "to", end=True)
    pages = found.images / "pages-1.img"
    data = bytearray(pages.read_bytes())
    data[100] ^= 1
    pages.write_bytes(data)
    with pytest.raises(TransprocError, match=r"pages-1\.img: is not what was written"):
        operations.restart(context, found.path, "nb")
    assert context.store.load("count").state is State.EXITED


def test_what_is_left_out(context: Context, counter: Path, tmp_path: Path) -> None:
    job = start(context, counter)
    work = f"{context.places(job).data}/work"
    context.places(job).node.run(
        ["sh", "-c", f"mkdir {work}/cache; echo x >{work}/cache/a; echo y >{work}/b.tmp; echo z >{work}/c"]
    )
    found = operations.checkpoint(context, "count", tmp_path / "to", end=True, exclude=["cache", "*.tmp"])
    operations.restart(context, found.path, "nb")
    place = context.places(context.store.load("count"))
    assert place.node.output(["ls", f"{place.data}/work"]) == "c\n"
    ends_well(context, "count", counter)


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("programs") / "witness"
    compiler = Path(sys.executable).with_name("transproc-cc")
    run([compiler, "-O2", "-o", program, Path(__file__).with_name("witness.c")])
    return program


def test_time_and_files_elsewhere(
    context: Context, nodes: dict[str, SshNode], witness: Path, tmp_path: Path
) -> None:
    """Clocks and timers go on where they were; files beyond the job's directory must be there, and be the same."""
    nodes["na"].put_bytes(b"hello", "/run/read")
    program = Program([str(witness), "/run/read", "/run/log"])
    job = operations.run(context, program, "na", name="witness")
    await_lines(context, job, 50)
    found = operations.checkpoint(context, "witness", tmp_path / "to", end=True)
    begin = time.monotonic()
    kept = {file.path: file for file in found.manifest.outside}
    log = nodes["na"].get_bytes("/run/log")
    assert (kept["/run/read"].size, kept["/run/read"].sha256) == (5, sha256(b"hello").hexdigest())
    assert (kept["/run/log"].size, kept["/run/log"].sha256) == (None, ""), "it is appended to"
    with pytest.raises(TransprocError, match=r"node nb: the program uses /run/\w+, which is not there"):
        operations.restart(context, found.path, "nb")
    nodes["nb"].put_bytes(b"hallo", "/run/read")
    nodes["nb"].put_bytes(log + b"x", "/run/log")
    with pytest.raises(TransprocError, match="node nb: the program uses /run/read, which is not as it was"):
        operations.restart(context, found.path, "nb")
    nodes["nb"].put_bytes(b"hallo!", "/run/read")
    time.sleep(max(0.0, begin + 3 - time.monotonic()))
    job = operations.restart(context, found.path, "nb", force=True)
    lines = context.places(job).read("stdout").count(b"\n")
    await_lines(context, job, lines + 50)
    context.places(job).node.run(["touch", f"{context.places(job).data}/work/stop"])
    assert wait(context.store, "witness", context.places, 10).exit == "status 0"
    rows = [line.split() for line in context.places(job).read("stdout").decode().splitlines()[:-1]]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    assert {row[4] for row in rows} == {"hello", "hallo!"}
    steps = [
        [int(b) - int(a) for a, b in zip(one[1:4], other[1:4], strict=True)] for one, other in pairwise(rows)
    ]
    assert all(0 <= monotonic < 2500 and 0 <= cpu < 2500 for monotonic, cpu, _ in steps)
    assert int(rows[-1][3]) > int(rows[lines][3]), "the timer strikes"
    written = nodes["nb"].get_bytes("/run/log").decode()
    assert written.startswith(log.decode() + "x") and written.endswith(f"\n{len(rows) - 1}\n")
    for node in nodes.values():
        node.run(["rm", "-f", "/run/read", "/run/log"])
