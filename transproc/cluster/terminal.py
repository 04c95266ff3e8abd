# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A conversation with a job through its terminal, wherever the job moves meanwhile.

On the node a process types what we send and prints what is new in the terminal's log (`Tool.attach`). When the job has moved away
that process ends; the next one is started where the job runs then, at the same place of the log, which has moved along.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from types import TracebackType
from typing import IO, Protocol, Self

from transproc.cluster.job import Job, State
from transproc.cluster.place import Place
from transproc.cluster.store import JobStore
from transproc.cluster.watch import POLL, refresh
from transproc.errors import TransprocError
from transproc.process.launch import Window

DETACH = b"\x1d"
"""Ctrl-], which ends the conversation and not the job."""
CHUNK = 1 << 16
PATIENCE = 50
"""So many attempts in a row may fail, as they do while a job ends or moves."""


class Screen(Protocol):
    """Where a user sees what a job prints."""

    def show(self, data: bytes) -> None:
        """Shows all of it; may wait."""

    def window(self) -> Window | None:
        """Its size now; None: that is not known, and the job's stays as it is."""


class Descriptor:
    """A screen that is a file of this process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def show(self, data: bytes) -> None:
        """As `Screen` says."""
        write_all(self._fd, data)

    def window(self) -> Window | None:
        """As `Screen` says."""
        return window_of(self._fd)


def expect_terminal(job: Job) -> None:
    """Raises `TransprocError` if the job has none."""
    if not job.terminal:
        raise TransprocError(f"job {job.name}: has no terminal", hint="start it with 'transproc run --tty'")


def converse(
    store: JobStore,
    name: str,
    place_of: Callable[[Job], Place],
    *,
    keyboard: int | None,
    screen: Screen,
    offset: int | None = None,
) -> Job:
    """Connects a user with a job's terminal until the job ends, or `DETACH` or the end of the descriptor `keyboard` comes.

    `keyboard`: None for nobody who types; `offset`: what was printed from that byte on is shown first, None: what is printed from
    now on. Returns the job's record then. Raises `TransprocError` if the job has no terminal.
    """
    job = store.load(name)
    expect_terminal(job)
    conversation = _Conversation(store, name, keyboard, screen)
    conversation.offset = place_of(job).printed() if offset is None else offset
    failures = 0
    while not conversation.ended:
        job = store.load(name)
        place = place_of(job)
        if refresh(store, job, place).state is State.EXITED:
            screen.show(place.read("stdout", conversation.offset))
            return job
        try:
            if not job.stopped:
                conversation.on(place, job)
                failures = 0
        except TransprocError:  # the job may be about to end, or to move
            failures += 1
            if failures == PATIENCE:
                raise
        conversation.look([])
    return store.load(name)


class _Conversation:
    """The ends at the user; how far the log was shown, and what was typed and not sent yet."""

    def __init__(self, store: JobStore, name: str, keyboard: int | None, screen: Screen) -> None:
        self.offset = 0
        self._store = store
        self._name = name
        self._keyboard = keyboard
        self._screen = screen
        self._held = b""
        self._left = self._closed = False

    @property
    def ended(self) -> bool:
        """The user has left, or will type no more, and all was sent."""
        return self._left or (self._closed and not self._held)

    def on(self, place: Place, job: Job) -> None:
        """The part of it on one node."""
        size = None
        with _Line(place, job.pid, self.offset) as line:
            while not self.ended:
                if size != (size := self._screen.window()) and size is not None:
                    place.resize(job.pid, size)
                if self.look([line.output]):
                    data = os.read(line.output, CHUNK)
                    if not data:
                        return
                    self._screen.show(data)
                    self.offset += len(data)
                self._send(job, line)

    def look(self, others: list[int]) -> bool:
        """Waits a moment for the keyboard, which is read, and for other descriptors; returns whether one of these is ready."""
        listens = not self._closed and len(self._held) < CHUNK
        keyboard = [self._keyboard] if self._keyboard is not None and listens else []
        ready, _, _ = select.select([*others, *keyboard], [], [], POLL)
        for number in set(keyboard) & set(ready):
            data = os.read(number, CHUNK)
            before, mark, _ = data.partition(DETACH)
            self._held += before
            self._left, self._closed = bool(mark), not data
        return any(other in ready for other in others)

    def _send(self, job: Job, line: _Line) -> None:
        """What is typed while the job moves is held until it runs again."""
        if self._held:
            now = self._store.load(self._name)
            if not now.stopped and now.moves == job.moves:
                line.send(self._held)
                self._held = b""


class _Line:
    """A process on the node between two pipes, held by a thread of ours."""

    def __init__(self, place: Place, pid: int, offset: int) -> None:
        self.output, printed = os.pipe()
        typed, self._input = os.pipe()
        self._error: BaseException | None = None
        files = os.fdopen(typed, "rb", buffering=0), os.fdopen(printed, "wb", buffering=0)
        self._thread = threading.Thread(target=self._hold, args=(place, pid, offset, *files), daemon=True)
        self._thread.start()

    def _hold(self, place: Place, pid: int, offset: int, typed: IO[bytes], printed: IO[bytes]) -> None:
        with typed, printed:
            try:
                place.converse(pid, offset, typed, printed)
            except TransprocError as error:
                self._error = error

    def send(self, data: bytes) -> None:
        """Sends what was typed, if the other end still listens."""
        with contextlib.suppress(BrokenPipeError):
            write_all(self._input, data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._input)
        os.close(self.output)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error


def window_of(screen: int) -> Window | None:
    """The size of a terminal, None if the descriptor is something else."""
    try:
        size = os.get_terminal_size(screen)
    except OSError:
        return None
    return Window(size.lines, size.columns)


def write_all(fd: int, data: bytes) -> None:
    """Writes it, however many pieces that takes."""
    while data:
        data = data[os.write(fd, data) :]
