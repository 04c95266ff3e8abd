# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The process of a controller: its socket, TLS, signals, and a stop that leaves nothing half done."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

from transproc.controller import systemd
from transproc.controller.app import create_app
from transproc.controller.certificate import Certificate
from transproc.controller.connections import Bounded
from transproc.controller.service import Service
from transproc.errors import TransprocError

PORT = 8421
HEAD_BYTES = 32 << 10
"""Of a request's first line and headers."""
IDLE_SECONDS = 30
"""A connection without a request is ended."""
MOST_CONNECTIONS = 1000
CLOSE_SECONDS = 5
"""After a signal: for answers that are under way."""


class Server(uvicorn.Server):
    """`certificate`: None for plain HTTP, which only a proxy on this host may ask for."""

    def __init__(
        self, service: Service, certificate: Certificate | None, *, log_level: str | None = None
    ) -> None:
        self.service = service
        config = uvicorn.Config(
            create_app(service),
            log_config=None,
            log_level=log_level,
            access_log=False,
            server_header=False,
            date_header=True,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=CLOSE_SECONDS,
            limit_concurrency=MOST_CONNECTIONS,
            h11_max_incomplete_event_size=HEAD_BYTES,
            proxy_headers=False,
            http=Bounded,
            ws="none",
            ssl_certfile=certificate.path if certificate else None,
            ssl_keyfile=certificate.key if certificate else None,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`serve` has taken them, for longer than uvicorn would."""
        yield

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """No more requests; what runs is given its grace, and a second call ends that. A signal's handler."""
        if self.should_exit:
            self.service.hurry()
        self.should_exit = True
        self.service.stream.close()  # listeners would never end by themselves
        threading.Thread(target=self.service.terminals.close).start()  # its locks may be held here


def serve(server: Server, place: socket.socket) -> None:
    """Answers at a socket until a signal comes, then brings everything to its end."""
    gc.collect()
    gc.freeze()  # what a controller is made of stays: to look through it for garbage takes 90 ms, in the middle of a migration
    before = {number: signal.signal(number, server.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        systemd.notify("READY=1")
        server.run([place])
    finally:
        systemd.notify("STOPPING=1")
        server.service.close()
        for number, action in before.items():
            signal.signal(number, action)


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens there; `port` 0: any that is free. Raises `TransprocError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        made = socket.create_server((address, port), family=family, backlog=1024)
    except OSError as error:
        raise TransprocError(
            f"cannot listen at {address}, port {port}: {error.strerror}", hint="--listen names another one"
        ) from error
    # asyncio sets this for sockets that say they are TCP's; those that come from here do not, and wait 40 ms for each answer
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setblocking(False)
    return made
