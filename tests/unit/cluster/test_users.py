# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whom a job runs as: the one that is asked for, else who starts it where the node knows that name."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import pytest

from transproc.cluster.base import Result
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.local import LocalNode
from transproc.cluster.users import choose
from transproc.errors import TransprocError


class Told(Silent):
    """Remembers what was noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        """As `Events` says."""
        self.notes.append(message)


class Ordinary(LocalNode):
    """Where transproc comes as somebody who is not root."""

    def run(self, argv: Sequence[str | PurePosixPath], **options: Any) -> Result:
        done = super().run(argv, **options)
        return Result(done.args, done.returncode, done.stdout.replace(b"\n0\n", b"\n1000\n"), done.stderr)


def chosen(
    node: LocalNode, told: Told | None = None, *, user: str | None = None, starter: str | None = None
) -> Job:
    job = Job("j", node.name, ["prog"])
    choose(job, node, told or Told(), user=user, starter=starter)
    return job


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@as_root
def test_one_who_is_known() -> None:
    nobody = pwd.getpwnam("nobody")
    for words in ({"user": "nobody"}, {"starter": "nobody"}, {"user": "nobody", "starter": "root"}):
        job = chosen(LocalNode(), **words)
        assert (job.user, job.uid, job.gid) == ("nobody", nobody.pw_uid, nobody.pw_gid)
        assert job.groups == os.getgrouplist("nobody", nobody.pw_gid)


@as_root
def test_root_is_nobody_in_particular() -> None:
    assert chosen(LocalNode()).user == chosen(LocalNode(), user="root").user == ""


def test_one_who_is_not_known() -> None:
    with pytest.raises(TransprocError, match="knows no user nobody-at-all"):
        chosen(LocalNode(), user="nobody-at-all")
    told = Told()
    assert chosen(LocalNode(), told, starter="nobody-at-all").user == ""
    assert "knows no user nobody-at-all" in told.notes[0]


@pytest.mark.parametrize("name", ["-h", "a b", "$(id)", "", "x" * 40])
def test_what_is_no_name(name: str) -> None:
    if name:
        with pytest.raises(TransprocError, match="not a user's name"):
            chosen(LocalNode(), user=name)


@as_root
def test_only_root_starts_programs_as_others() -> None:
    assert chosen(Ordinary(), starter="nobody").user == ""
    with pytest.raises(TransprocError, match="only root"):
        chosen(Ordinary(), user="nobody")


def test_records_of_before_have_no_user() -> None:
    data = Job("j", "x86", ["prog"]).as_dict()
    for key in ("user", "uid", "gid", "groups"):
        del data[key]
    assert Job.from_dict(data).user == ""
