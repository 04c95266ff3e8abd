# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a task does at a controller is shown as if it were done here, also what it does at the same time."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time

import pytest

from transproc import log
from transproc.controller.shown import Steps
from transproc.controller.stream import Stream
from transproc.controller.taskrecords import Task, TaskState
from transproc.controller.tasks import Sink


def test_branches_of_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    """Each step ends as it has ended there, with what was inside it."""
    stream, both = Stream(), threading.Barrier(2)
    sink = Sink(stream, Task(1, "plan", None, {}, "a", TaskState.RUNNING, time.time()))

    def branch(name: str) -> None:
        with contextlib.suppress(ZeroDivisionError), sink.step(name) as step:
            for inner in ("first", "second"):
                both.wait()
                with sink.step(f"{inner} of {name}"):
                    sink.note(f"note of {name}")
                    both.wait()
            step.detail = f"detail of {name}"
            _ = 1 / (name == "a")

    with sink.step("whole"), sink.step("before"):
        pass
    threads = [threading.Thread(target=contextvars.copy_context().run, args=(branch, name)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = Steps(log)
    for event in stream.after(0):
        shown.show(event.kind, event.data)
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("  0")[0] for line in lines[:2]] == ["  ✓ before", "✓ whole"]
    for block in (lines[2:7], lines[7:]):
        name = block[-1][2]
        assert [line.partition("  0")[0] for line in block] == [
            f"    note of {name}",
            f"  ✓ first of {name}",
            f"    note of {name}",
            f"  ✓ second of {name}",
            f"{'✗' if name == 'b' else '✓'} {name}",
        ]
        assert block[-1].endswith(f"detail of {name}")
