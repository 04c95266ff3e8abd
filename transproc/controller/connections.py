# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Connections of clients, which may be hostile: how long one may take to ask, and to read, and how many one address may have."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
"""From a connection's beginning, or the last answer's end, to the end of a request's headers."""
READ_SECONDS = 60.0
"""A client that reads nothing of its answer for so long has gone."""
MOST_OF_AN_ADDRESS = 400
"""Connections. Each event listener and each waiting command has one."""

_open: Counter[str] = Counter()


class Bounded(H11Protocol):
    """HTTP/1.1, as uvicorn has it, within these bounds."""

    _timer: asyncio.TimerHandle | None = None
    _address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio says."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else ""
        _open[self._address] += 1
        if _open[self._address] > MOST_OF_AN_ADDRESS:
            transport.abort()
        else:
            self._expect(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio says."""
        self._forget()
        _open[self._address] -= 1
        if _open[self._address] <= 0:
            del _open[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """As asyncio says."""
        super().data_received(data)
        if self._asked:
            self._forget()

    def on_response_complete(self) -> None:
        """As uvicorn says."""
        super().on_response_complete()
        if not self._asked and not self.transport.is_closing():
            self._expect(HEAD_SECONDS)

    def shutdown(self) -> None:
        """As uvicorn says. Who asks nothing is not waited for: TLS's own end needs an answer, which idle clients do not give."""
        super().shutdown()
        if not self._asked and not self.transport.get_write_buffer_size():
            self.transport.abort()

    def pause_writing(self) -> None:
        """As asyncio says: the client does not read."""
        super().pause_writing()
        self._expect(READ_SECONDS)

    def resume_writing(self) -> None:
        """As asyncio says."""
        super().resume_writing()
        self._forget()

    @property
    def _asked(self) -> bool:
        """A request has come and is not answered, or the connection has become another one's (a WebSocket's)."""
        cycle: Any = self.cycle
        return (cycle is not None and not cycle.response_complete) or (
            self.transport.get_protocol() is not self
        )

    def _expect(self, seconds: float) -> None:
        self._forget()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
