"""Progress for people: nested steps with their times, on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

console = Console(stderr=True, highlight=False)


@dataclass
class Step:
    """One timed step; `detail` may be set inside it and is shown at its end."""

    name: str
    seconds: float = 0.0
    detail: str = ""
    steps: list[Step] = field(default_factory=list)


_stack: list[Step] = []
quiet = False


@contextmanager
def step(name: str) -> Iterator[Step]:
    """Shows `name` while it runs and its time when it ends; nests."""
    current = Step(name)
    if _stack:
        _stack[-1].steps.append(current)
    indent = "  " * len(_stack)
    _stack.append(current)
    start = time.perf_counter()
    status = None if quiet or len(_stack) > 1 or not console.is_terminal else console.status(f"{name} …")
    if status:
        status.start()
    failed = True
    try:
        yield current
        failed = False
    finally:
        current.seconds = time.perf_counter() - start
        _stack.pop()
        if status:
            status.stop()
        if not quiet:
            mark = "[red]✗[/]" if failed else "[green]✓[/]"
            detail = f"  [dim]{current.detail}[/]" if current.detail else ""
            console.print(f"{indent}{mark} {name}  [dim]{current.seconds:.2f} s[/]{detail}")


def note(message: str) -> None:
    """One line at the current depth."""
    if not quiet:
        console.print("  " * len(_stack) + message)
