# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is sent with a plan arrives, and what somebody makes up leads to no file of the controller's host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from transproc.automation import parcel
from transproc.automation.parcel import Parcel
from transproc.automation.plans import planning, reading
from transproc.cluster import archive
from transproc.cluster.members import UPLOAD
from transproc.errors import TransprocError

PLAN = """
[jobs.j]
program = "~/bin/prog"
stdin = "in"
files = "../data"
[sequence]
main = [{ run = "j", on = "n" }]
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home: programs, a plan, and data with a link and a pipe of its own."""
    for name in ("bin", "plans", "data/inner"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("bin/prog.x86_64", "bin/real", "plans/in", "data/inner/file"):
        (tmp_path / name).write_text(name)
    (tmp_path / "bin" / "prog.aarch64").symlink_to("real")
    (tmp_path / "data" / "link").symlink_to("inner/file")
    (tmp_path / "plans" / "tour.toml").write_text(PLAN)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def received(sent: Parcel, place: Path) -> Path:
    with parcel.packed(sent) as stream, archive.unpack(place, UPLOAD) as sink:
        sink.write(stream.read())
    return place


def test_a_plan_finds_its_files_where_it_arrives(user: Path, tmp_path: Path) -> None:
    plan, problems = planning.read(reading.load(user / "plans" / "tour.toml"))
    place = received(plan.parcel, tmp_path / "there")
    found, more = planning.read(reading.load(place / "tour.toml"))
    assert not problems and not more
    job = found.jobs["j"]
    assert job.path and job.stdin and job.files
    binaries = [path.read_text() for path in parcel.pair(job.path)]
    assert binaries == ["bin/prog.x86_64", "bin/real"] and job.stdin.read_text() == "plans/in"
    assert (job.files / "link").readlink() == Path("inner/file")
    assert (job.files / "link").read_text() == "data/inner/file"
    assert all(path.is_relative_to(place) for path in (job.path, job.stdin, job.files))


def test_what_was_not_sent_is_not_looked_for(user: Path, tmp_path: Path) -> None:
    plan, _ = planning.read(reading.load(user / "plans" / "tour.toml"))
    place = received(plan.parcel, tmp_path / "there")
    (place / "tour.toml").write_text(PLAN.replace('"in"', '"/etc/passwd"'))
    _, problems = planning.read(reading.load(place / "tour.toml"))
    assert [problem.message for problem in problems] == ["stdin: '/etc/passwd' is not among what was sent"]


def test_a_file_that_shrinks_is_an_error(user: Path) -> None:
    path = user / "plans" / "in"
    path.write_bytes(bytes(1 << 22))  # more than a pipe holds
    sent = Parcel("tour.toml", PLAN, {"in": path})
    with (
        pytest.raises(TransprocError, match=r"tour\.toml: a file that it names"),
        parcel.packed(sent) as stream,
    ):
        stream.read(1)
        path.write_bytes(b"")
        stream.read()


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../passwd", "1/../../passwd", "1/in\0", "link", "tree/in", "pipe"]
)
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "tree").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / parcel.NAMES).write_text(json.dumps({"in": name}))
    with pytest.raises(TransprocError, match=r"leads out of it|as something else than a file"):
        parcel.names(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"in": 1}', "{", "[" * 100_000])
def test_a_damaged_index_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / parcel.NAMES).write_text(text)
    with pytest.raises(TransprocError):
        parcel.names(tmp_path)


def test_a_binary_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """The pair's own names count, not only the one that the plan uses."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "prog.x86_64").symlink_to("/bin/true")
    (tmp_path / parcel.NAMES).write_text(json.dumps({"prog": "1/prog"}))
    with pytest.raises(TransprocError, match=r"prog\.x86_64"):
        parcel.names(tmp_path)


def test_parcels_are_kept_as_long_as_a_plan_names_them(tmp_path: Path) -> None:
    kept = []
    for _ in range(3):
        (tmp_path / "upload").mkdir()
        kept.append(parcel.keep(tmp_path, tmp_path / "upload"))
    parcel.forget(tmp_path, kept[0] / "tour.toml")
    parcel.forget(tmp_path, tmp_path / "plans" / "tour.toml")
    parcel.sweep(tmp_path, [kept[1] / "tour.toml"])
    assert list(parcel.directory(tmp_path).iterdir()) == [kept[1]]
