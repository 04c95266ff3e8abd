# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What can be wrong with the objects of a program, apart from each other or as they came from other tools."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from transproc.errors import MismatchError
from transproc.toolchain import archive, symbols

_REPLACED = (
    "{what}: {name} is not the C library's, and can be stopped; while it runs, the program cannot be moved if it was called by a "
    "function that was compiled for the library's: compile all files with -Xtransproc --not-leaf={name}"
)
_FRAMES = b".debug_frame\0"
"""A section that every object with code has; tools that strip debug information take it."""
_SECTION_HEADER = 64
"""Bytes; the table of them is the last that an object has (System V gABI, chapter 4)."""
_WRAP = "__wrap_"
_RESUME = ".resume"
"""Ends the name of the resume entry, which each function with sites has."""


def check_halves(what: str, halves: tuple[bytes, bytes], part: archive.Symbols, known: Set[str]) -> None:
    """Both halves must be what transproc-cc made: a tool that strips, joins or renames knows the one for x86_64 only. `known`:
    functions that back ends may call on their own account. Raises `MismatchError`.
    """
    start, count = _section_table(halves[1])
    if start + count * _SECTION_HEADER != len(halves[1]):
        raise MismatchError(f"{what}: has the halves of several objects for aarch64", hint=archive.ONE_HALF)
    if _FRAMES in _section_names(halves[1]) and _FRAMES not in _section_names(halves[0]):
        raise MismatchError(f"{what}: has no .debug_frame for x86_64 any more", hint=archive.ONE_HALF)
    for name in sorted(part.one_sided - known):
        if not name.startswith("__"):
            raise MismatchError(f"{what}: only one of its halves refers to {name}", hint=archive.ONE_HALF)


def _section_table(data: bytes) -> tuple[int, int]:
    """Offset of the section headers, and their number."""
    return int.from_bytes(data[40:48], "little"), int.from_bytes(data[60:62], "little")


def _section_names(data: bytes) -> bytes:
    """The names of an object's sections, each with a NUL."""
    header = _section_table(data)[0] + _SECTION_HEADER * int.from_bytes(data[62:64], "little")
    offset, size = (int.from_bytes(data[header + at : header + at + 8], "little") for at in (24, 32))
    return data[offset : offset + size]


def replaced_leaves(what: str, x86_64: bytes, part: archive.Symbols, leaves: Set[str]) -> list[str]:
    """Notes on functions with sites that take the place of one of the C library's `leaves`: other objects' calls are no sites."""
    names = sorted(name for name in part.defined if name.removeprefix(_WRAP) in leaves)
    if not names:
        return []
    known = {symbol.name for symbol in symbols.read(x86_64, what, local=True)}
    found = [name.removeprefix(_WRAP) for name in names if name + _RESUME in known]
    return [_REPLACED.format(what=Path(what).name, name=name) for name in found]
