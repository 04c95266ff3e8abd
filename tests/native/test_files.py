# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files go ahead of a program that runs, and when it stands only those that are different: what arrives is what was there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.compiling import compiled
from tests.native.performing import begun, context_of, expect_right
from tests.native.test_direct import Telling
from transproc.cluster import operations
from transproc.cluster.files import JobFiles
from transproc.cluster.job import Job, State
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.placed import PlacedFiles
from transproc.cluster.start import Program
from transproc.errors import MigrationError, TransprocError
from transproc.log import Step
from transproc.process.answers import Difference

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

NAME, MEGABYTES = "filing", 24
MAKE = f"""
umask 022; mkdir deep "deep/a b" gone; head -c {MEGABYTES << 20} /dev/urandom >large; cp large gone/large
for i in 1 2 3 4 5; do head -c 70000 /dev/urandom >"deep/a b/$i"; done
ln -s large link; ln large same; mkfifo pipe; printf 'equal' >'back\\slash'; truncate -s 50M holes
"""
CHANGE = r"""
set -e
touch -r 'back\slash' /tmp/$$; printf 'EQUAL' >'back\slash'; touch -r /tmp/$$ 'back\slash'; rm /tmp/$$
rm -r gone; rm "deep/a b/1" link; mkdir link; echo new >link/new; chmod 600 "deep/a b/2"; mv "deep/a b/3" "deep/a b/6"
"""
LIST = r"""
find . ! -type d -printf '%P %y %m %U %G %n %s %T@ %l\n' | sort; find . -type d -printf '%P %m\n' | sort
find . -type f -exec sha256sum {} + | sort
"""


def listed(place: Place) -> str:
    return place.node.output(["sh", "-c", f'cd "$1/work" && {{ {LIST} }}', "sh", place.data])


class At(Telling):
    """Does something when a step begins."""

    def __init__(self) -> None:
        super().__init__()
        self.actions: dict[str, Callable[[], None]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        self.actions.get(name, lambda: None)()
        with super().step(name) as step:
            yield step


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(Path(__file__).with_name("changing.c"), tmp_path_factory.mktemp("changing"))


@pytest.fixture
def context(
    nodes: dict[str, SshNode], program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Context]:
    """With the program started on `na`, and files in its directory. Files go ahead once, however long that takes."""
    monkeypatch.setattr("transproc.cluster.files.LONG_SECONDS", 1000.0)
    made = context_of(tmp_path / "state", nodes, At())
    place = begun(made, NAME, [program, "4", "10"])
    shell(place, MAKE)
    yield made
    operations.discard(made, NAME)


def shell(place: Place, script: str) -> None:
    place.node.run(["sh", "-c", f'cd "$1/work" && {script}', "sh", place.data])


def at(context: Context, step: str, action: Callable[[], None]) -> None:
    assert isinstance(context.events, At)
    context.events.actions[step] = action


def test_only_what_is_different_goes_when_it_stands(context: Context) -> None:
    place = context.places(context.store.load(NAME))
    expected: list[str] = []

    def change() -> None:
        shell(place, CHANGE)
        expected.append(listed(place))

    at(context, "pause", change)
    hop = operations.migrate(context, NAME, "nb")
    assert "files" in hop.steps
    # two copies of the large file, which has two names, go ahead; one of them, for its names, goes again
    assert 3 * MEGABYTES < hop.bytes_sent >> 20 < 4 * MEGABYTES
    assert listed(context.places(context.store.load(NAME))) == expected[0]
    expect_right(context, NAME, "nb")


INSIDE = f"""
printf here | dd of=holes bs=1 seek=7654321 conv=notrunc status=none; rm same gone/large
head -c 5000 /dev/urandom | dd of=large bs=1 seek={MEGABYTES << 19} conv=notrunc status=none; echo more >>large
"""


def test_of_a_large_file_only_what_is_different_goes(context: Context) -> None:
    place = context.places(context.store.load(NAME))
    shell(place, "rm same")
    expected: list[str] = []
    at(context, "pause", lambda: (shell(place, INSIDE), expected.append(listed(place)))[0])
    hop = operations.migrate(context, NAME, "nb")
    assert 2 * MEGABYTES <= hop.bytes_sent >> 20 < 2 * MEGABYTES + 8  # with its memory
    there = context.places(context.store.load(NAME))
    assert listed(there) == expected[0]
    blocks = there.node.output(["stat", "-c", "%b", f"{there.data}/work/holes"])
    assert int(blocks) * 512 < 1 << 20
    expect_right(context, NAME, "nb")


def test_a_copy_that_is_not_what_it_was_gets_the_whole_file(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, expected = context.places(context.store.load(NAME)), []
    shell(place, "rm same")
    at(context, "pause", lambda: (shell(place, INSIDE), expected.append(listed(place)))[0])
    remove, target = PlacedFiles.remove, context.places(context.store.load(NAME), "nb")

    def damage(files: PlacedFiles, paths: bytes) -> None:
        remove(files, paths)
        shell(target, "printf damaged | dd of=large bs=1 seek=1234567 conv=notrunc status=none")

    monkeypatch.setattr(PlacedFiles, "remove", damage)
    hop = operations.migrate(context, NAME, "nb")
    assert 3 * MEGABYTES <= hop.bytes_sent >> 20 < 3 * MEGABYTES + 8
    assert listed(context.places(context.store.load(NAME))) == expected[0]


def test_what_changes_while_they_go_ahead_goes_ahead_as_well(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a round sends little."""
    monkeypatch.setattr("transproc.cluster.files.LONG_SECONDS", 0.0)
    place, rounds = context.places(context.store.load(NAME)), []
    shell(place, "rm same")
    send = JobFiles._send_round

    def changing(files: JobFiles, told: Callable[[int], None]) -> int:
        rounds.append(send(files, told))
        name = "new" if len(rounds) == 1 else "newer"
        shell(place, f"head -c {17 << 20} /dev/urandom >{name}")
        return rounds[-1]

    monkeypatch.setattr(JobFiles, "_send_round", changing)
    operations.migrate(context, NAME, "nb")
    assert [count >> 20 for count in rounds] == [2 * MEGABYTES, 17, 17]
    there = context.places(context.store.load(NAME))
    assert there.sizes([f"{there.data}/work/{name}" for name in ("new", "newer")]) == [17 << 20] * 2


def test_small_files_go_at_once(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transproc.cluster.files.LARGE", 1 << 40)
    before = listed(context.places(context.store.load(NAME)))
    hop = operations.migrate(context, NAME, "nb")
    assert "files" not in hop.steps
    assert listed(context.places(context.store.load(NAME))) == before


FEW = r"""
rm -r large gone same link holes; mkfifo there; ln -s "deep/a b/1" "a link"; ln "deep/a b/1" "another name"
truncate -s 50M hole; printf end >>hole; touch -d '2020-02-02 02:02:02.123456789' "deep/a b/2"; chmod 2751 deep
"""


@pytest.mark.parametrize("grown", [False, True], ids=["few", "more"])
def test_few_files_go_without_a_channel(
    context: Context, monkeypatch: pytest.MonkeyPatch, grown: bool
) -> None:
    """Unless they have become more just before the program stands."""
    streams: list[str] = []
    usual = SshNode.relay

    def relay(node: SshNode, path: str, *words: Any, **options: Any) -> int:
        streams.append(path)
        return usual(node, path, *words, **options)

    place, expected = context.places(context.store.load(NAME)), []
    shell(place, FEW)
    monkeypatch.setattr(SshNode, "relay", relay)
    at(context, "pause", lambda: shell(place, "head -c 2000000 /dev/urandom >more") if grown else None)
    at(context, "dump", lambda: expected.append(listed(place)))
    operations.migrate(context, NAME, "nb")
    assert (place.data in streams) == grown
    assert listed(context.places(context.store.load(NAME))) == expected[0]
    expect_right(context, NAME, "nb")


def kept(place: Place) -> bool:
    """Whether the node has files that an earlier stay of the job has left."""
    return place.node.exists(f"/var/lib/transproc/kept/{place.job.id}/data/work")


def test_a_node_that_it_has_left_knows_most_of_them(
    nodes: dict[str, SshNode],
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There and back, with changes between; some files vanish, or change, between the look at them and their being sent."""
    context = context_of(tmp_path / "state", nodes, At())
    operations.run(context, Program([str(program), "4", "10"]), "na", name=NAME, keep_files=True)
    na, nb = (context.places(context.store.load(NAME), node) for node in ("na", "nb"))
    shell(na, f"{MAKE} rm same")
    expected: list[str] = []
    changes, looks = PlacedFiles.changes, 0

    def meanwhile(files: PlacedFiles, *, patches: bool) -> Difference:
        nonlocal looks
        found = changes(files, patches=patches)
        looks += files._node is nb.node
        if files._node is nb.node and looks == 1:
            assert found.patched == 2
            shell(nb, "rm 'deep/a b/4' gone/large; echo 5 >'deep/a b/5'; echo more >>large")
        return found

    monkeypatch.setattr(PlacedFiles, "changes", meanwhile)
    try:
        assert operations.migrate(context, NAME, "nb").bytes_sent >> 20 > MEGABYTES
        assert kept(na) and not kept(nb)
        shell(nb, "echo more | tee -a large >>gone/large")
        at(context, "pause", lambda: (shell(nb, CHANGE), expected.append(listed(nb)))[0])
        assert operations.migrate(context, NAME, "na").bytes_sent >> 20 < MEGABYTES
        assert listed(na) == expected[0]
        assert kept(nb) and not kept(na)
        expect_right(context, NAME, "na")
    finally:
        operations.discard(context, NAME)
    assert not kept(na) and not kept(nb)


def test_of_what_a_user_has_left_another_copy_is_taken(nodes: dict[str, SshNode]) -> None:
    """Somebody may have it open."""
    place = Place(nodes["na"], Job("theirs", "na", ["prog"], user="nobody", uid=65534, gid=65534))
    kept = f"/var/lib/transproc/kept/{place.job.id}"
    make = 'mkdir -p "$1/data/work" "$2"; cd "$1/data/work"; echo 1 >file; ln -s /etc link; chown -hR 65534 .'
    about = 'cd "$1/work" && stat -c "%i" file && stat -c "%u" file link && readlink link'

    def found(where: str) -> list[str]:
        return place.node.output(["sh", "-c", about, "sh", where]).split()

    assert not place.files.take_kept()
    place.node.run(["sh", "-c", make, "sh", kept, place.directory])
    before = found(f"{kept}/data")
    assert place.files.take_kept()
    after = found(place.data)
    assert not place.node.exists(kept)
    place.node.run(["rm", "-r", place.directory])
    assert before[0] != after[0]
    assert before[1:] == after[1:] == ["65534", "65534", "/etc"]


@pytest.mark.parametrize("recovers", [True, False])
def test_what_a_job_has_left_goes_with_it(
    nodes: dict[str, SshNode], program: Path, tmp_path: Path, recovers: bool
) -> None:
    context = context_of(tmp_path / "state", nodes)
    operations.run(context, Program([str(program), "4", "10"]), "na", name=NAME, keep_files=True)
    operations.migrate(context, NAME, "nb")
    na = context.places(context.store.load(NAME), "na")
    assert kept(na)
    assert operations.sweep(context) == []
    if recovers:
        context.places(context.store.load(NAME)).end()
        context.store.remove(NAME)
        assert operations.sweep(context) == ["node na: removed the files of a job that has ended"]
    else:
        operations.kill(context, NAME, remove=True)
    assert not kept(na)


@pytest.mark.parametrize("limit", ["MOST_INVENTORY", "tar"])
def test_files_that_cannot_go_ahead_go_when_it_stands(
    context: Context, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    if limit == "tar":
        monkeypatch.setattr(PlacedFiles, "inventory", lambda files: files._node.run(["false"]).stdout)
    else:
        monkeypatch.setattr("transproc.cluster.files.MOST_INVENTORY", 10)
    place, expected = context.places(context.store.load(NAME)), []
    at(context, "pause", lambda: (shell(place, CHANGE), expected.append(listed(place)))[0])
    operations.migrate(context, NAME, "nb")
    assert listed(context.places(context.store.load(NAME))) == expected[0]


@pytest.mark.parametrize("step", ["pause", "restore"])
def test_a_failure_leaves_nothing_there(context: Context, step: str) -> None:
    before = listed(context.places(context.store.load(NAME)))

    def fail() -> None:
        raise TransprocError("no")

    at(context, step, fail)
    with pytest.raises(MigrationError):
        operations.migrate(context, NAME, "nb")
    job = context.store.load(NAME)
    assert (job.state, job.node) == (State.RUNNING, "na")
    assert not context.places(job, "nb").node.exists(context.places(job, "nb").directory)
    assert listed(context.places(job)) == before


def test_it_can_be_interrupted_meanwhile(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transproc.cluster.join.TELL_SECONDS", 0.0)

    def stop(self: object, count: int, whole: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Step, "progress", stop)
    with pytest.raises(MigrationError, match="was not touched"):
        operations.migrate(context, NAME, "nb")
    monkeypatch.undo()
    operations.migrate(context, NAME, "nb")
    expect_right(context, NAME, "nb")


def test_each_stream_tells_how_far_it_is(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image and the files while the program stands, and the files that went ahead."""
    monkeypatch.setattr("transproc.cluster.join.TELL_SECONDS", 0.0)
    monkeypatch.setattr("transproc.cluster.move.TELL_SECONDS", 0.001)
    monkeypatch.setattr("transproc.cluster.parcel.LARGEST", 0)
    told: dict[str, list[tuple[int, int]]] = {}
    monkeypatch.setattr(
        Step, "progress", lambda step, *amounts: told.setdefault(step.name, []).append(amounts)
    )
    send = JobFiles.send

    def slowly(files: JobFiles) -> int:
        count, until = send(files), time.monotonic() + 30
        while "ship" not in told and time.monotonic() < until:
            time.sleep(0.001)
        return count

    monkeypatch.setattr(JobFiles, "send", slowly)
    operations.migrate(context, NAME, "nb")
    assert {"files", "fetch", "ship"} <= set(told)
    for name in ("files", "fetch"):
        assert told[name] == sorted(told[name]) and all(0 < done <= total for done, total in told[name])
