# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An image directory: what `criu dump` leaves, found by process and thread.

Nothing is kept in memory: each call reads its file anew, so who gets a message may change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from transproc.errors import ImageError
from transproc.images import kinds
from transproc.images.codec import Image, read_image
from transproc.images.files import is_regular
from transproc.images.flags import FileType
from transproc.images.kinds import Kind
from transproc.images.proto.core_pb2 import CoreEntry, KernelIds
from transproc.images.proto.files_pb2 import DescriptorEntry, FileEntry
from transproc.images.proto.memory_pb2 import MemoryMap
from transproc.images.proto.process_pb2 import FileSystemEntry, Inventory, ProcessTreeEntry
from transproc.isa import Isa, by_mtype

M = TypeVar("M", bound=Message)

PARENT_LINK = "parent"
"""Symbolic link to the directory that holds pages marked as in the parent (CRIU's CR_PARENT_LINK)."""


@dataclass(frozen=True)
class Process:
    """One process of the tree. `threads` holds all thread ids, the leader's (= `pid`) first."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    threads: tuple[int, ...]


class ImageDirectory:
    """A directory of images. Every method raises `ImageError` for what is missing or malformed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not is_regular(path / "inventory.img"):
            raise ImageError("no inventory.img: not an image directory", path=path)

    def names(self) -> list[str]:
        """All file names, sorted, without the link to the parent."""
        return sorted(entry.name for entry in self.path.iterdir() if entry.name != PARENT_LINK)

    def has(self, name: str) -> bool:
        """Whether there is a regular file of that name."""
        return is_regular(self.path / name)

    def image(self, name: str, kind: Kind | None = None) -> Image:
        """The image in a file."""
        return read_image(self.path / name, kind)

    def inventory(self) -> Inventory:
        """What CRIU says of the dump as a whole."""
        return self._only("inventory.img", kinds.INVENTORY, Inventory)

    def processes(self) -> list[Process]:
        """The process tree, parents before their children."""
        entries = self.image("pstree.img", kinds.PSTREE).messages(ProcessTreeEntry)
        if not entries:
            raise ImageError("no process", path=self.path / "pstree.img")
        return [_process(entry) for entry in entries]

    def core(self, tid: int) -> CoreEntry:
        """A thread's state; the leader's also holds its process's."""
        return self._only(f"core-{tid}.img", kinds.CORE, CoreEntry)

    def isa(self) -> Isa:
        """The ISA of the dumped processes; `UnsupportedError` for one that transproc does not know."""
        return by_mtype(self.core(self.processes()[0].pid).mtype)

    def ids(self, pid: int) -> KernelIds:
        """Which memory, file table and so on a process uses (also of processes that share them)."""
        core = self.core(pid)
        if core.HasField("ids"):
            return core.ids
        return self._only(f"ids-{pid}.img", kinds.IDS, KernelIds)

    def mm(self, pid: int) -> MemoryMap:
        """The mappings of a process, and where its arguments, heap and stack are."""
        return self._only(f"mm-{pid}.img", kinds.MM, MemoryMap)

    def file_system(self, pid: int) -> FileSystemEntry:
        """The working and root directories of a process, and its file mode mask."""
        return self._only(f"fs-{pid}.img", kinds.FS, FileSystemEntry)

    def files(self) -> dict[int, FileEntry]:
        """The open file descriptions of all processes, by id."""
        if not self.has("files.img"):
            return {}
        return {entry.id: entry for entry in self.image("files.img", kinds.FILES).messages(FileEntry)}

    def descriptors(self, pid: int) -> list[DescriptorEntry]:
        """A process's descriptors; each names a file of `files()` by its id."""
        name = f"fdinfo-{self.ids(pid).files_id}.img"
        return self.image(name, kinds.FDINFO).messages(DescriptorEntry)

    def executable(self, pid: int) -> FileEntry:
        """The program that a process runs, a regular file."""
        number = self.mm(pid).exe_file_id
        entry = self.files().get(number)
        if entry is None or entry.type != FileType.REGULAR:
            raise ImageError(
                f"executable {number} of process {pid} is no regular file", path=self.path / "files.img"
            )
        return entry

    def parent(self) -> ImageDirectory | None:
        """The directory that pages may be taken from."""
        link = self.path / PARENT_LINK
        if not link.is_symlink() and not link.exists():
            return None
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ImageError(f"the parent cannot be found: {error}", path=link) from error
        return ImageDirectory(target)

    def _only(self, name: str, kind: Kind, message: type[M]) -> M:
        found = self.image(name, kind).messages(message)
        if len(found) != 1:
            raise ImageError(f"expected one entry, found {len(found)}", path=self.path / name)
        return found[0]


def _process(entry: ProcessTreeEntry) -> Process:
    others = tuple(tid for tid in entry.threads if tid != entry.pid)
    return Process(entry.pid, entry.ppid, entry.pgid, entry.sid, (entry.pid, *others))
