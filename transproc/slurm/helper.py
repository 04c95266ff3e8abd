# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Root's half of a job: starts the program as the job's user, writes checkpoints, restarts from them.

CRIU needs root, a job of Slurm is its user's. So the user's half (`execution.py`) starts this one by sudo, as its child: in the
same step of Slurm and in its control group, so that whatever happens here is accounted to the job and ends with it. It does as it
is asked, for nobody but the user who sudo says it is:

- it opens no file that the user names: program and files come through the pipe, from the user's half, which may read them;
- programs run as that user, checkpoints are restored only if they hold a program of that user's;
- checkpoints are root's (`kept.py`): they hold memory of processes, and are believed when they are restored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from transproc.cluster import checkpoints, operations
from transproc.cluster.archive import unpack
from transproc.cluster.checkpoints import Checkpoint
from transproc.cluster.events import Silent, Token
from transproc.cluster.job import Job
from transproc.cluster.local import LocalNode
from transproc.cluster.members import FILES
from transproc.cluster.node import DATA, LOCAL
from transproc.cluster.operations import Context
from transproc.cluster.place import Place
from transproc.cluster.start import Program
from transproc.cluster.store import JobStore
from transproc.errors import FormatError, TransprocError
from transproc.slurm import channel
from transproc.slurm.configuration import Configuration
from transproc.slurm.guard import guard
from transproc.slurm.kept import Kept
from transproc.slurm.owner import Owner, owner, private
from transproc.transform import pipeline

KEY = re.compile(r"[1-9][0-9]{0,9}")
"""Of a job: its number."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,23}")
KEPT = 2
"""Checkpoints of a program: the last one, and one in case that cannot be read."""
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""They are meant for the user's half, which sees to the rest."""


class Helper:
    """Serves one program of one job, until the user's half ends."""

    def __init__(self, configuration: Configuration, who: Owner) -> None:
        self.configuration = configuration
        self.owner = who
        self.number = self.name = ""
        self._context: Context | None = None

    def serve(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        """Answers until there are no more questions; then the job ends, if it has not."""
        actions: dict[str, Callable[[dict[str, Any], IO[bytes]], dict[str, Any]]] = {
            "open": self._open,
            "guard": self._guard,
            "start": self._start,
            "restart": self._restart,
            "checkpoint": self._checkpoint,
            "signal": self._signal,
            "status": self._status,
            "end": self._end,
        }
        try:
            while (question := channel.receive(stdin)) is not None:
                action = actions.get(str(question.get("do")))
                try:
                    if action is None:
                        raise FormatError(f"unknown request {question.get('do')!r}")
                    answer = {"ok": True, **action(question, stdin)}
                except TransprocError as error:
                    answer = {
                        "ok": False,
                        "message": error.message,
                        "hint": error.hint,
                        "status": error.exit_status,
                    }
                channel.send(stdout, answer)
        finally:
            self._remove_job()

    # --- requests ------------------------------------------------------------------------------------------------

    def _open(self, question: dict[str, Any], _: IO[bytes]) -> dict[str, Any]:
        """First: which job, and whether it has run before. Tells whether there is a checkpoint, where notes are kept, and whether
        there were some: then the program has run in this job.
        """
        number, name = question.get("job"), question.get("name")
        if not isinstance(number, str) or not KEY.fullmatch(number):
            raise FormatError(f"job {number!r}: not a job's number")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TransprocError(
                f"name {name!r}: expected lower-case letters, digits, '.', '_', '-', at most 24"
            )
        self.number, self.name = number, f"slurm-{number}-{name}"[:40]
        if not question.get("restarted"):  # numbers of jobs come again when a cluster is set up anew
            self._kept.forget()
        begun = self._kept.make()
        self._context = self._make_context()
        self._remove_job()  # of an earlier run here, whose end was cut off
        checkpoints.discard_drafts(self._kept.checkpoints, self.name)  # of one that may have been elsewhere
        return {
            "checkpoint": checkpoints.latest(self._kept.checkpoints, self.name) is not None,
            "notes": str(self._kept.notes),
            "begun": begun,
        }

    def _guard(self, question: dict[str, Any], _: IO[bytes]) -> dict[str, Any]:
        """Keeps signals from the script, and gives them to the user's half: both must be the user's own processes."""
        pid, told, numbers = question.get("pid"), question.get("told"), question.get("signals")
        if not isinstance(pid, int) or not isinstance(told, int) or not isinstance(numbers, list):
            raise FormatError("guard: expected processes and signals")
        if (
            not set(numbers) <= set(signal.valid_signals())
            or Path(f"/proc/{told}").stat().st_uid != self.owner.uid
        ):
            raise FormatError("guard: not one's own processes, or no signals")
        guard(pid, numbers, told, self.owner.uid)
        return {}

    def _start(self, question: dict[str, Any], stdin: IO[bytes]) -> dict[str, Any]:
        argv: Any = question.get("argv")
        env: Any = question.get("env")
        if not _words(argv) or not isinstance(env, dict) or not _words([*env, *env.values()], least=0):
            raise FormatError("start: expected argv and env as words")
        with tempfile.TemporaryDirectory(dir=self._scratch()) as temporary:
            tree = Path(temporary) / "sent"
            self._unpack(tree, stdin)
            program = Program(
                [str(tree / "bin" / Path(argv[0]).name), *argv[1:]],
                tree / "stdin" if (tree / "stdin").exists() else None,
                tree / "work" if (tree / "work").exists() else None,
                env,
            )
            job = operations.run(self.context, program, LOCAL, name=self.name, user=self.owner.user)
        return self._told(job)

    def _unpack(self, tree: Path, stdin: IO[bytes]) -> None:
        """What the user's half has sent: `bin/`, and if wanted `work/` and `stdin`: directories and files, no links."""
        rules = dataclasses.replace(FILES, owner=self.owner.uid) if self.owner.uid else FILES
        with unpack(tree, rules) as sink:
            broken = False
            for piece in channel.receive_all(stdin):  # to its end, whatever is wrong with it
                try:
                    broken or sink.write(piece)
                except BrokenPipeError:
                    broken = True
        kinds = {"bin": stat.S_ISDIR, "work": stat.S_ISDIR, "stdin": stat.S_ISREG}
        inside = [(path, stat.S_ISREG) for path in (tree / "bin").glob("*")]
        for path, good in [(path, kinds.get(path.name)) for path in tree.iterdir()] + inside:
            if good is None or not good(path.lstat().st_mode):
                raise FormatError(f"start: {path.name} is not what was expected")

    def _restart(self, _: dict[str, Any], __: IO[bytes]) -> dict[str, Any]:
        """From the newest checkpoint; if that is damaged, from the one before."""
        paths = list(reversed(checkpoints.listed(self._kept.checkpoints, self.name)))
        problem: TransprocError | None = None
        for path in paths:
            try:
                found = checkpoints.read(path)
                self._expect_own(found)
                checkpoints.verify(found)
            except FormatError as error:
                problem = error
                continue
            return self._told(operations.restart(self.context, path, LOCAL, name=self.name)) | {
                "from": path.name
            }
        raise problem or TransprocError(f"job {self.number}: has no checkpoint")

    def _checkpoint(self, question: dict[str, Any], _: IO[bytes]) -> dict[str, Any]:
        """With `end` the program has ended when it is written."""
        self._kept.make()
        found = operations.checkpoint(
            self.context, self.name, self._kept.checkpoints, keep=KEPT, end=question.get("end") is True
        )
        return {"bytes": found.size, "seconds": found.manifest.downtime}

    def _signal(self, question: dict[str, Any], _: IO[bytes]) -> dict[str, Any]:
        """Passes a signal on to the program, as its user: nothing happens if it has ended."""
        number = question.get("number")
        if not isinstance(number, int) or number not in signal.valid_signals():
            raise FormatError(f"signal {number!r}")
        job = self.context.store.load(self.name)
        place = self.context.places(job)
        for pid in place.found():
            if pid == job.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        return {}

    def _status(self, _: dict[str, Any], __: IO[bytes]) -> dict[str, Any]:
        """How the program ended; None if it has not."""
        return {"exit": self.context.places(self.context.store.load(self.name)).exit_status()}

    def _end(self, question: dict[str, Any], _: IO[bytes]) -> dict[str, Any]:
        """Removes the job here; its checkpoints as well unless `keep` is set."""
        self._remove_job()
        if question.get("keep") is not True:
            self._kept.forget()
        return {}

    # --- places --------------------------------------------------------------------------------------------------

    @property
    def context(self) -> Context:
        """What operations need; there is one when the job is known."""
        if self._context is None:
            raise FormatError("the first request must name the job")
        return self._context

    @property
    def _kept(self) -> Kept:
        return Kept(self.configuration.state, self.owner, self.number, self.name)

    def _scratch(self) -> Path:
        return private(Path(DATA) / "slurm")

    def _make_context(self) -> Context:
        """The record is this node's own: when the node is lost a checkpoint is all that counts."""
        if self.configuration.home:
            os.environ["TRANSPROC_HOME"] = str(self.configuration.home)
        node = LocalNode(LOCAL)

        def place_of(job: Job, name: str | None = None) -> Place:
            return Place(node, job, criu_command=lambda: self.configuration.criu)

        store = JobStore(private(self._scratch() / self.name))
        return Context(
            store, place_of, pipeline.carry, events=Silent(), cancel=Token(), nodes=lambda: [LOCAL]
        )

    def _remove_job(self) -> None:
        """Nothing of it is left on this node."""
        if self._context is None:
            return
        if self.name in self._context.store.names():
            operations.kill(self._context, self.name, remove=True)
        else:
            place = self._context.places(Job(self.name, LOCAL, [self.name]))
            with _left(place):
                place.end()

    def take(self, number: str, name: str) -> None:
        """Removes what is left here of a program whose user's half has gone."""
        self.number, self.name = number, name
        self._context = self._make_context()
        self._remove_job()

    def close(self) -> None:
        """Removes the record."""
        if self._context is not None:
            self._context = None
            shutil.rmtree(self._scratch() / self.name, ignore_errors=True)

    def _expect_own(self, found: Checkpoint) -> None:
        """What the directory tells is told again by the checkpoint itself."""
        if found.manifest.user != (self.owner.user or "") or (
            found.manifest.user and found.manifest.uid != self.owner.uid
        ):
            raise TransprocError(
                f"{found.path.name}: holds a program of user {found.manifest.user or 'root'}, expected {self.owner.name}"
            )

    def _told(self, job: Job) -> dict[str, Any]:
        """What the user's half wants to know of a job that runs."""
        return {"pid": job.pid, "data": self.context.places(job).data}


@contextmanager
def _left(place: Place) -> Iterator[None]:
    """What an earlier life of the job has left has an id of its own."""
    path = Path(place.directory) / "id"
    if path.exists():
        place.job.id = path.read_text().strip()
        yield
    else:
        with contextlib.suppress(TransprocError):
            yield


def _words(value: object, least: int = 1) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= least
        and all(isinstance(word, str) and "\0" not in word for word in value)
    )


def main(configuration: Configuration, stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Serves the user's half at the other end of our standard streams."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    os.umask(0o022)
    helper = Helper(configuration, owner())
    try:
        helper.serve(stdin, stdout)
    finally:
        helper.close()
