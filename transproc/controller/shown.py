# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a controller tells of a task, as if it were done here: its steps, its result, its error."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from transproc.cluster.events import Events
from transproc.errors import TransprocError
from transproc.log import Step


class Steps:
    """The controller's steps as our own."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._open: list[tuple[str, AbstractContextManager[Step], Step]] = []

    def show(self, kind: str, data: dict[str, Any]) -> None:
        """One event."""
        if kind == "note":
            self._events.note(str(data["message"]))
        elif kind == "step" and data["state"] == "begun":
            manager = self._events.step(str(data["name"]))
            self._open.append((data["name"], manager, manager.__enter__()))
        elif kind == "step" and self._open and self._open[-1][0] == data["name"]:
            _, manager, step = self._open.pop()
            step.detail = str(data.get("detail", ""))
            self._end(manager, failed=data["state"] == "failed")

    def close(self) -> None:
        """What has no end has failed."""
        while self._open:
            self._end(self._open.pop()[1], failed=True)

    @staticmethod
    def _end(manager: AbstractContextManager[Step], *, failed: bool) -> None:
        error = TransprocError("failed") if failed else None
        manager.__exit__(type(error) if error else None, error, None)


def result(task: dict[str, Any]) -> Any:
    """What a task has returned. Raises `TransprocError` if it has failed."""
    if task["state"] == "done":
        return task["result"]
    trouble = task["error"] or {}
    error = TransprocError(
        str(trouble.get("message", f"the task is {task['state']}")), hint=trouble.get("hint")
    )
    error.exit_status = int(trouble.get("exit_status", 1))
    raise error
