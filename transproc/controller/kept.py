# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A client's connections to its controller, which stay open for the next request: to begin one takes longer than most answers."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
import weakref
from http.client import HTTPSConnection

from transproc.controller.contexts import CONNECT_SECONDS, Controller, trust
from transproc.controller.patience import UnreachedError

ANSWER_SECONDS = 120.0
"""For an answer, and between two lines of a stream, in which one comes every 15 s."""
SECONDS = 5.0
"""A connection that was not used for longer is not used again: the controller ends those that ask nothing for 15 s."""
MOST = 4
"""Connections that are kept."""


class Kept:
    """Of one controller. Methods may be called from several threads."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._trust = trust(controller)
        self._idle: list[tuple[float, HTTPSConnection]] = []
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._idle)

    def take(self) -> HTTPSConnection:
        """One that was used just now and that the controller has not ended, or a new one, which connects when it is used."""
        while (found := self._last()) is not None:
            since, connection = found
            # what can be read of a connection that waits for nothing is its end
            if time.monotonic() - since < SECONDS and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return self.new()

    def _last(self) -> tuple[float, HTTPSConnection] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def new(self) -> HTTPSConnection:
        """A new one, which connects when it is first used."""
        host, port = self._controller.place
        return HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=self._trust)

    def give(self, connection: HTTPSConnection) -> None:
        """One whose answer was read to its end."""
        with self._lock:
            if connection.sock is not None and len(self._idle) < MOST:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()


def begin(connection: HTTPSConnection) -> None:
    """Connects. Raises OSError, which is an `UnreachedError` if nothing has answered."""
    try:
        connection.connect()
    except (ConnectionResetError, ssl.SSLEOFError):
        raise  # it was there, and has ended
    except OSError as error:
        raise UnreachedError(str(error)) from error
    connection.sock.settimeout(ANSWER_SECONDS)
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _close(idle: list[tuple[float, HTTPSConnection]]) -> None:
    for _, connection in idle:
        connection.close()
