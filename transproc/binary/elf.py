# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What transproc needs to know of an ELF file: segments, sections, symbols, build-id.

Only static 64-bit little-endian executables of the two machines are accepted (System V gABI, chapters 4 and 5).
The file is mapped, never read whole.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection

from transproc.errors import BinaryError

PAGE = 4096
PF_X, PF_W, PF_R = 1, 2, 4

SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
"""Elf64_Sym (gABI, "Symbol Table")."""
STT_OBJECT, STT_FUNC, STT_TLS = 1, 2, 6


@dataclass(frozen=True)
class Segment:
    """One PT_LOAD, as the kernel maps it."""

    address: int
    offset: int
    file_size: int
    memory_size: int
    flags: int

    @property
    def start(self) -> int:
        """First byte of its first page."""
        return self.address & -PAGE

    @property
    def file_end(self) -> int:
        """End of its last page that holds bytes of the file."""
        return (self.address + self.file_size + PAGE - 1) & -PAGE

    @property
    def end(self) -> int:
        """End of its last page."""
        return (self.address + self.memory_size + PAGE - 1) & -PAGE

    @property
    def page_offset(self) -> int:
        """Offset in the file of its first page."""
        return self.offset & -PAGE

    @property
    def protection(self) -> int:
        """PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 (bits(7) order, not the ELF one)."""
        return (
            (1 if self.flags & PF_R else 0)
            | (2 if self.flags & PF_W else 0)
            | (4 if self.flags & PF_X else 0)
        )


class Elf:
    """A mapped ELF executable. Raises `BinaryError` for anything that is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BinaryError(f"cannot be read: {error}", path=path) from error
        if self.data[:4] != b"\x7fELF":
            raise BinaryError("not an ELF file", path=path)
        with self._reading():
            self._elf = ELFFile(cast(Any, self.data))
            self.machine: int = self._elf.header["e_machine"]
            self.type: str = self._elf.header["e_type"]
        if self._elf.elfclass != 64 or not self._elf.little_endian:
            raise BinaryError("expected a 64-bit little-endian ELF file", path=path)
        machines = {"EM_X86_64": 62, "EM_AARCH64": 183}
        if self.machine not in machines:
            raise BinaryError(f"unknown machine {self.machine}", path=path)
        self.machine = machines[str(self.machine)]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Whatever pyelftools raises on a damaged file (it has no one exception for that) becomes a BinaryError."""
        try:
            yield
        except BinaryError:
            raise
        except Exception as error:
            raise BinaryError(
                f"is damaged: {error}",
                path=self.path,
                hint="copy the file again, or compile the program again",
            ) from error

    def __enter__(self) -> Elf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Unmaps the file, unless arrays still refer to it."""
        self._elf.close()

    @property
    def entry(self) -> int:
        """Address of the first instruction."""
        return int(self._elf.header["e_entry"])

    @property
    def program_headers(self) -> int:
        """Number of program headers."""
        return int(self._elf.header["e_phnum"])

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @cached_property
    def segments(self) -> list[Segment]:
        """All PT_LOADs by address."""
        with self._reading():
            found = [
                Segment(s["p_vaddr"], s["p_offset"], s["p_filesz"], s["p_memsz"], s["p_flags"])
                for s in self._elf.iter_segments()
                if s["p_type"] == "PT_LOAD"
            ]
        for segment in found:
            if segment.offset + segment.file_size > len(self.data):
                raise BinaryError(
                    f"segment {segment.address:#x} ends beyond the file",
                    path=self.path,
                    offset=segment.offset,
                )
            if segment.file_size > segment.memory_size or segment.end > 1 << 64:
                raise BinaryError(f"segment {segment.address:#x} has impossible sizes", path=self.path)
        return sorted(found, key=lambda segment: segment.address)

    @cached_property
    def build_id(self) -> bytes:
        """NT_GNU_BUILD_ID; empty if there is none."""
        with self._reading():
            section = self._elf.get_section_by_name(".note.gnu.build-id")
            if isinstance(section, NoteSection):
                for note in section.iter_notes():
                    if note["n_type"] == "NT_GNU_BUILD_ID":
                        return bytes.fromhex(note["n_desc"])
        return b""

    def section(self, name: str) -> memoryview | None:
        """The bytes of a section, or None if the file lacks it or it is empty."""
        with self._reading():
            header = self._elf.get_section_by_name(name)
        if header is None or header["sh_type"] == "SHT_NOBITS" or not header["sh_size"]:
            return None
        start, size = header["sh_offset"], header["sh_size"]
        if start + size > len(self.data):
            raise BinaryError(f"section {name} ends beyond the file", path=self.path, offset=start)
        return memoryview(self.data)[start : start + size]

    def section_range(self, name: str) -> tuple[int, int]:
        """Address range of a section; (0, 0) if there is none."""
        with self._reading():
            header = self._elf.get_section_by_name(name)
        return (0, 0) if header is None else (header["sh_addr"], header["sh_addr"] + header["sh_size"])

    @cached_property
    def symbol_table(self) -> npt.NDArray[np.void]:
        """`.symtab` as rows of SYMBOL; empty for a stripped file."""
        raw = self.section(".symtab")
        if raw is not None and len(raw) % SYMBOL.itemsize:
            raise BinaryError("the symbol table is truncated", path=self.path)
        return np.frombuffer(b"" if raw is None else raw, SYMBOL)

    def symbol_name(self, offset: int) -> str:
        """The string of `.strtab` at an offset."""
        strings = self.section(".strtab")
        if strings is None:
            return ""
        text = bytes(strings[offset : offset + 4096])
        return text[: text.find(b"\0")].decode(errors="replace")

    @cached_property
    def symbols(self) -> dict[str, int]:
        """Values of all global and local named symbols (the last of equal names wins)."""
        return self._named(self.symbol_table)

    @cached_property
    def functions(self) -> dict[str, int]:
        """As `symbols`, of functions alone."""
        table = self.symbol_table
        return self._named(table[table["info"] & 15 == STT_FUNC])

    def _named(self, rows: npt.NDArray[np.void]) -> dict[str, int]:
        strings = bytes(self.section(".strtab") or b"\0")
        return {
            strings[name : strings.index(b"\0", name)].decode(errors="replace"): value
            for name, value in zip(rows["name"].tolist(), rows["value"].tolist(), strict=True)
            if name
        }

    @property
    def dwarf(self) -> object:
        """pyelftools' DWARF information, without relocation (the file is linked)."""
        with self._reading():
            return self._elf.get_dwarf_info(relocate_dwarf_sections=False)

    def read_page(self, address: int) -> bytes | None:
        """The bytes that the kernel would map at a page of a PT_LOAD's file part; None elsewhere."""
        for segment in self.segments:
            if segment.start <= address < segment.file_end:
                start = segment.page_offset + (address - segment.start)
                page = self.data[start : start + PAGE]
                # The kernel clears the rest of a writable segment's last page (fs/binfmt_elf.c, padzero).
                valid = segment.address + segment.file_size - address
                if segment.flags & PF_W and valid < PAGE:
                    page = page[:valid]
                return page + bytes(PAGE - len(page))
        return None
