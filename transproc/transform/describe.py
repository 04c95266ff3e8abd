# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What an image's stacks hold, for `transproc show`: frames with functions, source lines, and variables by name and type.

Works before and after a transformation: a transformed thread has resume records instead of frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from transproc.binary.lines import Describer, Variable
from transproc.binary.pair import Binary, PairStore
from transproc.binary.sites import Site
from transproc.errors import TransformError, TransprocError
from transproc.images.directory import ImageDirectory
from transproc.images.memory import Memory
from transproc.isa import Isa
from transproc.transform import files
from transproc.transform.frames import Reader, slot_words
from transproc.transform.process_memory import ProcessMemory
from transproc.transform.threads import read_stack
from transproc.transform.unwind import HEAD_SIZE, SavedRecord, Stack, Walker, is_bare
from transproc.transform.variables import Finder, InMemory

FLOATS = {"float": "<f", "double": "<d"}


@dataclass
class ValueView:
    """One live value, or a variable that lies in memory, as text; `address` and `size`: of the latter, else 0."""

    name: str
    type: str
    value: str
    address: int = 0
    size: int = 0


@dataclass
class FrameView:
    """One frame, or one record that stands for a frame."""

    kind: str
    """`frame`, `record` or `system call`."""
    function: str
    address: int
    line: str = ""
    site: int = 0
    objects: int = 0
    values: list[ValueView] = field(default_factory=list)


@dataclass
class ThreadView:
    """One thread's stack, innermost first; `problem` says why it could not be read to its end."""

    pid: int
    tid: int
    isa: str
    frames: list[FrameView] = field(default_factory=list)
    problem: str = ""


def stacks(directory: ImageDirectory, pairs: PairStore) -> list[ThreadView]:
    """All threads of an image. Threads that cannot be read are reported, not raised."""
    out = []
    for process in directory.processes():
        for tid in process.threads:
            view = ThreadView(process.pid, tid, directory.isa().name)
            try:
                view.frames = _Reader(directory, process.pid, pairs).frames(tid)
            except TransprocError as error:
                view.problem = str(error)
            out.append(view)
    return out


class _Reader:
    """Reads the stacks of one process."""

    def __init__(self, directory: ImageDirectory, pid: int, pairs: PairStore) -> None:
        self._directory = directory
        entry = directory.executable(pid)
        self._isa: Isa = directory.isa()
        self._binary: Binary = pairs.find(files.build_id(entry), entry.reg.name)[self._isa.name]
        mm = directory.mm(pid)
        memory = ProcessMemory(Memory(directory, pid), mm, self._binary)
        self._walker = Walker(self._binary.index, self._isa, memory.read)
        self._describer = Describer(self._binary.elf)
        self._finder = Finder(self._binary, self._walker.window)

    def frames(self, tid: int) -> list[FrameView]:
        core = self._directory.core(tid)
        if self._isa.pc(core) == self._binary.index.loop:
            return self._records(self._isa.read_general(core, self._isa.record_register))
        stack = read_stack(core, self._isa, self._walker)
        views = (
            [] if stack.system_call is None else [self._system_call(self._isa.pc(core), stack.system_call)]
        )
        views += [self._frame(stack, entry) for entry in stack.frames.sited().tolist()]
        return views + (self._records(stack.current.outer) if stack.current else [])

    def _system_call(self, pc: int, call: tuple[int, ...]) -> FrameView:
        arguments = [ValueView(f"argument {i}", "i64", f"{value:#x}") for i, value in enumerate(call[1:])]
        return FrameView("system call", f"system call {call[0]}", pc, values=arguments)

    def _frame(self, stack: Stack, entry: int) -> FrameView:
        index, site = self._binary.index, stack.frames.site(entry)
        function = index.function(site.function)
        reader = Reader(index, stack.frames, np.array([entry]), self._walker.window)
        slots = reader.values().tobytes()
        view = FrameView(
            "frame", index.name(site.function), site.pc, site=site.id >> 1, objects=len(function.objects)
        )
        view.line = self._line(site.pc, is_point=site.is_point)
        view.values = self._values(function.hash << 24 | site.id, slots, site.narrow, site.wide)
        if site.in_resume:
            view.values += self._in_memory(self._site(site.function, site.id), slots, stack.current)
        elif entry or not is_bare(stack.frames, self._isa):
            view.values += _views(self._finder.at(site, slots, reader.objects(function)[0].tolist()))
        return view

    def _in_memory(self, site: Site, slots: bytes, record: SavedRecord | None) -> list[ValueView]:
        """The variables of a frame that has a record, or is one."""
        function = self._binary.index.function(site.function)
        if record is None or record.enter != function.resume:
            return []
        data = (
            self._walker.window.bytes(record.objects, 8 * len(function.objects)) if function.objects else b""
        )
        return _views(self._finder.at(site, slots, struct.unpack(f"<{len(function.objects)}Q", data)))

    def _records(self, address: int) -> list[FrameView]:
        """The chain of records, up to the sentinel."""
        views: list[FrameView] = []
        seen: set[int] = set()
        while address:
            if address in seen:
                raise TransformError(f"the chain of records comes back to {address:#x}")
            seen.add(address)
            record = self._walker.record(address)
            if record.enter == self._binary.index.end:
                break
            views.append(self._record(record))
            address = record.outer
        return views

    def _record(self, record: SavedRecord) -> FrameView:
        index = self._binary.index
        if record.enter == index.syscall_resume:
            call = struct.unpack("<7Q", self._walker.window.bytes(record.address + HEAD_SIZE, 56))
            return self._system_call(record.address, call)
        rows = np.flatnonzero(index.functions["resume"] == record.enter).tolist()
        if not rows:
            raise TransformError(
                f"record {record.address:#x} has entry {record.enter:#x}, which is no resume entry"
            )
        name, objects = index.name(rows[0]), int(index.functions[rows[0]]["objects"])
        view = FrameView("record", name, record.address, site=(record.site & 0xFFFFFF) >> 1, objects=objects)
        site = self._site(rows[0], record.site & 0xFFFFFF)
        view.line = self._line(site.pc, is_point=site.is_point)
        slots = self._walker.window.bytes(record.address + HEAD_SIZE, 8 * slot_words(site.narrow, site.wide))
        view.values = self._values(record.site, slots, site.narrow, site.wide)
        view.values += self._in_memory(site, slots, record)
        return view

    def _site(self, function: int, site_id: int) -> Site:
        """A site by its id: that of the function itself if its resume entry has the site as well."""
        table = self._binary.index.sites
        found = np.flatnonzero((table["function"] == function) & (table["id"] == site_id)).tolist()
        if not found:
            raise TransformError(f"site {site_id:#x} is unknown", function=self._binary.index.name(function))
        return min((self._binary.index.site(number) for number in found), key=lambda site: site.in_resume)

    def _line(self, pc: int, *, is_point: bool) -> str:
        """Where a point is, or the call that returns to `pc`."""
        found = self._describer.source_line(pc if is_point else pc - 1)
        return f"{found[0]}:{found[1]}" if found else ""

    def _values(self, site_id: int, slots: bytes, narrow: int, wide: int) -> list[ValueView]:
        """Names come in the order of the source's values; a value is narrow or wide by its type."""
        variables = self._describer.variables(site_id)
        if sum(v.entries for v in variables) != narrow + wide:
            variables = [Variable("", f"#{i}", 1) for i in range(narrow)]
            variables += [Variable("<16 bytes>", f"#{narrow + i}", 1) for i in range(wide)]
        views = []
        lists = {False: _pieces(slots[: 8 * narrow], 8), True: _pieces(slots[len(slots) - 16 * wide :], 16)}
        for variable in variables:
            data = b"".join(islice(lists[variable.is_wide], variable.entries))
            views.append(ValueView(variable.name, variable.type, _text(variable.type, data)))
        return views


def _views(found: list[InMemory]) -> list[ValueView]:
    return [ValueView(**vars(one)) for one in found]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _text(kind: str, data: bytes) -> str:
    """A value as its IR type says: i1 … i64 signed, float, double, ptr; others in hexadecimal."""
    if kind in FLOATS:
        (number,) = struct.unpack_from(FLOATS[kind], data)
        return repr(number)
    if kind.startswith("i") and kind[1:].isdigit() and int(kind[1:]) <= 64:
        bits = int(kind[1:])
        value = int.from_bytes(data[:8], "little") & (1 << bits) - 1
        return str(value - (1 << bits) if bits > 1 and value >> (bits - 1) else value)
    return f"{int.from_bytes(data, 'little'):#x}"
