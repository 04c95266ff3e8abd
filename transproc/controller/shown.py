# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a controller tells of a task, as if it were done here: its steps, its result, its error."""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import Any

from transproc import log
from transproc.cluster.events import Events
from transproc.errors import TransprocError
from transproc.log import Step


class _Open:
    """A step that is under way, shown in a context of its own, in which those inside it are shown as well."""

    def __init__(self, events: Events, name: str, context: Context) -> None:
        self.context = context
        self._manager = events.step(name)
        self._step: Step = context.run(self._manager.__enter__)

    def end(self, detail: str = "", *, failed: bool) -> None:
        """It has ended."""
        self._step.detail = detail
        error = TransprocError("failed") if failed else None
        self.context.run(self._manager.__exit__, type(error) if error else None, error, None)


class Steps:
    """The controller's steps as our own; several may be under way."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._open: dict[int, _Open] = {}

    def show(self, kind: str, data: dict[str, Any]) -> None:
        """One event."""
        if kind == "note":
            self._context(data).run(self._events.note, str(data["message"]))
        elif kind == "step" and data["state"] == "begun":
            self._open[data["step"]] = _Open(self._events, str(data["name"]), self._context(data))
        elif kind == "step" and (known := self._open.pop(data["step"], None)) is not None:
            known.end(str(data.get("detail", "")), failed=data["state"] == "failed")

    def _context(self, data: dict[str, Any]) -> Context:
        """In which something is shown: that of the step around it."""
        outer = self._open.get(data["inside"] or 0)
        context = outer.context.copy() if outer else copy_context()
        context.run(log.beside.set, bool(data["beside"]))
        return context

    def close(self) -> None:
        """What has no end has failed."""
        for number in sorted(self._open, reverse=True):
            self._open.pop(number).end(failed=True)


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
