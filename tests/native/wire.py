# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The network between this host and a node: a relay for its port, which can be cut, stand still, or change a bit."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SIZE = 1 << 16
LEAST = 200
"""Bytes: what is smaller may be no more than a sign of life."""


class Wire:
    """Passes everything between `port`, a new one of 127.0.0.1, and the node's own one."""

    def __init__(self, node: int) -> None:
        self._node = node
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._open: list[socket.socket] = []
        self._goes = threading.Event()
        self._goes.set()
        self._broken = self._damage = False
        self.held = threading.Event()
        """Something is held up on its way to the node."""
        self.passed = 0
        """Bytes, both ways."""
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Inside, connections are reset, and none can be made."""
        self._broken = True
        self._end_all()
        yield
        self._broken = False

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Inside, nothing arrives any more, and nobody is told. What was held up then is lost with its connection."""
        self._goes.clear()
        yield
        self._end_all()
        self._goes.set()

    @contextmanager
    def late(self) -> Iterator[None]:
        """Inside, nothing arrives; afterwards all does, whether who has sent it is there any more or not."""
        self.held.clear()
        self._goes.clear()
        yield
        self._goes.set()

    def wait_held(self) -> bool:
        """Until something is held up; False if nothing is by the time that all goes on."""
        while not self._goes.is_set():
            if self.held.wait(0.05):
                return True
        return False

    @contextmanager
    def corrupted(self) -> Iterator[None]:
        """One bit of what passes next is another one."""
        self._damage = True
        yield
        self._damage = False

    def close(self) -> None:
        """No connection is left."""
        self._broken = True
        self._server.close()
        self._end_all()

    def _end_all(self) -> None:
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open = []

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._server.accept()
                if self._broken:
                    here.close()
                else:
                    threading.Thread(target=self._connect, args=[here], daemon=True).start()

    def _connect(self, here: socket.socket) -> None:
        with (
            here,
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection(("127.0.0.1", self._node)) as there,
        ):
            self._open += [here, there]
            back = threading.Thread(target=self._pass, args=[there, here, False], daemon=True)
            back.start()
            self._pass(here, there, True)
            back.join()

    def _pass(self, source: socket.socket, sink: socket.socket, there: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(SIZE):
                if there and not self._goes.is_set() and len(data) >= LEAST:
                    self.held.set()
                self._goes.wait()
                self.passed += len(data)
                if self._damage and len(data) >= LEAST:
                    self._damage = False
                    middle = len(data) // 2
                    data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
