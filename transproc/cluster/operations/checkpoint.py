# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A job is written to a directory of the host, from which it can be started again; meanwhile it goes on, or ends then.

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
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from transproc import __version__
from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.cluster import checkpoints, preflight
from transproc.cluster.checkpoints import Checkpoint, Draft, Manifest
from transproc.cluster.checkpoints.directory import TOP
from transproc.cluster.checkpoints.manifest import Outside
from transproc.cluster.job import Hop, Job, State, expect
from transproc.cluster.members import FILES, IMAGES, Rules, checked
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.end import end as end_job
from transproc.cluster.place import RECORD_SECONDS, Liveness, PauseRequest
from transproc.cluster.store import Attempt, JobStore, Result
from transproc.cluster.transfer import human
from transproc.cluster.watch import refresh
from transproc.errors import CheckpointError, PauseError, StoreError, TransprocError, UnsupportedError
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory
from transproc.isa import ALL
from transproc.process import inspect
from transproc.process.criu import Options, dotted

KIND = "checkpoint"
"""Of the attempt in the store."""
END = "end"
"""The step with which a job ends that does not go on."""
CHECKPOINTED = "checkpoint"
"""The exit of a job that was ended by its checkpoint."""
LARGEST_ENVIRONMENT = 1 << 20
"""Bytes of it that a manifest shows."""


@dataclass(frozen=True)
class Request:
    """What of a job is written, and where. See `checkpoint`."""

    to: Path
    exclude: tuple[str, ...] = ()
    keep: int | None = None
    end: bool = False
    pause: PauseRequest = field(default_factory=PauseRequest)
    options: Options = field(default_factory=Options)


def place(store: JobStore) -> Path:
    """Where checkpoints are if nothing else is said: in the state directory."""
    return store.directory / "checkpoints"


def checkpoint(
    context: Context,
    name: str,
    to: Path | None = None,
    *,
    files: bool = True,
    exclude: Sequence[str] = (),
    keep: int | None = None,
    end: bool = False,
    at: str | None = None,
    timeout: float = 10.0,
    options: Options | None = None,
) -> Checkpoint:
    """Writes a checkpoint of a running or paused job into the directory `to`, complete or not at all; returns it.

    `files`: those of the working directory are part of it; `exclude`: but for those whose path there matches one of these
    patterns (as a shell's, `*` matches `/` as well) or is below one that does. `keep`: of the job's checkpoints in `to` only so
    many newest ones stay. `end`: the job does not go on, and ends when the checkpoint is written. `at`, `timeout`: as for
    `migrate`.

    Raises `TransprocError`; the job then goes on as before (a node that does not answer: `recover` sees to it).
    """
    if keep is not None and keep < 1:
        raise TransprocError(f"keep {keep}: expected at least 1")
    with context.store.lock(name, KIND):
        job = context.current(name)
        context.expect_settled(job)
        expect(job, State.RUNNING, State.PAUSED)
        address = context.address(job, at)
        request = Request(
            (to or place(context.store)).absolute(),
            tuple(exclude) if files else ("*",),
            keep,
            end,
            PauseRequest(address, None, timeout),
            options or Options(),
        )
        return _Taking(context, job, request).run()


def checkpoint_every(
    context: Context,
    name: str,
    seconds: float,
    to: Path | None = None,
    *,
    failed: Callable[[TransprocError], None] | None = None,
    **how: object,
) -> Iterator[Checkpoint]:
    """A checkpoint now and every so many seconds, each as it is written, until the job ends, or `context.cancel` says so.

    `how`: as for `checkpoint`. One that fails is told to `failed` (else noted), and the next one is tried in its time.
    """
    due = time.monotonic()
    while True:
        try:
            found = checkpoint(context, name, to, **how)  # type: ignore[arg-type]
        except TransprocError as error:
            if isinstance(error.__cause__, KeyboardInterrupt):
                raise error.__cause__ from error
            if _has_ended(context, name):
                return
            (failed or (lambda error: context.events.note(error.message)))(error)
        else:
            yield found
        due = max(due + seconds, time.monotonic())
        while time.monotonic() < due:
            context.cancel.check()
            time.sleep(min(0.2, max(0.0, due - time.monotonic())))
        if _has_ended(context, name):
            return


def _has_ended(context: Context, name: str) -> bool:
    """Also one that is not there any more. A node that does not answer says nothing."""
    if name not in context.store.names():
        return True
    job = context.store.load(name)
    with contextlib.suppress(TransprocError):
        job = refresh(context.store, job, context.places(job))
    return job.state is State.EXITED


class _Taking:
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
        self.context.store.step(self._attempt, number, name)
        with self.context.events.step(name) as step:
            step.detail = action()
        self.context.store.step_done(self._attempt, number, round(step.seconds, 4), step.detail)

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
        image, files = self.needs.memory + self.needs.deleted, source.used(self.exclude)
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
        self._cloned = not self.request.end and self.source.can_clone()
        if not self._cloned and not self.request.end:
            needed = self.needs.memory + self.needs.deleted + self._files_size
            preflight.check_room(needed, self.source, self.look.room)
        directory = self.context.store.pair(self.job.name)
        for isa in ALL:
            self.draft.add_binary(directory / f"{self.job.program}.{isa.name}")
        return ""

    def _pause(self) -> str:
        self._since = time.perf_counter()
        return self.move.pause(self.request.pause)

    def _dump(self) -> str:
        self._since = self._since or time.perf_counter()
        self.source.criu_dump(self.job.pid, self.options)
        unchanged = [
            new == old for new, old in zip(self.source.stamps(self._outside), self._stamps, strict=True)
        ]
        self._digests = [sum_ if same else "" for sum_, same in zip(self._digests, unchanged, strict=True)]
        return ""

    def _copy_files(self) -> str:
        if self._cloned:
            self.source.clone_files()
            return "cloned"
        self.source.archive_files(self.exclude)
        return human(self._files_size)

    def _resume(self) -> str:
        self.source.resume(self.job.pid, undone=True)
        self.move.keep(State.RUNNING)
        self._downtime = time.perf_counter() - self._since
        return ""

    def _fetch(self) -> str:
        source = self.source
        source.node.get(source.dump, self.draft.images, IMAGES)
        with self.draft.open_archive() as file, checked(self._rules(), file, top=TOP) as stream:
            if self._cloned or self.request.end:
                source.send_files(self.exclude, stream, cloned=self._cloned)
            else:
                source.send_archive(stream)
        return human(sum(self.draft.contents().values()))

    def _rules(self) -> Rules:
        return FILES.owned_by(self.job.uid) if self.job.user else FILES

    def _write(self) -> str:
        self.found = self.draft.finish(self._manifest())
        return self.found.path.name

    def _end(self) -> str:
        """The job is in the checkpoint now, and must not go on here as well."""
        finish(self.context, self.job)
        self._downtime = time.perf_counter() - self._since
        return ""

    def _manifest(self) -> Manifest:
        job, node = self.job, self.source.node
        pair = self.context.store.pair(job.name)
        return Manifest(
            name=job.name,
            id=job.id,
            number=self.number,
            taken=time.time(),
            node=job.node,
            isa=node.isa,
            kernel=self._kernel,
            criu=dotted(self.source.check_criu()),
            transproc=__version__,
            argv=job.argv,
            env=environment(self.draft.images, job.pid),
            pid=job.pid,
            started=job.started,
            moves=job.moves,
            terminal=job.terminal,
            user=job.user,
            uid=job.uid,
            gid=job.gid,
            groups=job.groups,
            directory=job.directory or job.name,
            memory=self.needs.memory,
            ids=self.needs.ids,
            capabilities=self.needs.capabilities,
            outside=self._outside_files(),
            bound=self._bound(),
            exclude=list(self.request.exclude),
            gnu=node.gnu_tar,
            tcp_close=self.options.tcp_close,
            file_locks=self.options.file_locks,
            link_remap=self.options.link_remap,
            processor={
                isa.name: sorted(processor.needed(Elf(pair / f"{job.program}.{isa.name}"))) for isa in ALL
            },
            downtime=round(self._downtime, 4),
            contents=self.draft.contents(),
        )

    def _outside_files(self) -> list[Outside]:
        """With the sizes that a restore wants, those of the image: none of files that are appended to; with digests of then."""
        opened = {
            entry.reg.name: entry.reg.size if entry.reg.HasField("size") else None
            for entry in ImageDirectory(self.draft.images).files().values()
            if entry.HasField("reg")
        }
        return [
            Outside(path, opened.get(path, size), digest)
            for (path, size), digest in zip(self.needs.outside.items(), self._digests, strict=True)
        ]

    def _bound(self) -> list[str]:
        """Why it cannot go on with another ISA."""
        return list(
            dict.fromkeys(
                problem.message
                for isa in ALL
                if isa.name != self.source.node.isa
                for problem in inspect.problems(
                    self.look.views,
                    program=self.source.program,
                    files=self.source.data,
                    target=isa,
                    tcp_close=self.options.tcp_close,
                )
            )
        )

    # --- failures ----------------------------------------------------------------------------------------------

    def _failure(self, error: BaseException) -> CheckpointError:
        """Puts things in order and says what became of the job."""
        message = (
            "interrupted" if isinstance(error, KeyboardInterrupt) else getattr(error, "message", repr(error))
        )
        with self.context.events.step("undo"):
            self.move.undo()
            outcome, result = self._undo(error)
            self._settle(result, outcome)
        if self.found is None:
            outcome = f"there is no checkpoint, {outcome}"
        if self.move.unrecorded:
            outcome += f" (this could not be recorded: 'transproc recover {self.job.name}' when it can)"
        head, *rest = message.splitlines() or [""]
        failure = CheckpointError(f"{self.phase}: {head}", outcome=outcome, hint=getattr(error, "hint", None))
        failure.message += "".join(f"\n  {line}" for line in rest)
        failure.exit_status = getattr(error, "exit_status", 1)
        return failure

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
        if not self.move.recorded():
            return
        try:
            self.context.store.settle(self._attempt, result, outcome, hop)
        except StoreError as error:  # `recover` finds the same
            self.context.events.note(error.message)
            self.move.unrecorded = error


def is_to_end(context: Context, job: Job, attempt: Attempt) -> bool:
    """Whether a job is in a checkpoint that was cut off and is whole, and was not to go on."""
    whole = [path for path in context.store.drafts(job) if path.is_dir()]
    return attempt.kind == KIND and END in attempt.steps and bool(whole)


def finish(context: Context, job: Job) -> str:
    """Ends a job that is in a checkpoint."""
    end_job(context, job, remove=False, exit=CHECKPOINTED)
    return f"{job.name} has ended ({job.exit})"


def clear(context: Context, job: Job) -> bool:
    """Removes what checkpoints that were cut off have left on this host; whether one is whole."""
    paths = context.store.drafts(job)
    for path in paths:
        Draft(path).discard()
    return any(path.is_dir() for path in paths)


def left_out(path: str, patterns: Sequence[str]) -> bool:
    """Whether a file of the working directory, or a directory above it, matches one of the patterns."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    return any(fnmatchcase(name, pattern) for name in above for pattern in patterns)


def environment(images: Path, pid: int) -> list[str]:
    """As the program found it at its start."""
    directory = ImageDirectory(images)
    mm = directory.mm(pid)
    size = min(mm.mm_env_end - mm.mm_env_start, LARGEST_ENVIRONMENT)
    if size <= 0:
        return []
    text = Memory(directory, pid).read(mm.mm_env_start, size)
    return [word.decode(errors="replace") for word in text.split(b"\0") if word]
