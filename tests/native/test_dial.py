# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Connections that are made here for OpenSSH's client: it takes them as they are, and nobody waits on them."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from transproc.cluster import dial
from transproc.cluster.node import SshNode

pytestmark = pytest.mark.native

DELAYED = 0.04
"""Seconds until TCP acknowledges what nobody answers (TCP_DELACK_MIN, include/net/tcp.h)."""


@contextmanager
def taken(port: int, place: Path) -> Iterator[socket.socket]:
    """A connection as the client gets it."""
    ours, theirs = socket.socketpair()
    with ours, dial.dialled("127.0.0.1", port, place, timeout=5.0):
        with theirs:
            command = dial.proxy(place)[1].partition("=")[2]
            subprocess.run(["sh", "-c", f"exec {command}"], stdout=theirs.fileno(), check=True, timeout=10)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=fds[0]) as connection:
            yield connection


def test_small_packets_are_not_waited_for(tmp_path: Path) -> None:
    def serve() -> None:
        """As sshd: two small packets after each of the client's, of which TCP holds the second until it hears of the first."""
        peer, _ = listener.accept()
        with peer:
            while peer.recv(1):
                peer.send(b"1")
                peer.send(b"2")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        with taken(listener.getsockname()[1], tmp_path / "dial") as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            took = []
            for _ in range(7):
                connection.send(b"0")
                begin = time.perf_counter()
                assert connection.recv(1) + connection.recv(1) == b"12"
                took.append(time.perf_counter() - begin)
                time.sleep(0.01)
        server.join()
    assert sorted(took[2:])[2] < DELAYED / 2, took  # the first ones TCP acknowledges at once anyway


def test_a_client_that_never_asks_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin = time.monotonic()
        with dial.dialled("127.0.0.1", listener.getsockname()[1], tmp_path / "dial", timeout=60.0):
            pass
        assert time.monotonic() - begin < 10


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        pytest.raises(ConnectionRefusedError),
        dial.dialled("127.0.0.1", port, tmp_path / "dial", timeout=5.0),
    ):
        pass


def test_who_hands_it_on_is_compiled_before_a_server_waits(
    nodes: dict[str, SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the first command of a new version connected first: on a busy machine the server's patience (LoginGraceTime) was over
    before its client was started."""
    order: list[str] = []
    build, connect = dial.build, socket.create_connection

    def built(isa: str) -> Path:
        path = build(isa)
        order.append("built")
        return path

    def connected(address: tuple[str, int], timeout: float) -> socket.socket:
        order.append("connected")
        return connect(address, timeout)

    monkeypatch.setattr(dial, "build", built)
    monkeypatch.setattr(socket, "create_connection", connected)
    with SshNode("far", nodes["na"].address) as far:
        assert far.output(["echo", "session"]) == "session\n"
    assert order[:2] == ["built", "connected"]


def test_a_session_and_its_channels_use_it(
    nodes: dict[str, SshNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    usual = socket.create_connection

    def create(address: tuple[str, int], timeout: float) -> socket.socket:
        made.append(address[1])
        return usual(address, timeout)

    monkeypatch.setattr(socket, "create_connection", create)
    with SshNode("far", nodes["na"].address) as far:
        assert far.output(["echo", "session"]) == "session\n"
        far.spare(2)
        with far.channel().connection.process as one:
            assert one.poll() is None
            one.kill()
    assert made == [nodes["na"].address.port]
