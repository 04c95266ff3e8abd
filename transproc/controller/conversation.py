# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The user's end of a conversation with a job of a controller: a terminal here, and the job's there.

What is shown comes by one connection, what is typed goes by another. Both are made anew when they break: how far each had come is
known, so nothing is shown or typed twice, and nothing is missing. If the controller itself was started anew, or has forgotten the
conversation, another one begins where this one was.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time
from http.client import HTTPException
from typing import Any

from transproc.cluster.terminal import CHUNK, DETACH, Descriptor
from transproc.controller import patience
from transproc.controller.api.frames import END, HEAD
from transproc.controller.client import Client, quoted
from transproc.controller.patience import LostError
from transproc.errors import MissingError, TransprocError

POLL = 0.1
"""Seconds between two looks at the window's size."""
LARGEST = 1 << 26
"""Bytes of a frame; the controller makes smaller ones."""


class Conversation:
    """`keyboard`, `screen`: descriptors; `offset`: what was printed from there on is shown first, None: from now on."""

    def __init__(self, client: Client, name: str, *, keyboard: int, screen: int, offset: int | None) -> None:
        self._client = client
        self._name = name
        self._keyboard = keyboard
        self._screen = Descriptor(screen)
        self._lock = threading.Lock()
        self._typing = client.connection()
        self._offset = offset
        self._held, self._typed = b"", 0
        self._window = self._screen.window()
        self._result: dict[str, Any] | None = None
        self._error: TransprocError | None = None
        self._over = threading.Event()
        self._begin()

    def run(self) -> dict[str, Any]:
        """Until the job ends, the user leaves or nothing more can be typed; returns the job's record then."""
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        left = closed = False
        while not self._over.is_set() and not left and not (closed and not self._held):
            listens = not closed and len(self._held) < CHUNK
            if select.select([self._keyboard] if listens else [], [], [], POLL)[0]:
                data = os.read(self._keyboard, CHUNK)
                before, mark, _ = data.partition(DETACH)
                self._held += before
                left, closed = bool(mark), not data
            self._send()
        if not self._over.is_set():
            self._leave()
        self._typing.close()
        if self._error is not None:
            raise self._error
        return self._found()

    def _found(self) -> dict[str, Any]:
        if self._result is None:
            job: dict[str, Any] = self._client.get(f"/jobs/{quoted(self._name)}")
            return job
        if (error := self._result.get("error")) is not None:
            raise TransprocError(str(error["message"]), hint=error["hint"])
        return dict(self._result["job"])

    def _begin(self) -> None:
        window = self._window and {"rows": self._window.rows, "columns": self._window.columns}
        words = {"offset": self._offset, "window": window}
        made = self._client.post(f"/jobs/{quoted(self._name)}/terminal", words)
        with self._lock:
            self._path, self._offset, self._typed = f"/terminals/{made['id']}", int(made["offset"]), 0

    # --- what is typed -------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """What cannot be sent now is sent later, when `_listen` has connected again."""
        with self._lock:
            path, at = self._path, self._typed
        try:
            if (window := self._screen.window()) is not None and window != self._window:
                words = {"rows": window.rows, "columns": window.columns}
                self._client.keep(
                    self._typing, f"{path}/window", json.dumps(words).encode(), "application/json"
                )
                self._window = window
            if self._held:
                answer = self._client.keep(
                    self._typing, f"{path}/typed?at={at}", self._held, "application/octet-stream"
                )
                with self._lock:
                    if path == self._path:
                        self._typed = int(json.loads(answer)["typed"])
                        self._held = self._held[self._typed - at :]
        except (OSError, MissingError):
            self._over.wait(POLL)
        except TransprocError as error:
            self._error = error
            self._over.set()

    def _leave(self) -> None:
        with contextlib.suppress(OSError, TransprocError):  # it ends by itself when nobody listens
            self._client.delete(self._path)

    # --- what is shown -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        until = None
        while not self._over.is_set():
            try:
                try:
                    self._frames()
                except MissingError:
                    self._begin()
                until = None
            except (OSError, HTTPException, LostError) as error:
                until = until or time.monotonic() + patience.SECONDS
                if time.monotonic() > until:
                    self._error = (
                        error if isinstance(error, LostError) else self._client.lost(OSError(str(error)))
                    )
                    self._over.set()
                self._over.wait(patience.AGAIN_SECONDS)
            except TransprocError as error:
                self._error = error
                self._over.set()

    def _frames(self) -> None:
        with self._client.stream(f"{self._path}?offset={self._offset}") as answer:
            while head := answer.read(HEAD.size):
                if len(head) < HEAD.size:
                    return
                kind, size = HEAD.unpack(head)
                if size > LARGEST:
                    raise TransprocError(f"the controller sends a frame of {size} bytes")
                data = answer.read(size)
                if kind == END and len(data) == size:
                    self._result = json.loads(data)
                    self._over.set()
                    return
                if kind != END:
                    self._screen.show(data)
                    self._offset = (self._offset or 0) + len(data)
