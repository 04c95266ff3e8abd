# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A checkpoint becomes a job again, on a node of any ISA, as often as wanted: each time a job of its own.

    check → preflight → prepare → transform → ship → restore → verify → resume

Until `resume` has begun nothing runs, and any failure leaves nothing: no record, no directory, no process. The job of the same
name that has ended is forgotten when `prepare` begins, as by `run`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.binary.pair import PairStore, pair_of
from transproc.cluster import checkpoints, preflight
from transproc.cluster.archive import Given
from transproc.cluster.checkpoints import Checkpoint
from transproc.cluster.job import Job, State
from transproc.cluster.look import Liveness
from transproc.cluster.move import counted
from transproc.cluster.operations.context import Context
from transproc.cluster.operations.start import expect_addresses, replacing
from transproc.cluster.place import RECORD_SECONDS, Place
from transproc.cluster.plain import expanded, plain
from transproc.cluster.preflight import Needs
from transproc.cluster.restored import restore, verify
from transproc.cluster.start import keep_pair, take_back
from transproc.cluster.store import Attempt, Result
from transproc.errors import CheckpointError, FormatError, TransprocError, UnsupportedError
from transproc.images import kinds
from transproc.images.codec import write_image
from transproc.images.directory import PARENT_LINK, ImageDirectory
from transproc.images.flags import TaskState
from transproc.images.proto.files_pb2 import FileEntry
from transproc.text import human

KIND = "restart"
"""Of the attempt in the store."""
RESUME = "resume"
"""The step with which it begins to run."""


def restart(
    context: Context,
    directory: Path,
    node: str,
    *,
    name: str | None = None,
    paused: bool = False,
    force: bool = False,
) -> Job:
    """Starts a job from a checkpoint, whoever has made it and wherever, as a whole or not at all; returns its record.

    `name`: by default that of the job in it; `paused`: it is left stopped; `force`: although files beyond its directory have
    changed. Its processes get the ids that they had, which must be free on the node. Raises `TransprocError` if it is refused
    before anything is done, else `CheckpointError`.
    """
    found = checkpoints.read(directory)
    job = found.manifest.job(node, name)
    with context.store.lock(job.name, KIND):
        context.store.expect_free(job.name)
        expect_addresses(context, job)
        with replacing(context, job):
            return _Restart(context, found, job, paused, force).run()


def check(context: Context, found: Checkpoint, node: str) -> None:
    """Raises `TransprocError` if a checkpoint cannot be started on a node as things are; what is damaged is not looked for."""
    place = context.places(found.manifest.job(node))
    _preflight(found, place)
    _expect_unchanged(place, _changed(found, place))


def _changed(found: Checkpoint, place: Place) -> list[str]:
    """The files beyond the job's directory that are not as they were: they may be on another node."""
    outside = found.manifest.outside
    paths = [file.path for file in outside]
    sizes = place.sizes(paths) if paths else []
    digests = place.digests([file.path if file.sha256 else "" for file in outside])
    return [
        file.path
        for file, size, digest in zip(outside, sizes, digests, strict=True)
        if file.size not in (None, size) or file.sha256 != digest
    ]


def _expect_unchanged(place: Place, changed: list[str]) -> None:
    if changed:
        raise TransprocError(
            f"node {place.node.name}: the program uses {', '.join(changed)}, which is not as it was",
            hint="copy what the program had there first; 'transproc restart --force' takes what is there now",
        )


def _preflight(found: Checkpoint, place: Place) -> str:
    manifest, node = found.manifest, place.node
    if node.isa not in manifest.processor:
        raise UnsupportedError(f"node {node.name}: is {node.isa}, for which the checkpoint has no binary")
    if manifest.bound and node.isa != manifest.isa:
        raise UnsupportedError(
            "\n".join(manifest.bound), hint=f"restart it on a node that is {manifest.isa}, too"
        )
    binary = found.pair / f"{manifest.program}.{node.isa}"
    processor.check(Elf(binary), node.name, place.room.cpu)
    preflight.check_target(place.job, needs_of(found), place)
    place.expect_free()
    place.expect_addresses(reached=False)
    files = filled = manifest.contents["files.tar"]
    if _needs_plain(found, place):
        filled = max(filled, expanded(found.archive))
    preflight.check_room(sum(manifest.contents.values()) - files + filled, place, place.room)
    return f"{manifest.isa} → {node.isa}, files {human(files)}"


def _needs_plain(found: Checkpoint, place: Place) -> bool:
    """Whether the node's tar would not read an archive as GNU's has written it."""
    return found.manifest.gnu and not place.node.gnu_tar


def expect_owner(found: Checkpoint) -> None:
    """Raises `FormatError` if there are processes of others in a checkpoint of a user's job: criu starts them as whom it says."""
    manifest, images = found.manifest, ImageDirectory(found.images)
    if not manifest.user:
        return
    for tid in [tid for process in images.processes() for tid in process.threads]:
        core = images.core(tid)
        if core.tc.task_state in (TaskState.DEAD, TaskState.ZOMBIE):
            continue
        who = core.thread_core.creds
        users = {who.uid, who.euid, who.suid, who.fsuid}
        if users != {manifest.uid} or any([*who.cap_prm, *who.cap_inh]):
            others = ", ".join(map(str, sorted(users - {manifest.uid}))) or "one with capabilities"
            raise FormatError(
                f"thread {tid} runs as user {others}, expected {manifest.user} ({manifest.uid})",
                path=found.path,
            )


def needs_of(found: Checkpoint) -> Needs:
    """What the node must have."""
    manifest = found.manifest
    outside: dict[str, int | None] = {file.path: None for file in manifest.outside}
    return Needs(manifest.memory, ids=manifest.ids, capabilities=manifest.capabilities, outside=outside)


class _Restart:
    """One restart; the lock is held."""

    def __init__(self, context: Context, found: Checkpoint, job: Job, paused: bool, force: bool) -> None:
        self.context = context
        self.found = found
        self.job = job
        self.place = context.places(job)
        self.phase = ""
        self._paused = paused
        self._force = force
        self._changed: list[str] = []
        self._attempt = self._steps = 0

    def run(self) -> Job:
        """As a whole, or nothing."""
        context, job = self.context, self.job
        with (
            context.events.step(f"restart {job.name} on {job.node}") as whole,
            context.cancel.deferred(),
        ):
            for name, action in (("check", self._check), ("preflight", self._preflight)):
                context.cancel.check()
                with context.events.step(name) as step:
                    step.detail = action()
            context.cancel.check()
            context.store.create(job)
            try:
                self._attempt = context.store.begin(job, KIND, job.node)
                for name, action in self._plan():
                    self._do(name, action)
            except BaseException as error:
                raise self._failure(error) from error
            whole.detail = f"pid {job.pid}"
        return job

    def _plan(self) -> list[tuple[str, Callable[[], str]]]:
        return [
            ("prepare", self._prepare),
            ("transform", self._transform),
            ("ship", self._ship),
            ("restore", lambda: restore(self.place, self.found.manifest.options)),
            ("verify", lambda: verify(self.place)),
            ("keep" if self._paused else RESUME, self._resume),
        ]

    def _do(self, name: str, action: Callable[[], str]) -> None:
        self.context.cancel.check()
        self.phase = name
        number, self._steps = self._steps, self._steps + 1
        self.context.take(self._attempt, number, name, action)

    # --- the steps ---------------------------------------------------------------------------------------------

    def _check(self) -> str:
        """Every byte, before any is sent."""
        checkpoints.verify(self.found)
        expect_owner(self.found)
        self.pair = pair_of(self.found.pair / self.found.manifest.program)
        self.pair.verify()
        return human(self.found.size)

    def _preflight(self) -> str:
        done = _preflight(self.found, self.place)
        self._changed = _changed(self.found, self.place)
        if not self._force:
            _expect_unchanged(self.place, self._changed)
        return done

    def _prepare(self) -> str:
        """Recorded before: what the node may hold."""
        keep_pair(self.context.store, self.job, self.pair)
        path = self.pair[self.place.node.isa].path
        self.place.prepare(path)
        self.place.make_images()
        self.place.get_ready()
        return human(path.stat().st_size)

    def _transform(self) -> str:
        target = self.context.store.move(self.job.name) / "images" / "image"
        pairs = PairStore([self.context.store.pair(self.job.name)])
        report = self.context.transform(self.found.images, target, pairs=pairs, to=self.place.node.isa)
        self._accept_changes(target)
        link = target / PARENT_LINK
        link.unlink()
        link.symlink_to("../dump")  # where it will be
        return counted(report, same=self.place.node.isa == self.found.manifest.isa)

    def _accept_changes(self, target: Path) -> None:
        """criu refuses an open file that has not the size of the image, if that has one."""
        if not self._changed:
            return
        image = ImageDirectory(target).image("files.img", kinds.FILES)
        for entry in image.messages(FileEntry):
            if entry.HasField("reg") and entry.reg.name in self._changed:
                entry.reg.ClearField("size")
        write_image(target / "files.img", image)

    def _ship(self) -> str:
        images = self.context.store.move(self.job.name) / "images" / "image"
        for here, name in ((self.found.images, "dump"), (images, "image")):
            self.place.node.put(here, f"{self.place.images}/{name}", given=Given(), parents=False)
        path = self.found.archive
        with plain(path) if _needs_plain(self.found, self.place) else path.open("rb") as stream:
            self.place.files.take(stream)
        return human(self.found.size)

    def _resume(self) -> str:
        if not self._paused:
            self.place.resume(self.job.pid)
        adopt(self.context, self.job, State.PAUSED if self._paused else State.RUNNING)
        self.context.store.settle(self._attempt, Result.DONE, f"from {self.found.path}")
        forget_images(self.context, self.place)
        return ""

    # --- failures ----------------------------------------------------------------------------------------------

    def _failure(self, error: BaseException) -> CheckpointError:
        """Puts things in order and says what became of the job."""
        with self.context.events.step("undo"):
            if self._attempt:
                self.context.note_cause(self._attempt, error)
            try:
                outcome = settle(self.context, self.job, self.phase == RESUME)
            except TransprocError as other:
                outcome = f"{other.message}: 'transproc recover {self.job.name}' settles it"
        return CheckpointError.of_step(self.phase, error, outcome)


def adopt(context: Context, job: Job, state: State = State.RUNNING) -> None:
    """Records that the job is there: from here on it is one like any other."""
    job.moves += 1
    job.state, job.started = state, time.time()
    context.store.save(job)


def forget_images(context: Context, place: Place) -> None:
    """Here and on the node; what stays on one that does not answer, `recover` removes."""
    context.store.forget_images(place.job.name)
    with contextlib.suppress(TransprocError):
        place.forget_images()


def begun(attempt: Attempt) -> bool:
    """Whether the job may have been let go."""
    return RESUME in attempt.steps


def settle(context: Context, job: Job, may_run: bool) -> str:
    """What became of a restart that did not come to its end: the job runs, or nothing of it is left."""
    place = context.places(job)
    place.become_quiet()
    attempt = context.store.unsettled(job)
    found = place.liveness(job.pid) if may_run else Liveness.STOPPED
    if found is Liveness.RUNNING:
        place.plug()
        if job.state is State.STARTING:
            adopt(context, job)
        outcome = f"{job.name} runs on {job.node}"
    elif found is Liveness.GONE and (status := place.exit_status(RECORD_SECONDS)):
        job.exit, job.state = status, State.EXITED
        context.store.save(job)
        outcome = f"{job.name} has ended on {job.node} ({status})"
    else:
        take_back(context.store, place)
        return f"nothing of {job.name} is left on {job.node}"
    if attempt:
        context.store.settle(attempt.number, Result.DONE, outcome)
    forget_images(context, place)
    return outcome
