"""Starting a program as a job, and what is asked of a job while it runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc import log
from transproc.binary.elf import Elf
from transproc.binary.pair import Pair, pair_of
from transproc.cluster.job import Job, State
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.process.pause import Window

POLL = 0.1
"""Seconds between two looks at a job."""


@dataclass(frozen=True)
class Program:
    """What to run: the arguments, and what the program finds: standard input, files of its working directory, environment.

    `window`: the size of its terminal, if the job has one.
    """

    argv: Sequence[str]
    stdin: Path | None = None
    files: Path | None = None
    env: dict[str, str] = field(default_factory=dict)
    window: Window = field(default_factory=Window)

    def pair(self) -> Pair:
        """The two binaries. Raises `MismatchError` if this is not a program of transproc-cc's."""
        pair = pair_of(Path(self.argv[0]))
        pair.verify()
        return pair

    @property
    def name(self) -> str:
        """The program's name, without directory and ISA."""
        name = Path(self.argv[0]).name
        return name.removesuffix(".x86_64").removesuffix(".aarch64")


def start(store: JobStore, place: Place, program: Program, *, pause: PauseRequest | None = None) -> None:
    """Starts `place.job` there: sends the binary and the files, runs it, records it.

    With `pause` the program is stopped as that says, counted from its first instruction, and the job is left paused.
    """
    job = place.job
    store.create(job)
    try:
        keep_pair(store, job, program.pair())
        place.prepare(store.pair(job.name) / f"{job.program}.{place.node.isa}")
        for path, remote in ((program.files, "work"), (program.stdin, "stdin")):
            if path is not None:
                place.node.put(path, f"{place.data}/{remote}")
        if pause is None:
            job.pid = place.start(job.argv[1:], program.env, program.window)
        else:
            job.pid = place.start_paused(job.argv[1:], program.env, program.window, pause)
    except BaseException:
        store.remove(job.name)
        raise
    job.state = State.RUNNING if pause is None else State.PAUSED
    store.save(job)


def keep_pair(store: JobStore, job: Job, pair: Pair) -> None:
    """Copies the pair: it must stay as it is as long as the job lives."""
    directory = store.pair(job.name)
    directory.mkdir(parents=True, exist_ok=True)
    for isa, binary in pair.binaries.items():
        shutil.copy2(binary.path, directory / f"{job.program}.{isa}")


def address_of(binary: Path, where: str) -> int:
    """The address of a function, or of a number in hexadecimal. Raises `TransprocError` for unknown names."""
    if where.startswith("0x"):
        try:
            return int(where, 16)
        except ValueError:
            raise TransprocError(f"{where}: not a hexadecimal number") from None
    symbols = Elf(binary).symbols
    if where in symbols:
        return symbols[where]
    raise TransprocError(
        f"{binary.stem}: no function {where}", hint="name a function of the program, or an address: 0x…"
    )


def refresh(store: JobStore, job: Job, place: Place) -> Job:
    """Notices that a running job has ended."""
    if job.state is State.RUNNING and (status := place.exit_status()) is not None:
        job.exit, job.state = status, State.EXITED
        store.save(job)
    return job


def wait(store: JobStore, name: str, place_of: Callable[[Job], Place], timeout: float | None = None) -> Job:
    """Waits for a job's end, wherever it moves meanwhile; raises `TransprocError` after `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        job = store.load(name)
        if job.state is not State.EXITED:
            job = refresh(store, job, place_of(job))
        if job.state is State.EXITED:
            return job
        if deadline is not None and time.monotonic() > deadline:
            raise TransprocError(
                f"job {name}: has not ended after {timeout:g} s; it is {job.state} on {job.node}"
            )
        time.sleep(POLL)


def follow(
    store: JobStore, name: str, place_of: Callable[[Job], Place], stream: str = "stdout"
) -> Iterator[tuple[str, bytes]]:
    """What a job prints, with the node where it was printed, until its end; waits for more."""
    offset = 0
    while True:
        job = store.load(name)
        place = place_of(job)
        ended = refresh(store, job, place).state is State.EXITED
        data = place.read(stream, offset)
        offset += len(data)
        if data:
            yield job.node, data
        elif ended:
            return
        else:
            time.sleep(POLL)


def discard(store: JobStore, name: str, place_of: Callable[[Job, str], Place]) -> None:
    """Ends a job on every node that may have a copy, and forgets it; nodes that do not answer are named and skipped."""
    if name not in store.names():
        return
    job = store.load(name)
    for node in {job.node, *([job.target] if job.target else []), *job.leftovers}:
        try:
            place = place_of(job, node)
            place.kill(job.pid, moved=True)
            place.remove()
        except TransprocError as error:
            log.note(error.message)
    store.remove(name)


def exit_code(status: str | None) -> int:
    """A status as a shell gives it: the program's own, or 128 + signal. `status` is "status N" or "signal N"."""
    kind, _, number = (status or "status 1").partition(" ")
    return int(number) + (128 if kind == "signal" else 0)
