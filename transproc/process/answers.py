# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the pause tool answers: one JSON object for each command, which comes from a node and is not trusted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transproc.errors import PauseError, TransprocError, UnsupportedError
from transproc.process.runner import understood

_UNSUPPORTED = ("no-index", "unsupported")
_LATE = "try again, or give it longer (--timeout); a thread in a signal handler, or long in one call, cannot be stopped there"


@dataclass(frozen=True)
class ThreadPlace:
    """Where a thread stands, or stood when the pause was given up.

    `state`: site, call (blocked in a system call); or, if it did not stop: running, elsewhere, leaving-call,
    borrows-memory (between vfork and exec), unknown-frame (`return_address` is described by no site: a signal
    handler, foreign code), unreadable-stack.
    """

    pid: int
    tid: int
    state: str
    pc: int
    function: str
    offset: int
    resume: bool
    depth: int
    site: int | None = None
    return_address: int | None = None

    def __str__(self) -> str:
        place = (
            f"{self.function}{'.resume' if self.resume else ''}+{self.offset:#x}"
            if self.function
            else "unknown code"
        )
        below = f" below {self.return_address:#x}" if self.return_address is not None else ""
        return f"thread {self.tid}: {self.state} at {self.pc:#x} ({place}{below})"


@dataclass(frozen=True)
class Pause:
    """A tree that has been stopped; `milliseconds` it took, `steps` breakpoints were passed on the way. For `watched`
    milliseconds of these it still ran. `apart`: a process sees no /proc, so criu makes a directory where it works while it dumps.
    """

    pid: int
    milliseconds: int
    steps: int
    threads: tuple[ThreadPlace, ...]
    watched: int = 0
    apart: bool = False

    @property
    def processes(self) -> list[int]:
        """Ids of the tree's processes."""
        return sorted({thread.pid for thread in self.threads})


@dataclass(frozen=True)
class ThreadState:
    """What the kernel says of a thread: state letter of proc(5), and, unless it runs, its pc and system call (-1: none)."""

    tid: int
    state: str
    pc: int | None = None
    call: int | None = None
    function: str = ""
    offset: int = 0
    resume: bool = False


@dataclass(frozen=True)
class ProcessState:
    """A process of a tree; `index`: it was compiled by transproc-cc."""

    pid: int
    index: bool
    threads: tuple[ThreadState, ...]


@dataclass(frozen=True)
class Restored:
    """The root's pid, how many files could not keep their inode numbers, because the file system has no attributes, how many
    options of sockets and the like this node's kernel does not take, and what it said of the tree then.
    """

    pid: int
    unnamed: int
    lost: int = 0
    processes: Sequence[ProcessState] = ()


@dataclass(frozen=True)
class Difference:
    """Of a directory from its copy: how many large files are to be patched, and what is to be removed, for `Tool.remove`."""

    patched: int
    removed: bytes


def difference(text: bytes) -> Difference:
    """What `Tool.changes` has printed; raises ValueError for anything else."""
    count, end, removed = text.partition(b"\0")
    if not end or not count.isdigit():
        raise ValueError("not what `changes` prints")
    return Difference(int(count), removed)


def answer_of(text: bytes | str) -> dict[str, Any]:
    """An object that the tool has printed; raises ValueError if it is none, or lacks what all have."""
    answer: dict[str, Any] = json.loads(text)
    good = isinstance(answer, dict) and isinstance(answer.get("ok"), bool)
    if good and not answer["ok"]:
        good = all(isinstance(answer.get(key), str) for key in ("error", "message"))
    if not good:
        raise ValueError("not as the pause tool answers")
    return answer


def status_of(answer: dict[str, Any]) -> list[ProcessState]:
    """The tree that an answer to `status` describes; raises what it reports."""
    if not answer["ok"] and answer["error"] == "gone":
        return []
    if not answer["ok"]:
        raise error_of(answer)
    with understood("status"):
        return [
            ProcessState(
                int(process["pid"]), bool(process["index"]), tuple(map(_thread_state, process["threads"]))
            )
            for process in answer["processes"]
        ]


def pause_of(answer: dict[str, Any]) -> Pause:
    """A successful pause."""
    with understood("pause"):
        threads = tuple(map(_thread_place, answer["threads"]))
        pid, milliseconds, steps, watched = (
            int(answer[key]) for key in ("pid", "milliseconds", "steps", "watched")
        )
        return Pause(pid, milliseconds, steps, threads, watched, apart=bool(answer["apart"]))


def error_of(answer: dict[str, Any]) -> TransprocError:
    """The exception for an answer that says no; names the threads that did not arrive."""
    message = answer["message"]
    with understood("pause"):
        threads = [_thread_place(thread) for thread in answer.get("threads", [])]
        pid, culprit = (int(answer.get(key) or 0) or None for key in ("pid", "tid"))
    if answer["error"] == "timeout":
        message += "".join(f"; {thread}" for thread in threads[:8])
    if answer["error"] in _UNSUPPORTED:
        return UnsupportedError(message, hint="compile the program, and what it executes, with transproc-cc")
    hint = _LATE if answer["error"] == "timeout" else None
    tid = culprit or (threads[0].tid if threads else None)
    return PauseError(message, pid=pid, tid=tid, ended=answer["error"] == "gone", hint=hint)


def _thread_state(row: dict[str, Any]) -> ThreadState:
    state = str(row["state"])
    if "pc" not in row:
        return ThreadState(int(row["tid"]), state)
    place = str(row["function"]), int(row["offset"]), bool(row["resume"])
    return ThreadState(int(row["tid"]), state, int(row["pc"]), int(row["call"]), *place)


def _thread_place(row: dict[str, Any]) -> ThreadPlace:
    return ThreadPlace(
        int(row["pid"]),
        int(row["tid"]),
        str(row["state"]),
        int(row["pc"]),
        str(row["function"]),
        int(row["offset"]),
        bool(row["resume"]),
        int(row["depth"]),
        *(int(row[key]) if key in row else None for key in ("site", "return_address")),
    )
