# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plans and batches of a user who has nothing but a controller: they are sent with all that they name, and carried out there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.native.served import Served
from transproc.cluster.base import DATA

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

TOUR = """
[nodes]
a = "na"
b = "nb"
[jobs.count]
program = "../bin/counter"
arguments = ["400", "5000", "1"]
files = "data"
[sequence]
main = [
  { run = "count", on = "a" },
  { migrate = "count", to = "b" },
  { wait = "count" },
]
"""
BATCH = """
batch = "night"
goal = "cost"
[nodes]
na = { slots = 1, price = 10 }
nb = { slots = 1, price = 1 }
[[program]]
name = "short"
program = "../bin/counter"
arguments = ["40", "5000"]
seconds = { na = 0.5, nb = 0.5 }
[[program]]
name = "long"
program = "../bin/counter"
arguments = ["400", "5000", "1"]
seconds = { na = 30, nb = 30 }
"""


@pytest.fixture
def own(served: Served, counter: Path, tmp_path: Path) -> Path:
    """A user's directory with a program beside it, which the controller cannot know."""
    place = tmp_path / "user" / "plans"
    (place / "data").mkdir(parents=True)
    (place / "data" / "file").write_text("hello")
    (tmp_path / "user" / "bin").mkdir()
    for isa in ("x86_64", "aarch64"):
        shutil.copy(counter.with_name(f"counter.{isa}"), tmp_path / "user" / "bin")
    return place


def parcels(tmp_path: Path) -> list[Path]:
    place = tmp_path / "state" / "parcels"
    return list(place.iterdir()) if place.exists() else []


def test_a_plan_is_sent_with_its_program(served: Served, own: Path, tmp_path: Path) -> None:
    plan = own / "tour.toml"
    plan.write_text(TOUR)
    assert "tour.toml: can be carried out; a is na, b is nb" in served("plan", "check", plan).stdout
    for shown in (served("plan", "show", plan), served("plan", "run", plan, "--dry-run")):
        assert "migrate count to b" in shown.stdout and not parcels(tmp_path)
    done = served("plan", "run", plan)
    assert done.stdout == "count has ended on nb (status 0)\n"
    assert "✓ send tour.toml" in done.stderr and "✓ 2 migrate count to b" in done.stderr, done.stderr
    assert served("logs", "count").stdout.startswith("0\n1\n2\n")
    assert served.nodes["nb"].get_bytes(f"{DATA}/jobs/count/data/work/file") == b"hello"
    assert len(parcels(tmp_path)) == 1
    served.end()
    served.start()  # the log needs what was sent: a controller that begins keeps it
    replayed = served("plan", "replay", "tour", "--map", "a=nb", "--map", "b=na")
    assert replayed.stdout == "count has ended on na (status 0)\n"
    steps = served.json("plan", "log", "tour")["steps"]
    assert [(step["verb"], step["result"]) for step in steps] == [
        (verb, "done") for verb in ("run", "migrate", "wait")
    ]
    served("kill", "--remove", "count")


def test_what_is_wrong_with_a_plan_is_said_before_it_is_sent(
    served: Served, own: Path, tmp_path: Path
) -> None:
    """Here and there at once, with the user's own paths; commands are for admins."""
    plan = own / "tour.toml"
    plan.write_text(TOUR.replace("../bin/counter", "missing").replace('b = "nb"', 'b = "nowhere"'))
    for part in ("check", "run"):
        done = served("plan", part, plan, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and "nowhere" in said and f"{own}/missing: no such file" in said, said
    plan.write_text(TOUR.replace("{ wait", '{ command = "id", on = "a" },\n{ wait'))
    done = served("plan", "run", plan, check=False)
    assert (done.returncode, "line 13: an admin only may have commands carried out" in done.stderr) == (
        1,
        True,
    )
    assert not parcels(tmp_path) and served.json("ps") == []


def test_a_directory_of_the_first_implementation_is_sent(served: Served, own: Path, tmp_path: Path) -> None:
    for isa in ("x86_64", "aarch64"):
        shutil.move(tmp_path / "user" / "bin" / f"counter.{isa}", own / f"counter.{isa}")
    instructions = {
        "1": {"type": "run_and_infect", "addr": "main", "host": "x86-64"},
        "2": {"type": "dump", "host": "x86-64"},
        "3": {"type": "restore", "host": "x86-64"},
    }
    words = {
        "bin": "counter",
        "instructions": instructions,
        "execution": [{"freq": 1, "sequence": ["1", "2", "3"]}],
    }
    (own / "config.json").write_text(json.dumps(words))
    done = served("plan", "run", own, "--map", "x86-64=na")
    assert done.stdout.startswith("counter ") and " on na" in done.stdout
    assert served.nodes["na"].get_bytes(f"{DATA}/jobs/counter/data/work/data/file") == b"hello"
    served("kill", "--remove", "counter")


def test_a_batch_is_sent(served: Served, own: Path, tmp_path: Path) -> None:
    batch, results = own / "night.toml", tmp_path / "results"
    batch.write_text(BATCH)
    assert [line.split() for line in served("batch", batch, "--dry-run").stdout.splitlines()[1:]] == [
        ["na", "1", "10"],
        ["nb", "1", "1"],
    ]
    done = served("batch", batch, "--output", results, "--svg", tmp_path / "night.svg")
    assert "RUNS/HOUR" in done.stdout and "night-long-2 moves from na to nb" in done.stderr, done.stderr
    assert "<svg" in (tmp_path / "night.svg").read_text()
    assert (results / "night-short-1.out").read_text().startswith("0\n1\n2\n")
    assert (results / "night-long-2.out").read_text().count("\n") == 401
    assert not parcels(tmp_path) and served.json("ps") == []
