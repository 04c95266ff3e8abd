# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Progress for people: nested steps with their times, on standard error.

Each thread has its own nesting. What happens beside the main thread is shown when it ends, a step with all that is inside it:
else nobody could tell which of several a line belongs to.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Step:
    """One timed step; `detail` may be set inside it and is shown at its end."""

    name: str
    seconds: float = 0.0
    detail: str = ""
    steps: list[Step] = field(default_factory=list)
    hear: Callable[[int, int], None] | None = None
    """Whoever shows the step may want to know how far it is: bytes that are done, and all bytes."""
    show: Callable[[str], None] | None = None
    """Shows on the terminal how far it is, in words; steps inside it do that in the same place."""

    def progress(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        if self.hear is not None:
            self.hear(done, total)


_stack: ContextVar[tuple[Step, ...]] = ContextVar("steps", default=())
_held: ContextVar[list[tuple[str, str, str, str, str]] | None] = ContextVar("held", default=None)
"""Lines inside a step beside the main thread, until that ends."""
beside: ContextVar[bool] = ContextVar("beside", default=False)
"""What is told here happens beside other things, in whatever thread that is."""
_printing = threading.Lock()
quiet = False


@cache
def _console() -> Console:
    """A terminal; rich is imported only if there is one (20 ms)."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False)


def _print(text: str, *, mark: str = "", colour: str = "", dim: str = "") -> None:
    """A line at the current depth: a mark, the text as it is, and what matters less."""
    line = ("  " * len(_stack.get()), mark, colour, text, dim)
    if (held := _held.get()) is None:
        _write(line)
    else:
        held.append(line)


def _write(line: tuple[str, str, str, str, str]) -> None:
    indent, mark, colour, text, dim = line
    if not sys.stderr.isatty():
        print(f"{indent}{mark}{text}{dim}", file=sys.stderr)
        return
    from rich.text import Text  # noqa: PLC0415

    shown = Text.assemble(indent, (mark, colour), text, (dim, "dim"))
    _console().print(shown, soft_wrap=True)


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Shows `name` while it runs and its time when it ends; nests."""
    current = Step(name)
    outer = _stack.get()
    if outer:
        outer[-1].steps.append(current)
    main = threading.current_thread() is threading.main_thread() and not beside.get()
    holding = _held.set([]) if not outer and not main else None
    shown = not quiet and not outer and main and sys.stderr.isatty()
    escaped = name.replace("[", "\\[")
    status = _console().status(f"{escaped} …") if shown else None
    current.show = outer[-1].show if outer else None
    inside = _stack.set((*outer, current))
    start = time.perf_counter()
    if status:
        status.start()
        current.show = lambda words: status.update(f"{escaped} … {words}")
    if current.show is not None:
        current.hear = HowFar(current.show)
    failed = True
    try:
        yield current
        failed = False
    finally:
        current.seconds = time.perf_counter() - start
        _stack.reset(inside)
        if status:
            status.stop()
        if not quiet:
            mark, colour = ("✗ ", "red") if failed else ("✓ ", "green")
            detail = f"  {current.detail}" if current.detail else ""
            _print(name, mark=mark, colour=colour, dim=f"  {current.seconds:.2f} s{detail}")
        if holding is not None:
            lines = _held.get() or []
            _held.reset(holding)
            with _printing:
                for line in lines:
                    _write(line)


class HowFar:
    """Says of a step how far it is, how fast, and how long it will take: by what has come since it was heard of first. Before a
    second has passed nobody can know.
    """

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._first: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        now = time.perf_counter()
        self._first = self._first or (now, done)
        seconds, gained = now - self._first[0], done - self._first[1]
        words = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
        if seconds >= 1 and gained > 0:
            rate = gained / seconds
            words += f", {rate / 1e6:.1f} MB/s, {(total - done) / rate:.0f} s left"
        self._show(words)


def note(message: str) -> None:
    """One line at the current depth."""
    if not quiet:
        _print(message)
