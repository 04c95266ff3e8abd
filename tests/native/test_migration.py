# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs migrate between two real machines of this ISA, and nothing differs from an undisturbed run."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compiling import compiled
from tests.native.nodes import NativeNodes
from tests.native.performing import begun, context_of, expect_right
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.migration import Migration
from transproc.cluster.node import DATA, SshNode
from transproc.cluster.operations import Context, discard, migrate, pause, resume, run
from transproc.cluster.place import Place
from transproc.cluster.start import Program, start
from transproc.cluster.store import JobStore
from transproc.cluster.watch import wait
from transproc.run import output
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


def test_what_an_ended_job_of_that_name_has_elsewhere_goes(
    nodes: dict[str, SshNode], counter: Path, tmp_path: Path
) -> None:
    """A name is used again on another node: nothing of the earlier job stays."""
    store = JobStore(tmp_path / "jobs")
    context = Context(
        store, lambda job, name=None: Place(nodes[name or job.node], job), pipeline.carry, Silent()
    )
    program = Program([str(counter), "1", "0"])
    for node in ("na", "nb"):
        run(context, program, node, name="again")
        assert wait(store, "again", context.places, 30).exit == "status 0"
    found = {name: node.exists(f"{DATA}/jobs/again") for name, node in nodes.items()}
    discard(context, "again")
    assert found == {"na": False, "nb": True}


def test_children_that_end_are_no_copies(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """Who asks for a job's processes while some of them end is not told of another tree."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("forking.c"), tmp_path)
    place = begun(context, "many", [program, "1"])
    try:
        assert {tuple(place.found()) for _ in range(60)} == {(place.job.pid,)}
    finally:
        discard(context, "many")


def test_a_program_goes_there_and_back(nodes: dict[str, SshNode], counter: Path, tmp_path: Path) -> None:
    words = ["600", "5000", "4"]
    store = JobStore(tmp_path / "jobs")
    job = Job("counter", "na", ["counter", *words, "go"])

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    start(store, place_of(job), Program([str(counter), *words, "go"]))
    try:
        for target in ("nb", "na"):
            Migration(store, job, place_of(job), place_of(job, target), transform=pipeline.carry).run()
        place_of(job).node.put_bytes(b"", f"{place_of(job).data}/work/go")
        ended = wait(store, job.name, place_of, 30)
        assert ended.exit == "status 0"
        assert ended.moves == 2
        assert [(hop.source, hop.target) for hop in ended.history] == [("na", "nb"), ("nb", "na")]
        assert place_of(ended).read("stdout").decode() == output([f"{counter}.x86_64", *words])
    finally:
        discard(Context(store, place_of, pipeline.carry, Silent()), job.name)


def test_only_what_cannot_be_found_out_is_waited_for(
    nodes: dict[str, SshNode], counter: Path, tmp_path: Path
) -> None:
    """By the disk of the host: that the target may have something, that there may be a copy, and that it may have been let go."""
    store = JobStore(tmp_path / "jobs")
    job = Job("waiting", "na", ["counter", "100000", "5000"])

    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(nodes[name or job.node], job)

    start(store, place_of(job), Program([str(counter), "100000", "5000"]))
    try:
        said: list[str] = []
        store.database.connection.set_trace_callback(said.append)
        Migration(store, job, place_of(job), place_of(job, "nb"), transform=pipeline.carry).run()
        store.database.connection.set_trace_callback(None)
    finally:
        discard(Context(store, place_of, pipeline.carry, Silent()), job.name)
    changes = [line for line in said if not line.startswith(("PRAGMA", "SELECT"))]
    awaited = [
        line
        for before, line in itertools.pairwise(said)
        if line in changes and before != "PRAGMA synchronous = NORMAL"
    ]
    (first,), (last,) = (
        [number for number, line in enumerate(changes) if "INTO steps" in line and f"'{step}'" in line]
        for step in ("dump", "retire")
    )
    down = [line for line in changes[first:last] if line in awaited]
    assert len(changes[first:last]) > 15
    assert ["restored" in down[0], "'resume'" in down[1]] == [True, True], down
    assert "INTO attempts" in said[0]
    may_have, *between, runs, ended = awaited
    assert '"target": "nb"' in may_have and between == down[:2]
    assert '"state": "running"' in runs and "UPDATE attempts" in ended


def test_a_command_that_connects_ahead(
    machines: NativeNodes, nodes: dict[str, SshNode], counter: Path, tmp_path: Path
) -> None:
    """As users type it; what it guesses of its words may be wrong, and then costs nothing but time."""
    environment = os.environ | {
        "TRANSPROC_NODES": str(machines.configuration),
        "TRANSPROC_STATE": str(tmp_path),
    }

    def transproc(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", "from transproc.cli.main import main; main()", *words]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert (
        transproc("run", "--node", "na", "--name", "ahead", "--", str(counter), "100000", "5000").returncode
        == 0
    )
    try:
        there = transproc("migrate", "ahead", "--to", "nb")
        assert (there.returncode, there.stdout.startswith("ahead runs on nb")) == (0, True), there.stderr
        back = transproc("migrate", "--to", "na", "ahead")
        assert (back.returncode, back.stdout.startswith("ahead runs on na")) == (0, True), back.stderr
        for words, message in [
            (["nobody", "--to", "nb"], "job nobody: no such job"),
            (["ahead", "--to", "nowhere"], "node nowhere"),
            (["ahead", "--to"], "requires an argument"),
        ]:
            found = transproc("migrate", *words)
            assert found.returncode != 0 and message in found.stderr, found
    finally:
        assert transproc("kill", "--remove", "ahead").returncode == 0


def test_who_waits_keeps_the_text_of_its_file(nodes: dict[str, SshNode], tmp_path: Path) -> None:
    """Breakpoints are only where somebody runs: a page that had some is the process's own, and travels with it."""
    context = context_of(tmp_path / "state", nodes)
    program = compiled(Path(__file__).with_name("crowd.c"), tmp_path)
    place = begun(context, "crowd", [program, "5"])
    try:
        for target in ("nb", "na"):
            pause(context, "crowd")
            there = context.places(context.store.load("crowd"))
            first, *others = changed_text(there)
            assert (first > 0, others) == (True, [0] * 5)
            resume(context, "crowd")
            migrate(context, "crowd", target)
        expect_right(context, "crowd", "na")
    finally:
        discard(context, "crowd")
    assert not place.node.exists(place.directory)


def changed_text(place: Place) -> list[int]:
    """Kilobytes of its program that each process has of its own, the first one's first."""
    text = """
for p in $2 $(cat "/proc/$2/task/$2/children"); do
  awk -v name="/bin/$1" '
    /^[0-9a-f]+-/ { ours = $2 == "r-xp" && index($0, name) }
    ours && $1 == "Private_Dirty:" { sum += $2 }
    END { print sum }' "/proc/$p/smaps"
done"""
    words = place.node.output(["sh", "-c", text, "sh", Path(place.program).name, str(place.job.pid)])
    return [int(line) for line in words.splitlines()]
