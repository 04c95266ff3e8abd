# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checkpoints of real programs, and what is started from them."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import clearing, context_of, expected, nodes_of
from tests.programs.manifest import CFLAGS, programs
from transproc.cluster import checkpoints, operations
from transproc.cluster.job import Job, State
from transproc.cluster.node import DATA, SshNode
from transproc.cluster.operations import Context
from transproc.cluster.operations.restart import expect_owner
from transproc.cluster.start import Program
from transproc.cluster.watch import wait
from transproc.errors import CheckpointError, FormatError, TransprocError
from transproc.run import output

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("witness.c"), tmp_path_factory.mktemp("programs"), "-pthread")


@pytest.fixture
def context(nodes: dict[str, SshNode], tmp_path: Path) -> Iterator[Context]:
    with clearing(tmp_path / "state", nodes) as made:
        yield made
    operations.sweep(made)
    for node in nodes.values():
        assert node.output(["sh", "-c", f"ls {DATA}/jobs 2>/dev/null || true"]) == ""


def start(context: Context, program: Path) -> Job:
    job = operations.run(context, Program([str(program)]), "na", name="job")
    goes_on(context, job, 0)
    return job


def goes_on(context: Context, job: Job, since: int) -> None:
    """It prints more than so many lines."""
    until = time.monotonic() + 20
    while lines(context, job) < since + 20:
        assert time.monotonic() < until
        time.sleep(0.01)


def lines(context: Context, job: Job) -> int:
    return context.places(job).read("stdout").count(b"\n")


def ends_well(context: Context, name: str) -> None:
    """It has printed and written each line once, with the right sums."""
    place = context.places(context.store.load(name))
    goes_on(context, place.job, lines(context, place.job))
    place.node.run(["touch", f"{place.data}/work/stop"])
    assert wait(context.store, name, context.places, 30).exit == "status 0"
    printed = place.read("stdout").decode()
    assert printed == expected(printed.count("\n") - 1) + "end\n"
    assert place.node.get_bytes(f"{place.data}/work/lines").decode() == printed.removesuffix("end\n")


def test_a_job_goes_on_and_starts_again(context: Context, steady: Path, tmp_path: Path) -> None:
    """On another node, under another name, while the first one runs on; and again when that has ended."""
    first = start(context, steady)
    found = operations.checkpoint(context, "job", tmp_path / "to")
    assert context.current("job").state is State.RUNNING
    count = lines(context, first)
    second = operations.restart(context, found.path, "nb", name="second")
    assert (second.state, second.moves, second.node) == (State.RUNNING, 1, "nb")
    for node in ("na", "nb"):
        with pytest.raises(TransprocError, match=f"node {node}: process ids in use"):
            operations.restart(context, found.path, node, name="third")
    assert context.store.names() == ["job", "second"]
    goes_on(context, first, count)
    ends_well(context, "second")
    with pytest.raises(TransprocError, match="has the files of another job, second, which has ended"):
        operations.restart(context, found.path, "nb", name="third")
    operations.kill(context, "second", remove=True)
    operations.restart(context, found.path, "nb", name="third")
    ends_well(context, "third")
    assert context.store.checkpoints(context.store.load("job")) == [found.path]


def test_nothing_but_the_directory_is_needed(
    nodes: dict[str, SshNode], context: Context, steady: Path, tmp_path: Path
) -> None:
    """The job has ended with its checkpoint and is forgotten; another host starts it, and moves it."""
    start(context, steady)
    found = operations.checkpoint(context, "job", tmp_path / "to", end=True)
    assert (context.store.load("job").state, context.store.load("job").exit) == (State.EXITED, "checkpoint")
    operations.kill(context, "job", remove=True)
    other = context_of(tmp_path / "other", nodes)
    operations.restart(other, found.path, "nb")
    operations.migrate(other, "job", "na")
    ends_well(other, "job")
    operations.kill(other, "job", remove=True)


def test_again_and_again(context: Context, steady: Path, tmp_path: Path) -> None:
    """Until it ends; only the newest stay, and each of them can be started. All of it is its owner's alone."""
    job, made = start(context, steady), []
    for found in operations.checkpoint_every(context, "job", 0.05, tmp_path / "to", keep=2):
        made.append(found)
        if len(made) == 3:
            operations.kill(context, "job")
    assert len(made) == 3
    assert checkpoints.listed(tmp_path / "to", "job") == [found.path for found in made[1:]]
    assert len(list((tmp_path / "to").iterdir())) == 2
    for path in [made[2].path, *made[2].path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert "pages-1.img" in {path.name for path in made[2].images.iterdir()}
    assert not context.places(job).node.exists(f"{DATA}/jobs/job/images")
    for found in made[1:]:
        operations.restart(context, found.path, "nb")
        ends_well(context, "job")


def test_what_is_damaged_or_pretends_is_refused(context: Context, steady: Path, tmp_path: Path) -> None:
    start(context, steady)
    found = operations.checkpoint(context, "job", tmp_path / "to", end=True)
    expect_owner(found)
    pretended = replace(found, manifest=replace(found.manifest, user="nobody", uid=65534))
    with pytest.raises(FormatError, match=r"thread \d+ runs as user 0, expected nobody \(65534\)"):
        expect_owner(pretended)
    pages = found.images / "pages-1.img"
    data = bytearray(pages.read_bytes())
    data[100] ^= 1
    pages.write_bytes(data)
    with pytest.raises(TransprocError, match=r"pages-1\.img: is not what was written"):
        operations.restart(context, found.path, "nb")
    assert context.store.load("job").state is State.EXITED, "it is not forgotten for that"


def test_what_is_left_out(context: Context, steady: Path, tmp_path: Path) -> None:
    job = start(context, steady)
    place = context.places(job)
    script = 'cd "$1"; mkdir cache; echo x >cache/a; echo y >b.tmp; echo z >c'
    place.node.run(["sh", "-c", script, "sh", f"{place.data}/work"])
    with pytest.raises(
        CheckpointError, match=r"process \d+ uses lines, which is to be left out; .* runs on na"
    ):
        operations.checkpoint(context, "job", tmp_path / "to", files=False)
    operations.checkpoint(context, "job", tmp_path / "to", end=True, exclude=["cache", "*.tmp"])
    (path,) = (tmp_path / "to").iterdir()
    operations.restart(context, path, "nb")
    place = context.places(context.store.load("job"))
    assert place.node.output(["ls", f"{place.data}/work"]) == "c\nlines\n"
    ends_well(context, "job")


def test_a_small_system_takes_what_gnu_tar_has_written(
    context: Context, steady: Path, nodes: dict[str, SshNode], machines: NativeNodes, tmp_path: Path
) -> None:
    """Busybox's tar knows no holes: they are filled on the way."""
    job = start(context, steady)
    place = context.places(job)
    place.node.run(["truncate", "-s", "3M", f"{place.data}/work/holes"])
    found = operations.checkpoint(context, "job", tmp_path / "to", end=True)
    assert found.archive.stat().st_size < 1 << 20
    tar = nodes["nb"].output(["sh", "-c", "readlink -f $(command -v tar)"]).strip()
    nodes["nb"].run(["sh", "-c", f"mount --bind $(command -v busybox) {tar}"])
    anew = nodes_of(machines.configuration)  # it is asked once which tar it has
    other = context_of(tmp_path / "other", anew)
    try:
        assert not anew["nb"].gnu_tar
        operations.restart(other, found.path, "nb")
        place = other.places(other.store.load("job"))
        assert place.sizes([f"{place.data}/work/holes"]) == [3 << 20]
        ends_well(other, "job")
    finally:
        operations.discard(other, "job")
        nodes["nb"].run(["umount", tar])
        for node in anew.values():
            node.close()


@pytest.mark.parametrize(
    ("name", "when", "least"), [("forks", "write_all", 4), ("threads", "work", 2)], ids=["forks", "threads"]
)
def test_several_processes_or_threads(
    context: Context, tmp_path: Path, name: str, when: str, least: int
) -> None:
    """There, and back, when there are several: it prints what it does undisturbed."""
    program = next(program for program in programs() if program.name == name)
    binary, words = compiled(program.source, tmp_path, *CFLAGS, "-pthread"), program.arguments("smoke")
    undisturbed = output([f"{binary}.x86_64", *words])
    operations.run(context, Program([str(binary), *words]), "na", name="job", pause_at=when)
    for node in ("nb", "na"):
        operations.pause(context, "job", count=30)
        found = operations.checkpoint(context, "job", tmp_path / "to", end=True)
        assert len(found.manifest.ids) >= least
        operations.restart(context, found.path, node, paused=True)
    operations.resume(context, "job")
    assert wait(context.store, "job", context.places, 30).exit == "status 0"
    assert context.places(context.store.load("job")).read("stdout").decode() == undisturbed


def test_time_and_files_elsewhere(
    context: Context, nodes: dict[str, SshNode], witness: Path, tmp_path: Path
) -> None:
    """Clocks and timers go on where they were; files beyond the job's directory must be there, and be the same."""
    nodes["na"].put_bytes(b"hello", "/run/read")
    program = Program([str(witness), "/run/read", "/run/log"])
    job = operations.run(context, program, "na", name="witness")
    goes_on(context, job, 0)
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
    count = lines(context, job)
    goes_on(context, job, count)
    context.places(job).node.run(["touch", f"{context.places(job).data}/work/stop"])
    assert wait(context.store, "witness", context.places, 10).exit == "status 0"
    rows = [line.split() for line in context.places(job).read("stdout").decode().splitlines()[:-1]]
    assert [int(row[0]) for row in rows] == list(range(len(rows)))
    assert {row[4] for row in rows} == {"hello", "hallo!"}
    steps = [
        [int(b) - int(a) for a, b in zip(one[1:4], other[1:4], strict=True)] for one, other in pairwise(rows)
    ]
    assert all(0 <= monotonic < 2500 and 0 <= cpu < 2500 for monotonic, cpu, _ in steps)
    assert int(rows[-1][3]) > int(rows[count][3]), "the timer strikes"
    written = nodes["nb"].get_bytes("/run/log").decode()
    assert written.startswith(log.decode() + "x") and written.endswith(f"\n{len(rows) - 1}\n")
    for node in nodes.values():
        node.run(["rm", "-f", "/run/read", "/run/log"])
