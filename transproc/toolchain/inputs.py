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
_FRAMES = b".debug_frame"
"""A section that every object with code has; tools that strip debug information take it."""
_WRAP = "__wrap_"
_RESUME = ".resume"
"""Ends the name of the resume entry, which each function with sites has."""


def check_halves(what: str, halves: tuple[bytes, bytes], part: archive.Symbols, known: Set[str]) -> None:
    """Both halves must be what transproc-cc made: a tool that strips, joins or renames knows the one for x86_64 only. `known`:
    functions that back ends may call on their own account. Raises `MismatchError`.
    """
    headers, end = symbols.sections(halves[1])
    if end != len(halves[1]):  # their table is the last that an object has
        raise MismatchError(f"{what}: has the halves of several objects for aarch64", hint=archive.ONE_HALF)
    if _has_frames(headers) and not _has_frames(symbols.sections(halves[0])[0]):
        raise MismatchError(f"{what}: has no .debug_frame for x86_64 any more", hint=archive.ONE_HALF)
    for name in sorted(part.one_sided - known):
        if not name.startswith("__"):
            raise MismatchError(f"{what}: only one of its halves refers to {name}", hint=archive.ONE_HALF)


def _has_frames(headers: list[symbols.Section]) -> bool:
    return any(header.name == _FRAMES for header in headers)


def replaced_leaves(what: str, x86_64: bytes, part: archive.Symbols, leaves: Set[str]) -> list[str]:
    """Notes on functions with sites that take the place of one of the C library's `leaves`: other objects' calls are no sites."""
    names = sorted(name for name in part.defined if name.removeprefix(_WRAP) in leaves)
    if not names:
        return []
    known = {symbol.name for symbol in symbols.read(x86_64, what, local=True)}
    found = [name.removeprefix(_WRAP) for name in names if name + _RESUME in known]
    return [_REPLACED.format(what=Path(what).name, name=name) for name in found]
