# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program whose memory follows goes on only when those who bring it have hold of it: what criu has sent to them and they have
not taken is closed if they are killed, and the kernel would answer with zeros.
"""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import begun, context_of
from tests.native.processes import borrowers
from tests.native.test_follow import MEGABYTES, NAME, PAUSE, Moving, finish, go, program, undisturbed
from transproc.cluster import operations
from transproc.cluster.job import State
from transproc.cluster.node import read
from transproc.lab.rootfs import host_criu

__all__ = ["program", "undisturbed"]

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

RESTORE_SECONDS = 60.0


class Slow:
    """Nodes whose criu waits before a restore while there is a file `hold`, and says by a file `restored` that it has ended."""

    def __init__(self, directory: Path) -> None:
        self.hold, self.holds, self.restored = (directory / name for name in ("hold", "holds", "restored"))
        self.script, criu = directory / "criu", shlex.join(host_criu())
        self.script.write_text(
            f"""#!/bin/sh
[ "$1" = restore ] || exec {criu} "$@"
while [ -e {self.hold} ]; do touch {self.holds}; sleep 0.01; done
{criu} "$@" || exit
touch {self.restored}
"""
        )
        self.script.chmod(0o755)


@pytest.fixture
def slow(tmp_path: Path) -> Slow:
    return Slow(tmp_path)


@pytest.fixture
def machines(slow: Slow, tmp_path: Path) -> Iterator[NativeNodes]:
    with NativeNodes(tmp_path / "nodes", Setting(criu=[str(slow.script)])) as made:
        yield made


def _await(path: Path) -> None:
    until = time.monotonic() + RESTORE_SECONDS
    while not path.exists():
        assert time.monotonic() < until, f"{path.name}: not there"
        time.sleep(0.005)


def test_both_are_killed_before_they_take_what_criu_sends(
    slow: Slow, machines: NativeNodes, program: Path, undisturbed: str, tmp_path: Path
) -> None:
    nodes = {node.name: node for node in read(machines.configuration)}
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, str(MEGABYTES), str(PAUSE)])
    try:
        slow.hold.touch()
        moving = Moving(context)
        _await(slow.holds)
        both = borrowers(machines, "nb")
        assert len(both) == 2
        for pid in both:
            os.kill(pid, signal.SIGSTOP)
        slow.hold.unlink()
        _await(slow.restored)
        time.sleep(0.5)
        state = context.store.load(NAME).state
        for pid in both:
            os.kill(pid, signal.SIGKILL)
        moving.join(30)
        assert state is State.RESTORED, "it was let go before"
        words = f"{moving.error}"
        assert "who brings the program its memory is gone" in words and f"{NAME} runs on na again" in words
        operations.migrate(context, NAME, "nb")
        go(context)
        finish(context, undisturbed)
    finally:
        operations.discard(context, NAME)
        for node in nodes.values():
            node.close()


def test_both_are_killed_while_criu_restores(
    slow: Slow, machines: NativeNodes, program: Path, undisturbed: str, tmp_path: Path
) -> None:
    """What it has restored so far is killed with them, and it may wait for that for ever: it is not waited for."""
    nodes = {node.name: node for node in read(machines.configuration)}
    context = context_of(tmp_path / "state", nodes)
    begun(context, NAME, [program, str(MEGABYTES), str(PAUSE)])
    try:
        slow.hold.touch()
        moving = Moving(context)
        _await(slow.holds)
        both = borrowers(machines, "nb")
        assert len(both) == 2
        for number in (signal.SIGSTOP, signal.SIGKILL):  # else one of them could start another
            for pid in both:
                os.kill(pid, number)
        moving.join(30)
        words = f"{moving.error}"
        assert "who brings the program its memory is gone" in words and f"{NAME} runs on na again" in words
        slow.hold.unlink()
        operations.migrate(context, NAME, "nb")
        go(context)
        finish(context, undisturbed)
    finally:
        slow.hold.unlink(missing_ok=True)
        operations.discard(context, NAME)
        for node in nodes.values():
            node.close()
