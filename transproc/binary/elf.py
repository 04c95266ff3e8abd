# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What transproc needs to know of an ELF file: segments, sections, symbols, build-id.

Only static 64-bit little-endian executables of the two machines are accepted (System V gABI, chapters 4 and 5).
The file is mapped, never read whole.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from transproc.errors import BinaryError, TransprocError

PAGE = 4096
PF_X, PF_W, PF_R = 1, 2, 4

_IDENTITY = b"\x7fELF\2\1"
"""EI_MAG, then 64 bits (EI_CLASS) and little-endian (EI_DATA)."""
_MACHINES = {62, 183}
"""EM_X86_64, EM_AARCH64."""
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
"""Elf64_Ehdr."""
_PROGRAM = struct.Struct("<IIQQQQQQ")
"""Elf64_Phdr."""
_SECTION = struct.Struct("<IIQQQQIIQQ")
"""Elf64_Shdr."""
_NOTE = struct.Struct("<III")
"""Elf64_Nhdr."""
_PT_LOAD, _SHT_NOBITS, _SHN_XINDEX, _NT_GNU_BUILD_ID = 1, 8, 0xFFFF, 3

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


class _Section(NamedTuple):
    """Of a section's header, what is used here."""

    type: int
    address: int
    offset: int
    size: int


class Elf:
    """A mapped ELF executable. Raises `BinaryError` for anything that is not one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BinaryError(f"cannot be read: {error}", path=path) from error
        if self.data[:4] != _IDENTITY[:4]:
            raise BinaryError("not an ELF file", path=path)
        with self.reading():
            identity, _, self.machine, _, self.entry, *rest = _HEADER.unpack_from(self.data)
        if not identity.startswith(_IDENTITY):
            raise BinaryError("expected a 64-bit little-endian ELF file", path=path)
        self._program_offset, self._section_offset = rest[:2]
        self._program_size, self.program_headers, self._section_size, self._sections, self._names = rest[4:]
        if self.machine not in _MACHINES:
            raise BinaryError(f"unknown machine {self.machine}", path=path)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What a damaged file makes of reading it becomes a BinaryError; pyelftools has no one exception for that."""
        try:
            yield
        except TransprocError:
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
        with suppress(BufferError):
            self.data.close()

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @cached_property
    def segments(self) -> list[Segment]:
        """All PT_LOADs by address."""
        with self.reading():
            found = [
                Segment(address, offset, in_file, in_memory, flags)
                for kind, flags, offset, address, _, in_file, in_memory, _ in self._table(
                    _PROGRAM, self._program_offset, self._program_size, self.program_headers
                )
                if kind == _PT_LOAD
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
        notes = bytes(self.section(".note.gnu.build-id") or b"")
        with self.reading():
            while len(notes) >= _NOTE.size:
                name, size, kind = _NOTE.unpack_from(notes)
                at = _NOTE.size + (name + 3 & -4)
                if kind == _NT_GNU_BUILD_ID and notes[_NOTE.size :][:name] == b"GNU\0":
                    return notes[at : at + size]
                notes = notes[at + (size + 3 & -4) :]
        return b""

    def _table(self, row: struct.Struct, offset: int, size: int, count: int) -> Iterator[tuple[Any, ...]]:
        """The rows of a table of headers. Raises `BinaryError` if it is not wholly there."""
        if count and size != row.size:
            raise BinaryError(f"headers of {size} bytes, expected {row.size}", path=self.path, offset=offset)
        if offset + count * row.size > len(self.data):
            raise BinaryError("a table of headers ends beyond the file", path=self.path, offset=offset)
        return row.iter_unpack(memoryview(self.data)[offset : offset + count * row.size])

    @cached_property
    def _by_name(self) -> dict[bytes, _Section]:
        """All sections; the first of equal names wins."""
        if not self._section_offset:
            return {}
        with self.reading():
            count, names = self._sections, self._names
            if not count or names == _SHN_XINDEX:  # too many for the header: the first one says it
                (first,) = self._table(_SECTION, self._section_offset, self._section_size, 1)
                count, names = count or first[5], first[6] if names == _SHN_XINDEX else names
            rows = list(self._table(_SECTION, self._section_offset, self._section_size, count))
            if not rows:
                return {}
            start, size = rows[names][4:6]
            if start + size > len(self.data):
                raise BinaryError("the names of sections end beyond the file", path=self.path, offset=start)
            strings = self.data[start : start + size]
            found: dict[bytes, _Section] = {}
            for name, kind, _, address, offset, length, *_ in rows:
                found.setdefault(
                    strings[name : strings.index(b"\0", name)], _Section(kind, address, offset, length)
                )
            return found

    def section(self, name: str) -> memoryview | None:
        """The bytes of a section, or None if the file lacks it or it is empty."""
        header = self._by_name.get(name.encode())
        if header is None or header.type == _SHT_NOBITS or not header.size:
            return None
        if header.offset + header.size > len(self.data):
            raise BinaryError(f"section {name} ends beyond the file", path=self.path, offset=header.offset)
        return memoryview(self.data)[header.offset : header.offset + header.size]

    def section_range(self, name: str) -> tuple[int, int]:
        """Address range of a section; (0, 0) if there is none."""
        header = self._by_name.get(name.encode())
        return (0, 0) if header is None else (header.address, header.address + header.size)

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
        from elftools.elf.elffile import ELFFile  # noqa: PLC0415 (25 ms, and migrations do not need it)

        with self.reading():
            return ELFFile(cast(Any, self.data)).get_dwarf_info(relocate_dwarf_sections=False)

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
