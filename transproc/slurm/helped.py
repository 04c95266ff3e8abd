# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Root's half of a job, as the user's half sees it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from transproc.errors import TransprocError
from transproc.run import begin
from transproc.slurm import channel

if TYPE_CHECKING:
    from transproc.binary.pair import Pair

TOP = "sent"
END_SECONDS = 20.0
"""Root's half removes what is left of the job when we have gone."""


@dataclass(frozen=True)
class Started:
    """A program that runs: its process, and the directory that holds `work/`, `stdout` and `stderr`."""

    pid: int
    data: Path


@dataclass(frozen=True)
class Found:
    """Of a program in its job: whether there is a checkpoint, whether it has run, and a file of the user's own beside it."""

    checkpoint: bool
    begun: bool
    notes: Path


@dataclass(frozen=True)
class Sent:
    """What a program is started with; all of it is read here, with the user's rights."""

    pair: Pair
    argv: Sequence[str]
    env: Mapping[str, str]
    files: Path | None = None
    stdin: Path | None = None


class Helped:
    """One process of root's half, for one program; ended as a context manager. Requests raise `TransprocError`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = begin(command, stderr=self._errors)

    def open(self, job: int, name: str, *, restarted: bool) -> Found:
        """First: what there is of an earlier life of the job."""
        answer = self._ask({"do": "open", "job": str(job), "name": name, "restarted": restarted})
        return Found(answer["checkpoint"] is True, answer["begun"] is True, Path(answer["notes"]))

    def guard(self, pid: int, numbers: Sequence[int]) -> None:
        """From now on we get these signals instead of that process."""
        self._ask({"do": "guard", "pid": pid, "told": os.getpid(), "signals": list(map(int, numbers))})

    def start(self, what: Sent) -> Started:
        """Starts the program."""
        self._tell({"do": "start", "argv": list(what.argv), "env": dict(what.env)})
        with contextlib.suppress(BrokenPipeError):  # it has ended, and has said why
            _send_files(self._stdin, what)
        return _started(self._hear())

    def restart(self) -> Started:
        """Starts it from its newest checkpoint."""
        return _started(self._ask({"do": "restart"}))

    def checkpoint(self, *, end: bool) -> int:
        """Writes a checkpoint of so many bytes; with `end` the program has ended when this returns."""
        return int(self._ask({"do": "checkpoint", "end": end})["bytes"])

    def signal(self, number: int) -> None:
        """Sends the program a signal."""
        self._ask({"do": "signal", "number": number})

    def status(self) -> str | None:
        """How it ended: "status N", "signal N"; None if it has not."""
        found = self._ask({"do": "status"})["exit"]
        return found if isinstance(found, str) else None

    def end(self, *, keep: bool) -> None:
        """Removes the job from this node; `keep`: not its checkpoints."""
        self._ask({"do": "end", "keep": keep})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._tell(question)
        return self._hear()

    def _tell(self, question: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):  # `_hear` tells why it has ended
            channel.send(self._stdin, question)

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer = channel.receive(self._process.stdout)
        if answer is None:
            raise self._lost()
        if answer.get("ok") is not True:
            error = TransprocError(str(answer.get("message")), hint=answer.get("hint"))
            error.exit_status = int(answer.get("status") or 1)
            raise error
        return answer

    def _lost(self) -> TransprocError:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read(1 << 16).decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"status {status}"
        return TransprocError(
            f"root's half of the job has ended: {said}",
            hint="'sudo -n transproc slurm helper </dev/null' must work for users: docs/slurm.md",
        )


def _started(answer: dict[str, Any]) -> Started:
    return Started(int(answer["pid"]), Path(answer["data"]))


def _send_files(stream: IO[bytes], what: Sent) -> None:
    sink = channel.Writer(stream)
    with tarfile.open(fileobj=cast("IO[bytes]", sink), mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name in (TOP, f"{TOP}/bin"):
            directory = tarfile.TarInfo(name)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o700
            archive.addfile(directory)
        for binary in what.pair.binaries.values():
            archive.add(binary.path.resolve(), f"{TOP}/bin/{binary.path.name}")
        if what.stdin is not None:
            archive.add(what.stdin.resolve(), f"{TOP}/stdin")
        if what.files is not None:
            archive.add(what.files.resolve(), f"{TOP}/work")
    sink.finish()
