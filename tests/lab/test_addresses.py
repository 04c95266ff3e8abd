# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job's address goes with it to the other ISA, and so do its connections, with what is on its way in both directions."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compiling import compiled
from transproc.cluster import operations
from transproc.cluster.events import Silent
from transproc.cluster.job import Job
from transproc.cluster.node import SshNode
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.transform import pipeline

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

ECHO = Path(__file__).parent.parent / "native" / "echo.c"
ADDRESSES = ("10.77.0.5/24", "fd77::5/64")
IPV4, IPV6 = "10.77.0.5", "fd77::5"
ECHOES, TALKS = 7000, 7001
DATA = b"".join(b"%07d\n" % number for number in range(40_000))
"""More than the buffers of both ends hold, so that both directions are full when nobody reads."""


class Peer:
    """A connection from one of the machines."""

    def __init__(self, node: SshNode, host: str, port: int) -> None:
        words = node.command(f"exec nc {host} {port}")
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @contextmanager
    def saying(self, data: bytes) -> Iterator[None]:
        """Says it meanwhile, as fast as it is taken."""
        talker = threading.Thread(target=self._say, args=(data,))
        talker.start()
        yield
        talker.join()

    def _say(self, data: bytes) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def hear(self, size: int) -> bytes:
        """As many bytes, or fewer if the connection was lost."""
        assert self._process.stdout
        return self._process.stdout.read(size)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def context(guests: dict[str, SshNode], tmp_path: Path) -> Context:
    def place_of(job: Job, name: str | None = None) -> Place:
        return Place(guests[name or job.node], job)

    return Context(JobStore(tmp_path / "jobs"), place_of, pipeline.carry, Silent())


def test_connections_survive_between_the_isas(
    context: Context, guests: dict[str, SshNode], tmp_path: Path
) -> None:
    program = Program([str(compiled(ECHO, tmp_path)), IPV4, IPV6])
    job = operations.run(context, program, "x86", name="echo", addresses=ADDRESSES)
    while not context.places(job).read("stdout"):
        time.sleep(0.05)
    echoes = [Peer(guests["x86"], IPV4, ECHOES), Peer(guests["arm"], IPV6, ECHOES)]
    talker = Peer(guests["arm"], IPV4, TALKS)
    number = 0
    try:
        for target in ("arm", "x86"):
            with echoes[0].saying(DATA), echoes[1].saying(DATA):
                time.sleep(1)
                operations.migrate(context, job.name, target)
                assert all(peer.hear(len(DATA)) == DATA for peer in echoes)
            for _ in range(1000):
                assert talker.hear(len(str(number)) + 1) == b"%d\n" % number
                number += 1
    finally:
        for peer in (*echoes, talker):
            peer.close()
        operations.discard(context, job.name)
