# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One checkpoint, step by step.

    preflight → prepare → pause → dump → files → resume → fetch → write

It stands still from `pause` to `resume`. Image and files must be of one moment, so the files are copied while it is stopped, on
its node: as clones where the file system has them, which takes no time, else into the archive that is sent afterwards. Until
`write` has ended there is no checkpoint. A failure before `resume` lets the job go on, one after it changes nothing for the job.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from transproc.cluster import checkpoints, preflight
from transproc.cluster.checkpoints import Checkpoint, Draft
from transproc.cluster.checkpoints.directory import TOP
from transproc.cluster.job import Hop, Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.members import FILES, IMAGES, Rules, checked
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.describe import Taken, manifest
from transproc.cluster.operations.end import end as end_job
from transproc.cluster.place import RECORD_SECONDS, PauseRequest
from transproc.cluster.store import Result
from transproc.errors import CheckpointError, PauseError, TransprocError, UnsupportedError
from transproc.images import counts
from transproc.isa import ALL
from transproc.process.criu import Options
from transproc.text import human

KIND = "checkpoint"
"""Of the attempt in the store."""
END = "end"
"""The step with which a job ends that does not go on."""
CHECKPOINTED = "checkpoint"
"""The exit of a job that was ended by its checkpoint."""


@dataclass(frozen=True)
class Request:
    """What of a job is written, and where. See `checkpoint`."""

    to: Path
    exclude: tuple[str, ...] = ()
    keep: int | None = None
    end: bool = False
    pause: PauseRequest = field(default_factory=PauseRequest)
    options: Options = field(default_factory=Options)


class Taking:
    """One checkpoint; the lock is held."""

    def __init__(self, context: Context, job: Job, request: Request) -> None:
        self.context = context
        self.job = job
        self.request = request
        self.move = context.move(job)
        self.source = self.move.source
        self.options = request.options
        self.before = job.state
        path, self.number = checkpoints.next_path(request.to, job.name)
        self.draft = Draft(path)
        self.found: Checkpoint | None = None
        self.phase = ""
        self._attempt = self._steps = 0
        self._since = self._downtime = 0.0
        self._cloned = False

    def run(self) -> Checkpoint:
        """As a whole, or nothing."""
        context, job = self.context, self.job
        begun = time.time()
        self._attempt = context.store.begin(job, KIND)
        with (
            context.events.step(f"checkpoint of {job.name} on {job.node}") as whole,
            context.cancel.deferred(),
        ):
            try:
                context.store.note_checkpoint(self._attempt, self.draft.final)
                for name, action in self._plan():
                    self._do(name, action)
                assert self.found is not None
            except BaseException as error:
                raise self._failure(error) from error
            self._forget_images()
            whole.detail = f"{human(self.found.size)}, downtime {self._downtime:.2f} s"
        hop = Hop(job.node, job.node, begun, round(self._downtime, 4), bytes_sent=self.found.size)
        self._settle(Result.DONE, str(self.found.path), hop)
        if self.request.keep is not None:
            for path in checkpoints.prune(self.request.to, job.name, self.request.keep):
                context.events.note(f"removed {path.name}")
        return self.found

    def _plan(self) -> Iterator[tuple[str, Callable[[], str]]]:
        runs, end = self.before is State.RUNNING, self.request.end
        yield "preflight", self._preflight
        yield "prepare", self._prepare
        if runs or self.request.pause.at is not None:
            yield "pause", self._pause
        yield "dump", self._dump
        if not end:
            yield "files", self._copy_files
        if not end and runs:
            yield "resume", self._resume
        yield "fetch", self._fetch
        yield "write", self._write
        if end:
            yield END, self._end

    def _do(self, name: str, action: Callable[[], str]) -> None:
        if name != END:
            self.context.cancel.check()
        self.phase = name
        number, self._steps = self._steps, self._steps + 1
        self.context.take(self._attempt, number, name, action)

    # --- the steps ---------------------------------------------------------------------------------------------

    def _preflight(self) -> str:
        """What can be known to fail, there, here, and when it is to go on."""
        source, request = self.source, self.request
        self.look = source.look(self.job.pid)
        if self.look.liveness is Liveness.GONE:
            raise PauseError(f"job {self.job.name}: has ended", pid=self.job.pid, ended=True)
        self.options = preflight.check_source(self.job, source, self.look, None, self.options)
        if self.before is State.PAUSED and self.options.link_remap:
            raise UnsupportedError(
                f"job {self.job.name}: has opened a file whose name was removed, and is paused",
                hint=f"'transproc resume {self.job.name}' first",
            )
        self.exclude = [f"data/work/{pattern}" for pattern in request.exclude]
        self._check_left_out()
        self.needs = preflight.needs_of(self.look, source.directory)
        image, files = self.needs.memory + self.needs.deleted, source.files.used(self.exclude)
        preflight.check_room(image, source, self.look.room)
        self._check_host(image + files)
        self._files_size = files
        return f"memory {human(self.needs.memory)}, files {human(files)}"

    def _check_left_out(self) -> None:
        """What is open must be there when the job goes on."""
        work = f"{self.source.data}/work/"
        for view in self.look.views:
            names = [view.directory, *(name for _, _, name in view.mappings)]
            names += [descriptor.link for descriptor in view.descriptors]
            for name in names:
                if name.startswith(work) and left_out(name.removeprefix(work), self.request.exclude):
                    raise TransprocError(
                        f"process {view.pid} uses {name.removeprefix(work)}, which is to be left out",
                        hint="let it be a part of the checkpoint, or let the program close it first",
                    )

    def _check_host(self, needed: int) -> None:
        place = self.request.to
        while not place.is_dir():
            place = place.parent
        free = shutil.disk_usage(place).free
        if free < needed:
            raise TransprocError(
                f"{self.request.to}: {human(free)} are free, the checkpoint needs {human(needed)}",
                hint="make room there, or choose another place (--to), or leave files out (--exclude)",
            )

    def _prepare(self) -> str:
        """While the process runs. Recorded before: where the draft is."""
        self.draft.make()
        self.source.make_images()
        self.source.get_ready()
        self._outside = list(self.needs.outside)
        self._stamps = self.source.stamps(self._outside)
        self._digests = self.source.digests(self._outside)
        self._kernel = self.source.node.output(["uname", "-r"]).strip()
        self._cloned = not self.request.end and self.source.files.can_clone()
        if not self._cloned and not self.request.end:
            needed = self.needs.memory + self.needs.deleted + self._files_size
            preflight.check_room(needed, self.source, self.look.room)
        directory = self.context.store.pair(self.job.name)
        for isa in ALL:
            self.draft.add_binary(directory / f"{self.job.program}.{isa.name}")
        return ""

    def _pause(self) -> str:
        self._since = time.perf_counter()
        return self.move.pause(replace(self.request.pause, quiet=True))

    def _dump(self) -> str:
        self._since = self._since or time.perf_counter()
        self.options = self.source.criu_dump(self.job.pid, self.options)
        unchanged = [
            new == old for new, old in zip(self.source.stamps(self._outside), self._stamps, strict=True)
        ]
        self._digests = [sum_ if same else "" for sum_, same in zip(self._digests, unchanged, strict=True)]
        return ""

    def _copy_files(self) -> str:
        if self._cloned:
            self.source.files.clone()
            return "cloned"
        self.source.files.archive(self.exclude)
        return human(self._files_size)

    def _resume(self) -> str:
        self.source.resume(self.job.pid, undone=True)
        self.move.keep(State.RUNNING)
        self._downtime = time.perf_counter() - self._since
        return ""

    def _fetch(self) -> str:
        source = self.source
        source.node.get(source.dump, self.draft.images, IMAGES)
        counts.say_twice(self.draft.images)
        with self.draft.open_archive() as file, checked(self._rules(), file, top=TOP) as stream:
            if self._cloned or self.request.end:
                source.files.send(self.exclude, stream, cloned=self._cloned)
            else:
                source.files.send_archive(stream)
        return human(sum(self.draft.contents().values()))

    def _rules(self) -> Rules:
        return FILES.owned_by(self.job.uid) if self.job.user else FILES

    def _write(self) -> str:
        taken = Taken(
            self.job,
            self.number,
            self.source,
            self.look,
            self.needs,
            self.options,
            self.request.exclude,
            self._kernel,
            self._digests,
            self._downtime,
            self.draft,
            self.context.store.pair(self.job.name),
        )
        self.found = self.draft.finish(manifest(taken))
        return self.found.path.name

    def _end(self) -> str:
        """The job is in the checkpoint now, and must not go on here as well."""
        finish(self.context, self.job)
        self._downtime = time.perf_counter() - self._since
        return ""

    # --- failures ----------------------------------------------------------------------------------------------

    def _failure(self, error: BaseException) -> CheckpointError:
        """Puts things in order and says what became of the job."""
        with self.context.events.step("undo"):
            self.move.undo()
            outcome, result = self._undo(error)
            self.context.note_cause(self._attempt, error)
            self._settle(result, outcome)
        if self.found is None:
            outcome = f"there is no checkpoint, {outcome}"
        if self.move.unrecorded:
            outcome += f" (this could not be recorded: 'transproc recover {self.job.name}' when it can)"
        return CheckpointError.of_step(self.phase, error, outcome)

    def _undo(self, error: BaseException) -> tuple[str, Result]:
        job = self.job
        self.draft.discard()
        if self.phase == END:
            return (
                f"{self.found and self.found.path} is whole; 'transproc recover {job.name}' ends the job",
                (Result.UNDECIDED),
            )
        try:
            if isinstance(error, PauseError) and error.ended and (status := self._status()):
                self.move.has_ended(status)
            elif job.stopped and self.before is State.RUNNING:
                self.move.resume_source()
            self._forget_images()
        except TransprocError as other:
            return (
                f"{job.name} is on {job.node}: {other.message}; 'transproc recover {job.name}' lets it go on",
                (Result.UNDECIDED),
            )
        if job.state is State.EXITED:
            return f"{job.name} has ended on {job.node} ({job.exit})", Result.ENDED
        return (
            f"{job.name} {'runs' if job.state is State.RUNNING else 'is paused'} on {job.node}",
            Result.UNDONE,
        )

    def _status(self) -> str | None:
        with contextlib.suppress(TransprocError):
            return self.source.exit_status(RECORD_SECONDS)
        return None

    def _forget_images(self) -> None:
        with contextlib.suppress(TransprocError):
            self.source.forget_images()

    def _settle(self, result: Result, outcome: str, hop: Hop | None = None) -> None:
        self.move.record_end(self._attempt, result, outcome, hop, self.context.events)


def finish(context: Context, job: Job) -> str:
    """Ends a job that is in a checkpoint."""
    end_job(context, job, remove=False, exit=CHECKPOINTED)
    return f"{job.name} has ended ({job.exit})"


def left_out(path: str, patterns: Sequence[str]) -> bool:
    """Whether a file of the working directory, or a directory above it, matches one of the patterns."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return any(fnmatchcase(name, pattern) for name in above for pattern in patterns)
