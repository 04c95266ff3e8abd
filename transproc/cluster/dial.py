# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""TCP connections to nodes, made here and handed to OpenSSH's client, which waits for nobody then.

OpenSSH leaves TCP's economies on while it connects. Twice one side has sent a small packet and holds the next one until that is
acknowledged (Nagle), and the other, which has nothing to say, acknowledges 40 ms later (delayed acknowledgements): once the
client, once the server. So the client's socket gets TCP_NODELAY, and acknowledges at once until the connection is there.
"""

from __future__ import annotations

import os
import shlex
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from transproc.process.build import build

POKE_SECONDS = 0.005
"""Between two words to the kernel, which forgets TCP_QUICKACK when something is sent (tcp(7))."""
LOOK_SECONDS = 0.05
"""Between two looks whether the client will ever come."""
HASTE_SECONDS = 2.0
"""After which a connection that is still not there is no matter of milliseconds."""


def proxy(place: Path) -> list[str]:
    """Options of OpenSSH's client by which it takes the connection that is handed out at `place`."""
    words = shlex.join([str(build(os.uname().machine)), "hand", "--dir", str(place)])
    return ["ProxyUseFdpass=yes", f"ProxyCommand={words.replace('%', '%%')}"]


@contextmanager
def dialled(host: str, port: int, place: Path, *, timeout: float) -> Iterator[None]:
    """A connection is handed out, once, at the socket `place`; the context ends when whoever has it has come to terms.

    Raises `OSError` if there is none after so many seconds for each of the host's addresses.
    """
    build(os.uname().machine)  # a server does not wait for a client as long as that may take
    with ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection((host, port), timeout))
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        place.unlink(missing_ok=True)
        listener.bind(str(place))
        listener.listen(1)
        listener.settimeout(LOOK_SECONDS)
        done = threading.Event()
        thread = threading.Thread(target=_hand, args=[listener, connection, done], daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _hand(listener: socket.socket, connection: socket.socket, done: threading.Event) -> None:
    taker = None
    with suppress(OSError):  # the client says what it lacks
        while taker is None and not done.is_set():
            with suppress(TimeoutError):
                taker, _ = listener.accept()
        if taker is None:
            return
        with taker:
            socket.send_fds(taker, [b"\0"], [connection.fileno()])
        for _ in range(round(HASTE_SECONDS / POKE_SECONDS)):
            if done.wait(POKE_SECONDS):
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
