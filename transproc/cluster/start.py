# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A program, and its start as a job."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc.binary import processor
from transproc.binary.pair import Binary, Pair, pair_of
from transproc.cluster.events import Cancel, Token
from transproc.cluster.job import Job, State
from transproc.cluster.place import PauseRequest, Place
from transproc.cluster.store import JobStore
from transproc.errors import TransprocError
from transproc.process.launch import Window


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

    def expect_inputs(self) -> None:
        """Raises `TransprocError` if standard input is no file (a pipe cannot be read twice), or the files are no directory."""
        if self.stdin is not None and not self.stdin.is_file():
            raise TransprocError(
                f"standard input {self.stdin}: {_lack(self.stdin, 'file')}",
                hint="write what comes from elsewhere to a file first; without one it is empty",
            )
        if self.files is not None and not self.files.is_dir():
            raise TransprocError(f"files {self.files}: {_lack(self.files, 'directory')}")

    @property
    def name(self) -> str:
        """The program's name, without directory and ISA."""
        name = Path(self.argv[0]).name
        return name.removesuffix(".x86_64").removesuffix(".aarch64")


def _lack(path: Path, wanted: str) -> str:
    return f"expected a {wanted}" if path.exists() else "no such file or directory"


def start(
    store: JobStore,
    place: Place,
    program: Program,
    *,
    pause: PauseRequest | None = None,
    cancel: Cancel | None = None,
) -> None:
    """Starts `place.job` there, as a whole or not at all: sends the binary and the files, runs it, records it.

    With `pause` the program is stopped as that says, counted from its first instruction, and the job is left paused. After a
    failure nothing of it is left, here or there; if the node was lost meanwhile, the record stays for `transproc recover`.
    What is refused before anything is sent, as by a node that does not answer, has no record: an ended job of that name stays.
    """
    job, cancel = place.job, cancel or Token()
    program.expect_inputs()
    with cancel.deferred(), store.lock(job.name, "run"):
        store.expect_free(job.name)
        pair = program.pair()
        _expect_fit(place, pair)
        store.create(job)
        try:
            keep_pair(store, job, pair)
            _send(store, place, program)
            cancel.check()
            arguments = job.argv[1:], program.env, program.window
            job.pid = place.start(*arguments) if pause is None else place.start_paused(*arguments, pause)
            job.state = State.RUNNING if pause is None else State.PAUSED
            store.save(job)
        except BaseException as error:
            take_back(store, place, error)
            raise


def _expect_fit(place: Place, pair: Pair) -> None:
    """Raises `TransprocError` if the node lacks what the program needs there, or cannot be asked."""
    processor.check(pair[place.node.isa].elf, place.node.name, place.room.cpu)
    place.expect_addresses(reached=False)


def _send(store: JobStore, place: Place, program: Program) -> None:
    job = place.job
    place.prepare(store.pair(job.name) / f"{job.program}.{place.node.isa}")
    for path, remote in ((program.files, "work"), (program.stdin, "stdin")):
        if path is not None:
            place.give(path, remote)


def take_back(store: JobStore, place: Place, error: BaseException | None = None) -> None:
    """Ends a program whose start has failed, and removes all of it; `error`: the failure, whose hint names what cannot be."""
    try:
        place.become_quiet()
        place.end()
        store.remove(place.job.name)
    except TransprocError as other:
        if not isinstance(error, TransprocError):
            raise
        error.hint = f"{other.message}: 'transproc recover {place.job.name}' removes what is left there"


def keep_pair(store: JobStore, job: Job, pair: Pair) -> None:
    """Copies the pair: it must stay as it is as long as the job lives."""
    directory = store.pair(job.name)
    directory.mkdir(parents=True, exist_ok=True)
    for isa, binary in pair.binaries.items():
        shutil.copy2(binary.path, directory / f"{job.program}.{isa}")


def address_of(binary: Path, where: str) -> int:
    """The address of a function, or of a number in hexadecimal, where a program may be told to stop.

    Raises `TransprocError` for unknown names, and for addresses that are no equivalence points of this binary: those of other
    builds, and of the other ISA. A function's address is equal in both binaries, other ones are not.
    """
    try:
        address = int(where, 16) if where.startswith("0x") else None
    except ValueError:
        raise TransprocError(f"{where}: not a hexadecimal number") from None
    program = Binary(binary)
    functions = program.elf.functions
    if address is None:
        if where not in functions:
            raise TransprocError(
                f"{binary.stem}: no function {where}",
                hint="name a function of the program, or an address: 0x…",
            )
        return functions[where]
    if address not in functions.values() and not program.index.stop_at(address):
        raise TransprocError(
            f"{address:#x}: no equivalence point of {binary.stem} ({program.isa.name}); "
            f"the nearest function is {program.index.nearest(address)}",
            hint="name a function of the program; addresses are those of one build",
        )
    return address
