# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Views of an image directory for people: rows first, text second, and nothing printed here."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from transproc.images.directory import ImageDirectory
from transproc.images.flags import FileType, TaskState, VmaStatus
from transproc.images.memory import Memory
from transproc.images.proto.files_pb2 import FileEntry, InetSocket, UnixSocket
from transproc.images.proto.memory_pb2 import Vma
from transproc.images.runs import Ranges, intersect
from transproc.isa import Isa, by_mtype

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Address(int):
    """A number that is shown in hexadecimal."""

    def __str__(self) -> str:
        return f"{int(self):#x}"


@dataclass(frozen=True)
class ProcessRow:
    """A process of the tree; `memory` is what is in the images."""

    pid: int
    parent: int
    group: int
    session: int
    isa: str
    state: str
    threads: int
    memory: str
    command: str
    program: str


@dataclass(frozen=True)
class ThreadRow:
    """A thread, and where it stands; `rounding` is its floating-point mode."""

    pid: int
    tid: int
    command: str
    pc: Address
    sp: Address
    tls: Address
    rounding: str


@dataclass(frozen=True)
class RegisterRow:
    """A register of a thread."""

    register: str
    value: str


@dataclass(frozen=True)
class FileRow:
    """What a process has open; `id` names the open file description, which several can share."""

    fd: str
    """Number, or what else a process holds a file as: its program, its working and root directories."""
    id: int
    type: str
    flags: str
    """As the open flags of the dumped kernel, octal."""
    description: str


@dataclass(frozen=True)
class MemoryRow:
    """A mapping, with its size as people read it."""

    start: Address
    end: Address
    access: str
    size: str
    present: str
    """Bytes in the images."""
    contents: str


def processes(directory: ImageDirectory) -> list[ProcessRow]:
    """One row for each process of the tree."""
    files = directory.files()
    rows = []
    for process in directory.processes():
        core = directory.core(process.pid)
        alive = directory.has(f"mm-{process.pid}.img")
        program = _file_name(files, directory.mm(process.pid).exe_file_id) if alive else ""
        rows.append(
            ProcessRow(
                process.pid,
                process.ppid,
                process.pgid,
                process.sid,
                by_mtype(core.mtype).name,
                _enum_name(TaskState, core.tc.task_state),
                len(process.threads),
                size_text(Memory(directory, process.pid).present().size) if alive else "",
                core.tc.comm,
                program,
            )
        )
    return rows


def threads(directory: ImageDirectory) -> list[ThreadRow]:
    """One row for each thread of all processes that are alive."""
    rows = []
    for process in directory.processes():
        for tid in process.threads:
            core = directory.core(tid)
            isa = by_mtype(core.mtype)
            if not core.HasField(isa.thread_field):
                continue
            rows.append(
                ThreadRow(
                    process.pid,
                    tid,
                    core.thread_core.comm or core.tc.comm,
                    Address(isa.pc(core)),
                    Address(isa.sp(core)),
                    Address(isa.tls(core)),
                    isa.floating_state(core).rounding.name.lower(),
                )
            )
    return rows


def registers(directory: ImageDirectory, tid: int) -> list[RegisterRow]:
    """All registers of a thread."""
    core = directory.core(tid)
    isa: Isa = by_mtype(core.mtype)
    rows = [RegisterRow("pc", f"{isa.pc(core):#018x}")]
    for register in isa.registers:
        value = int.from_bytes(isa.read_register(core, register.dwarf), "little")
        rows.append(RegisterRow(register.name, f"{value:#0{2 + 2 * register.size}x}"))
    return rows


def files(directory: ImageDirectory, pid: int) -> list[FileRow]:
    """What a process holds open: program, directories, then descriptors by number."""
    known = directory.files()
    location = directory.file_system(pid)
    held = [("exe", directory.mm(pid).exe_file_id), ("cwd", location.cwd_id), ("root", location.root_id)]
    held += [(str(entry.fd), entry.id) for entry in sorted(directory.descriptors(pid), key=lambda e: e.fd)]
    return [_file_row(name, known.get(number), number) for name, number in held]


def memory(directory: ImageDirectory, pid: int) -> list[MemoryRow]:
    """The mappings of a process."""
    vmas = directory.mm(pid).vmas
    known = directory.files()
    bounds = Ranges(
        np.array([vma.start for vma in vmas], dtype=np.uint64),
        np.array([vma.end for vma in vmas], dtype=np.uint64),
    )
    parts, owner = intersect(Memory(directory, pid).present(), bounds)
    present = np.zeros(len(vmas), dtype=np.uint64)
    np.add.at(present, owner, parts.end - parts.start)
    return [
        MemoryRow(
            Address(vma.start),
            Address(vma.end),
            _access(vma),
            size_text(vma.end - vma.start),
            size_text(int(count)),
            _contents(vma, known),
        )
        for vma, count in zip(vmas, present, strict=True)
    ]


def render(rows: Sequence[DataclassInstance]) -> str:
    """Rows of one kind as a table: names of columns, then a line for each row; numbers to the right."""
    if not rows:
        return ""
    columns = [field.name for field in fields(rows[0])]
    values = [[getattr(row, name) for name in columns] for row in rows]
    cells = [columns, *[[str(value) for value in line] for line in values]]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    right = [isinstance(value, int) for value in values[0]]
    lines = [
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    ]
    return "\n".join(lines) + "\n"


def size_text(size: int) -> str:
    """A number of bytes in the largest unit that keeps it at 1 or more."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}" if size % scale else f"{size // scale} {unit}"
    return f"{size} B" if size else "0"


def describe_file(entry: FileEntry) -> str:
    """What a file is, in a few words."""
    kind = _file_type(entry.type)
    body: Any = getattr(entry, kind.field) if kind else None
    describe = _DESCRIPTIONS.get(kind) if kind else None
    return describe(body) if describe else ""


def _inet(body: InetSocket) -> str:
    names: dict[int, str] = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
    protocol = names.get(body.type, f"type {body.type}")
    return (
        f"{protocol} {_endpoint(body.src_addr, body.src_port)} -> {_endpoint(body.dst_addr, body.dst_port)}"
    )


def _endpoint(words: Sequence[int], port: int) -> str:
    """An address as CRIU keeps it: one word for IPv4, four for IPv6, in network order in memory."""
    raw = struct.pack(f"<{len(words)}I", *words)
    if len(words) == 4:
        return f"[{socket.inet_ntop(socket.AF_INET6, raw)}]:{port}"
    return f"{socket.inet_ntop(socket.AF_INET, raw)}:{port}" if len(words) == 1 else f"?:{port}"


def _unix(body: UnixSocket) -> str:
    name = body.name.decode(errors="backslashreplace").replace("\0", "@")
    return f"socket:[{body.ino}] {name}".rstrip() + (f" -> [{body.peer}]" if body.peer else "")


_DESCRIPTIONS: dict[FileType, Callable[[Any], str]] = {
    FileType.REGULAR: lambda body: f"{body.name} at {body.pos}" if body.pos else str(body.name),
    FileType.PIPE: lambda body: f"pipe:[{body.pipe_id}]",
    FileType.FIFO: lambda body: f"fifo:[{body.pipe_id}] file {body.regf_id}",
    FileType.INET_SOCKET: _inet,
    FileType.UNIX_SOCKET: _unix,
    FileType.EVENTFD: lambda body: f"count {body.counter}",
    FileType.EPOLL: lambda body: "watches " + ", ".join(str(target.tfd) for target in body.tfd),
    FileType.SIGNALFD: lambda body: f"signals {body.sigmask:#x}",
    FileType.TIMERFD: lambda body: f"clock {body.clockid}",
    FileType.TERMINAL: lambda body: f"terminal {body.tty_info_id}",
    FileType.MEMFD: lambda body: f"memfd:[{body.inode_id}] at {body.pos}",
    FileType.NETLINK_SOCKET: lambda body: f"protocol {body.protocol}",
    FileType.PIDFD: lambda body: f"process {body.nspid}",
}


def _file_row(name: str, entry: FileEntry | None, number: int) -> FileRow:
    if entry is None:
        return FileRow(name, number, "?", "", "not in files.img")
    kind = _file_type(entry.type)
    body: Any = getattr(entry, kind.field) if kind else None
    flags = f"{body.flags:#o}" if body is not None and "flags" in body.DESCRIPTOR.fields_by_name else ""
    return FileRow(name, number, _enum_name(FileType, entry.type), flags, describe_file(entry))


def _file_type(number: int) -> FileType | None:
    return FileType(number) if number in FileType.__members__.values() else None


def _enum_name(enum: type[IntEnum], number: int) -> str:
    member = next((member for member in enum if member == number), None)
    return f"{number}?" if member is None else member.name.lower().replace("_", " ")


def _file_name(known: dict[int, FileEntry], number: int) -> str:
    entry = known.get(number)
    return "?" if entry is None else entry.reg.name


def _access(vma: Vma) -> str:
    """PROT_* and MAP_SHARED (asm-generic/mman-common.h) as /proc/<pid>/maps shows them."""
    bits = "".join(letter if vma.prot & bit else "-" for letter, bit in (("r", 1), ("w", 2), ("x", 4)))
    return bits + ("s" if vma.flags & 1 else "p")


_SPECIAL = {
    VmaStatus.VSYSCALL: "[vsyscall]",
    VmaStatus.VDSO: "[vdso]",
    VmaStatus.VVAR: "[vvar]",
    VmaStatus.HEAP: "[heap]",
    VmaStatus.STACK: "[stack]",
    VmaStatus.SHADOW_STACK: "[shadow stack]",
}


def _contents(vma: Vma, known: dict[int, FileEntry]) -> str:
    if vma.status & VmaStatus.ANON_SHARED:
        return f"[shared {vma.shmid}]"
    if vma.status & (VmaStatus.FILE_PRIVATE | VmaStatus.FILE_SHARED):
        return f"{_file_name(known, vma.shmid)} at {vma.pgoff:#x}"
    return next((name for bit, name in _SPECIAL.items() if vma.status & bit), "")
