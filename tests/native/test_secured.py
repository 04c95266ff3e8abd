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
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.native.nodes import NativeNodes, Setting
from tests.native.performing import begun, clearing, nodes_of
from tests.native.processes import borrowers
from tests.native.test_follow import MEGABYTES, NAME, PAUSE, Moving, finish, go, program, undisturbed
from transproc.cluster import operations
from transproc.cluster.job import State
from transproc.cluster.operations import Context
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


@dataclass
class Held:
    """A program on its way to `nb`, where criu waits before it restores, and the two who bring its memory."""

    context: Context
    moving: Moving
    both: list[int]

    def strike(self, number: signal.Signals) -> None:
        for pid in self.both:
            os.kill(pid, number)

    def expect_failed(self) -> None:
        self.moving.join(30)
        words = f"{self.moving.error}"
        assert "who brings the program its memory is gone" in words and f"{NAME} runs on na again" in words

    def expect_whole(self, undisturbed: str) -> None:
        """It moves when it is asked to once more, and nothing was lost."""
        operations.migrate(self.context, NAME, "nb")
        go(self.context)
        finish(self.context, undisturbed)


@pytest.fixture
def held(slow: Slow, machines: NativeNodes, program: Path, tmp_path: Path) -> Iterator[Held]:
    nodes = nodes_of(machines.configuration)
    with clearing(tmp_path / "state", nodes) as context:
        begun(context, NAME, [program, str(MEGABYTES), str(PAUSE)])
        slow.hold.touch()
        moving = Moving(context)
        _await(slow.holds)
        both = borrowers(machines, "nb")
        assert len(both) == 2
        yield Held(context, moving, both)
        slow.hold.unlink(missing_ok=True)
    for node in nodes.values():
        node.close()


def test_both_are_killed_before_they_take_what_criu_sends(slow: Slow, held: Held, undisturbed: str) -> None:
    held.strike(signal.SIGSTOP)
    slow.hold.unlink()
    _await(slow.restored)
    time.sleep(0.5)
    state = held.context.store.load(NAME).state
    held.strike(signal.SIGKILL)
    held.expect_failed()
    assert state is State.RESTORED, "it was let go before"
    held.expect_whole(undisturbed)


def test_both_are_killed_while_criu_restores(slow: Slow, held: Held, undisturbed: str) -> None:
    """What it has restored so far is killed with them, and it may wait for that for ever: it is not waited for."""
    held.strike(signal.SIGSTOP)  # else one of them could start another
    held.strike(signal.SIGKILL)
    held.expect_failed()
    slow.hold.unlink()
    held.expect_whole(undisturbed)
