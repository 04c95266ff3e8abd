# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The transformer: (image directory of one ISA, pairs of binaries) → image directory of another.

A pure function: it starts no program, opens no socket and asks no clock but to report its own times. The original
directory is only read, and stays valid; the result is small and refers to it by CRIU's `parent` link, so the work grows with the
stacks and not with the memory.
"""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from transproc.binary.elf import PAGE
from transproc.binary.pair import Binary, Pair, PairStore
from transproc.errors import ImageError, TransprocError, UnsupportedError
from transproc.images import kinds
from transproc.images.child import ChildWriter
from transproc.images.codec import Image, write_image
from transproc.images.directory import ImageDirectory, Process
from transproc.images.flags import TaskState
from transproc.images.memory import Memory
from transproc.images.proto.core_pb2 import CoreEntry
from transproc.images.proto.files_pb2 import FileEntry
from transproc.images.proto.memory_pb2 import MemoryMap
from transproc.isa import Isa, by_name
from transproc.transform import address_space, files, guards, orphans, terminals, threads, timers
from transproc.transform.clocks import Clocks
from transproc.transform.process_memory import ProcessMemory
from transproc.transform.records import encode, encoded_size
from transproc.transform.threads import Thread

RLIMIT_STACK = 3
"""include/uapi/asm-generic/resource.h"""


@dataclass
class TransformReport:
    """What was done, for people and for benchmarks."""

    source: str
    target: str
    processes: int = 0
    threads: int = 0
    blocked: int = 0
    frames: int = 0
    values: int = 0
    bytes_written: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


def transform(source: Path, target: Path, *, pairs: PairStore, to: str) -> TransformReport:
    """Writes `target`, a directory that must not exist, as the image of `source` for the ISA `to`.

    Raises `UnsupportedError` for state that cannot be carried over, `MismatchError` if the pair is not at hand,
    `TransformError` or `ImageError` if the image is not what a pause at equivalence points leaves. Nothing is left behind then.
    """
    directory = ImageDirectory(source)
    isa = by_name(to)
    if directory.isa() == isa:
        raise UnsupportedError(f"{source} is an image for {to} already", hint="restore it there as it is")
    return _write(_ToOtherIsa, directory, target, pairs, isa)


def carry(source: Path, target: Path, *, pairs: PairStore, to: str) -> TransformReport:
    """As `transform`, and for a node of the same ISA the image as it is, but that the program learns that it has moved, and
    that its timers tick."""
    directory = ImageDirectory(source)
    isa = by_name(to)
    return _write(_ToSameIsa if directory.isa() == isa else _ToOtherIsa, directory, target, pairs, isa)


def _write(
    way: type[_Steps], directory: ImageDirectory, target: Path, pairs: PairStore, isa: Isa
) -> TransformReport:
    """All steps, or nothing."""
    if target.exists():
        raise ImageError("exists already", path=target, hint="name a directory that does not exist")
    try:
        work = way(directory, target, pairs, isa)
        work.run()
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return work.report


@dataclass(frozen=True)
class _Space:
    """A dumped process: its pages, what it would read there, the pair that it executes, and the binary of that which it is."""

    memory: Memory
    reader: ProcessMemory
    pair: Pair
    binary: Binary


def _spaces(directory: ImageDirectory, pairs: PairStore) -> dict[int, _Space]:
    """By process; zombies have none."""
    spaces: dict[int, _Space] = {}
    executables: dict[int, Pair] = {}
    isa = directory.isa().name
    for process in directory.processes():
        core = directory.core(process.pid)
        if core.tc.task_state in (TaskState.DEAD, TaskState.ZOMBIE):
            continue
        entry = directory.executable(process.pid)
        if entry.id not in executables:
            executables[entry.id] = pairs.find(files.build_id(entry), entry.reg.name)
        pair = executables[entry.id]
        limits = core.tc.rlimits.rlimits
        stack_limit = limits[RLIMIT_STACK].cur if len(limits) > RLIMIT_STACK else 0
        memory = Memory(directory, process.pid)
        reader = ProcessMemory(memory, directory.mm(process.pid), pair[isa], stack_limit=stack_limit)
        spaces[process.pid] = _Space(memory, reader, pair, pair[isa])
    return spaces


class _Steps(ABC):
    """One run: the steps that every image takes, in order, and what they share."""

    def __init__(self, directory: ImageDirectory, target: Path, pairs: PairStore, isa: Isa) -> None:
        self.directory = directory
        self.target = target
        self.isa = isa
        self.source_isa = directory.isa()
        self.report = TransformReport(self.source_isa.name, isa.name)
        self.child = ChildWriter(target, directory)
        with self._timed("memory map"):
            self.spaces = _spaces(directory, pairs)
            read = {pid: (space.reader, space.binary) for pid, space in self.spaces.items()}
            self.clocks = Clocks(directory, read)

    def run(self) -> None:
        """All steps."""
        with self._timed("files"):
            image = self.directory.image("files.img", kinds.FILES)
            self._files(image.messages(FileEntry))
            write_image(self.target / "files.img", image)
        for process in self.directory.processes():
            self.report.processes += 1
            if process.pid in self.spaces:
                self._process(process, self.spaces[process.pid])
            else:
                self._dead(process)
        with self._timed("other images"):
            terminals.release(self.directory, self.target)
            self.child.finish()
            orphans.outlive(ImageDirectory(self.target))
        self.report.bytes_written = sum(
            entry.stat().st_size for entry in self.target.iterdir() if not entry.is_symlink()
        )

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.report.seconds[step] = self.report.seconds.get(step, 0.0) + time.perf_counter() - start

    @abstractmethod
    def _files(self, entries: Iterable[FileEntry]) -> None:
        """Changes the files that processes have open or mapped."""

    @abstractmethod
    def _process(self, process: Process, space: _Space) -> None:
        """Writes a process's own images and the pages that are different."""

    @abstractmethod
    def _dead(self, process: Process) -> None:
        """Writes what is different of a zombie, which has no memory."""


class _ToSameIsa(_Steps):
    """Only what a move itself changes."""

    def _files(self, entries: Iterable[FileEntry]) -> None:
        for entry in entries:
            timers.keep_file(entry)

    def _process(self, process: Process, space: _Space) -> None:
        words = address_space.note_move(space.reader, space.binary) | self.clocks.words(process)
        self.child.add(space.memory, space.reader.changed_pages(words))
        for tid in process.threads if self.isa.processor_field else [process.pid]:
            image = self.directory.image(f"core-{tid}.img", kinds.CORE)
            core = image.only(CoreEntry)
            left = self.isa.leave_processor(core)
            if tid == process.pid:
                timers.keep_process(core)
                guards.lift(core)
            if left or tid == process.pid:
                write_image(self.target / f"core-{tid}.img", image)

    def _dead(self, process: Process) -> None:
        """Nothing is."""


class _ToOtherIsa(_Steps):
    """Registers, stacks, address space and files become the other ISA's."""

    def _files(self, entries: Iterable[FileEntry]) -> None:
        executables = {self.directory.executable(pid).id: space.pair for pid, space in self.spaces.items()}
        for entry in entries:
            files.convert(entry, self.source_isa, self.isa)
            if entry.id in executables:
                files.set_executable(entry, executables[entry.id][self.isa.name])

    def _process(self, process: Process, space: _Space) -> None:
        mm_image = self.directory.image(f"mm-{process.pid}.img", kinds.MM)
        mm = mm_image.only(MemoryMap)
        reader, source, target = space.reader, space.binary, space.pair[self.isa.name]
        with self._timed("memory map"):
            address_space.check_limits(mm, target.isa.address_limit, target.isa.name)
        with self._timed("stacks"):
            found = [self._read_thread(tid, source, target, reader) for tid in process.threads]
        with self._timed("memory map"):
            rebuilt = address_space.rebuild(mm, reader, source, target)
            for vma in mm.vmas:
                if vma.HasField("fdflags"):
                    vma.fdflags = self.source_isa.convert_open_flags(vma.fdflags, self.isa)
        with self._timed("stacks"):
            chains = [thread.chain for _, thread in found]
            size = encoded_size(chains)
            start = address_space.add_records(mm, size, target.isa.address_limit)
            data, innermost = encode(chains, start)
            for (image, thread), record in zip(found, innermost, strict=True):
                threads.resume(thread, record, source, target, reader)
                write_image(self.target / f"core-{thread.tid}.img", image)
        with self._timed("pages"):
            write_image(self.target / f"mm-{process.pid}.img", mm_image)
            pages = {start: data.ljust(-(-len(data) // PAGE) * PAGE, b"\0")}
            words = address_space.note_records(reader, source, start, size) | self.clocks.words(process)
            pages |= reader.changed_pages(words)
            dropped = [(range_.start, range_.end) for range_ in rebuilt.dropped]
            self.child.add(space.memory, pages, dropped)

    def _read_thread(
        self, tid: int, source: Binary, target: Binary, reader: ProcessMemory
    ) -> tuple[Image, Thread]:
        image = self.directory.image(f"core-{tid}.img", kinds.CORE)
        try:
            thread = threads.read(image.only(CoreEntry), tid, source, target, reader)
        except TransprocError as error:
            error.args = (f"thread {tid}: {error}",)
            raise
        self.report.threads += 1
        self.report.blocked += thread.blocked
        self.report.frames += thread.chain.frames
        self.report.values += thread.chain.values
        return image, thread

    def _dead(self, process: Process) -> None:
        """A zombie has no registers and no memory: only the core's type changes."""
        image = self.directory.image(f"core-{process.pid}.img", kinds.CORE)
        image.only(CoreEntry).mtype = self.isa.mtype
        write_image(self.target / f"core-{process.pid}.img", image)
