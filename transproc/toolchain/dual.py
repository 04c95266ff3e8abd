# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dual objects: an x86_64 relocatable object that carries its aarch64 twin in the section `.transproc.aarch64`.

    dual    := x86_64 object, `.transproc.aarch64` added as its last section
    halves  : equalised (docs/format.md, section 1): sections of the common part have equal sizes and alignments

Everything is done on bytes with `struct`: this runs once for every compiled file. ELF: System V gABI, chapter 4.
"""

from __future__ import annotations

import struct

from transproc.errors import BinaryError, MismatchError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:  # dataclasses and pathlib would take half of the time that a start of transproc-cc takes
    from collections.abc import Iterator
    from pathlib import Path

SECTION = ".transproc.aarch64"
_STACK_MAPS = ".llvm_stackmaps"
PER_ISA = (
    ".rodata",
    ".isa.",
    ".got",
    ".eh_frame",
    ".gcc_except_table",
    ".note",
    ".llvm_stackmaps",
    ".transproc",
)
"""Prefixes of loaded sections that are not at the same addresses in both binaries of a pair: everything else is common."""

MACHINES = {"x86_64": 62, "aarch64": 183}
"""ELF e_machine of each half."""

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_RELOCATABLE = 1
_PROGBITS, _NOBITS, _GROUP = 1, 8, 17
_ALLOCATED, _EXECUTABLE = 2, 4
_FUNCTION_ALIGNMENT = 16
_APPEND_ALIGNMENT = 16


class _Section:
    """A section header, field by field as in Elf64_Shdr, and its name."""

    def __init__(self, name: str, fields: list[int]) -> None:
        self.name = name
        self.fields = fields

    @property
    def kind(self) -> int:
        return self.fields[1]

    @property
    def offset(self) -> int:
        return self.fields[4]

    @property
    def size(self) -> int:
        return self.fields[5]

    @property
    def align(self) -> int:
        return max(self.fields[8], 1)


class _Object:
    """A relocatable ELF64 object that can be edited; changed contents are appended to the file."""

    def __init__(self, data: bytes, what: str, machine: int) -> None:
        if data[:6] != b"\x7fELF\x02\x01" or len(data) < _HEADER.size:
            raise BinaryError("is not a 64-bit little-endian ELF object", path=what)
        self.header = list(_HEADER.unpack_from(data))
        if self.header[1] != _RELOCATABLE or self.header[2] != machine:
            found = f"type {self.header[1]}, machine {self.header[2]}"
            raise BinaryError(f"expected a relocatable object of machine {machine}, found {found}", path=what)
        self.what = what
        self.data = bytearray(data)
        start, count, names = self.header[6], self.header[12], self.header[13]
        if start + count * _SECTION.size > len(data) or names >= count:
            raise BinaryError("section headers lie outside the file", path=what)
        table = [list(_SECTION.unpack_from(data, start + i * _SECTION.size)) for i in range(count)]
        strings = data[table[names][4] : table[names][4] + table[names][5]]
        self.sections = [_Section(_string(strings, fields[0]), fields) for fields in table]
        self.table_changed = False

    def common(self) -> list[_Section]:
        """Sections of the common part that hold something."""
        loaded = (s for s in self.sections if s.size and s.fields[2] & _ALLOCATED)
        return [s for s in loaded if not s.name.startswith(PER_ISA)]

    def append(self, contents: bytes) -> int:
        """Adds bytes at the end of the file; returns their offset."""
        self.data += bytes(-len(self.data) % _APPEND_ALIGNMENT)
        offset = len(self.data)
        self.data += contents
        return offset

    def resize(self, section: _Section, size: int, align: int) -> None:
        """Pads a section with zeros to `size` bytes and raises its alignment."""
        if (size, align) == (section.size, section.align):
            return
        if section.kind != _NOBITS and size > section.size:
            old = bytes(self.data[section.offset : section.offset + section.size])
            section.fields[4] = self.append(old + bytes(size - section.size))
        section.fields[5], section.fields[8] = size, align
        self.table_changed = True

    def add_section(self, name: str, contents: bytes) -> None:
        """Adds a section without flags."""
        names = self.sections[self.header[13]]
        strings = bytes(self.data[names.offset : names.offset + names.size])
        names.fields[4] = self.append(strings + name.encode() + b"\0")
        names.fields[5] += len(name) + 1
        offset = self.append(contents)
        fields = [len(strings), _PROGBITS, 0, 0, offset, len(contents), 0, 0, 8, 0]
        self.sections.append(_Section(name, fields))
        self.table_changed = True

    def unload_maps(self) -> None:
        """Stack maps are not loaded. Where the linker may drop a function, because another object has the same inline function,
        they must not say they are: it would miss the function.
        """
        if any(section.kind == _GROUP for section in self.sections):
            for section in self.sections:
                if section.name == _STACK_MAPS:
                    section.fields[2] &= ~_ALLOCATED
                    self.table_changed = True

    def finish(self) -> bytes:
        """The edited object."""
        if self.table_changed:
            self.header[6] = self.append(b"".join(_SECTION.pack(*s.fields) for s in self.sections))
            self.header[12] = len(self.sections)
            self.data[: _HEADER.size] = _HEADER.pack(*self.header)
        return bytes(self.data)


def _string(table: bytes, offset: int) -> str:
    return table[offset : table.index(b"\0", offset)].decode(errors="replace")


def _pairs(first: _Object, second: _Object) -> Iterator[tuple[_Section, _Section]]:
    ours, theirs = first.common(), second.common()
    for a, b in zip(ours, theirs, strict=False):
        if a.name != b.name:
            raise MismatchError(f"{first.what}: sections differ: {a.name} in x86_64, {b.name} in aarch64")
    if len(ours) != len(theirs):
        longer = ours if len(ours) > len(theirs) else theirs
        where = "x86_64" if longer is ours else "aarch64"
        name = longer[min(len(ours), len(theirs))].name
        raise MismatchError(f"{first.what}: section {name} exists only in the object for {where}")
    yield from zip(ours, theirs, strict=True)


def combine(x86_64: bytes, aarch64: bytes, what: str = "object") -> bytes:
    """Equalises two objects of one source and makes a dual object of them.

    Raises `MismatchError` if their common sections do not correspond, `BinaryError` if one is malformed.
    """
    first = _Object(x86_64, what, MACHINES["x86_64"])
    second = _Object(aarch64, what, MACHINES["aarch64"])
    for a, b in _pairs(first, second):
        align = max(a.align, b.align, _FUNCTION_ALIGNMENT if a.fields[2] & _EXECUTABLE else 1)
        size = max(a.size, b.size)
        first.resize(a, size, align)
        second.resize(b, size, align)
    first.unload_maps()
    second.unload_maps()
    first.add_section(SECTION, second.finish())
    return first.finish()


def is_dual(data: bytes) -> bool:
    """Whether bytes are a dual object."""
    return _find(data) is not None


def split(data: bytes, what: str) -> tuple[bytes, bytes]:
    """The halves (x86_64, aarch64) of a dual object; the first keeps the second in a section, which the link drops.

    Raises `UnsupportedError` for an object of another compiler.
    """
    found = _find(data)
    if found is None:
        raise UnsupportedError(
            f"{what}: is not a dual object: it was not compiled by transproc-cc",
            hint="compile its sources with transproc-cc; objects of other compilers hold no stack maps and only one ISA",
        )
    offset, size = found
    if offset + size > len(data):
        raise BinaryError(
            f"is cut: {SECTION} ends at {offset + size:#x}, the file at {len(data):#x}", path=what
        )
    return data, data[offset : offset + size]


def _find(data: bytes) -> tuple[int, int] | None:
    """Offset and size of the aarch64 half: the last section of a dual object."""
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < _HEADER.size:
        return None
    header = _HEADER.unpack_from(data)
    start, count, names = header[6], header[12], header[13]
    if header[2] != MACHINES["x86_64"] or names >= count or start + count * _SECTION.size > len(data):
        return None
    strings = _SECTION.unpack_from(data, start + names * _SECTION.size)
    for index in range(count - 1, 0, -1):
        section = _SECTION.unpack_from(data, start + index * _SECTION.size)
        name = strings[4] + section[0]
        if data[name : name + len(SECTION) + 1] == SECTION.encode() + b"\0":
            return section[4], section[5]
    return None


def write(path: Path, x86_64: bytes, aarch64: bytes) -> None:
    """Writes the dual object of two halves to `path`."""
    path.write_bytes(combine(x86_64, aarch64, str(path)))
