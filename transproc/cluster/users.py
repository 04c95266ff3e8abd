# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whom a job runs as.

Who starts a job should own it on the nodes too, though transproc comes there as root, which criu needs: so its user is, unless
another one is asked for, the user who started it, on a node that knows that name.
"""

from __future__ import annotations

import re

from transproc.cluster import scripts
from transproc.cluster.events import Events
from transproc.cluster.job import Job
from transproc.cluster.node import Node
from transproc.errors import TransprocError
from transproc.process.runner import understood

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def choose(job: Job, node: Node, events: Events, *, user: str | None, starter: str | None) -> None:
    """Sets the user of a new job: `user` if one is asked for, else `starter` where the node knows that name, else nobody's.

    Raises `TransprocError` if the node does not know `user`, or cannot start programs as another.
    """
    name = user or starter
    if name is None:
        return
    if not _NAME.fullmatch(name):
        raise TransprocError(f"user {name!r}: not a user's name")
    done = node.run(["sh", "-c", scripts.USER, "sh", name], check=False)
    if done.returncode:
        if user:
            raise TransprocError(
                f"node {node.name}: knows no user {user}",
                hint="add the user there, with the same number as elsewhere",
            )
        events.note(
            f"node {node.name} knows no user {name}: {job.name} runs there as transproc does (--user names another)"
        )
        return
    with understood(f"node {node.name}"):
        uid, gid, groups, own = done.stdout.decode().splitlines()
        numbers = int(uid), int(gid), [int(word) for word in groups.split()], int(own)
    if numbers[0] == numbers[3]:
        return
    if numbers[3] != 0:
        if user:
            raise TransprocError(
                f"node {node.name}: only root can start programs as another user, transproc is user {own} there"
            )
        return
    job.user, job.uid, job.gid, job.groups = name, *numbers[:3]
