# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names for people: source lines of addresses, and names and types of live values.

Used by `transproc show` only; nothing here is needed to move a process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from transproc.binary.elf import Elf

VALUES_SECTION = ".transproc.values"
WIDE = re.compile(
    r"<(16|32|64)xi8|<(8|16|32)xi16|<(4|8|16)x(i32|float)|<(2|4|8|16)x(i64|double|ptr)|<16 bytes"
)


@dataclass(frozen=True)
class Variable:
    """One live value as its source calls it; it takes `entries` entries of the site's list."""

    type: str
    name: str
    entries: int

    @property
    def is_wide(self) -> bool:
        """Takes 16-byte entries: vectors of 128 bits and more, of elements that both ISAs keep in vector registers."""
        return bool(WIDE.match(self.type))


LANDS = "!"
"""Behind the id of a call that has a landing pad."""


def site_of(line: str) -> int:
    """The whole stack map id of a line of `.transproc.values`."""
    return int(line.partition("\t")[0].removesuffix(LANDS), 16)


class Describer:
    """Looks up lines and variables of one binary."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf

    def variables(self, site_id: int) -> list[Variable]:
        """The live values of a site by its whole stack map id, in list order; empty if the compiler left no names."""
        line = self._lines_by_id.get(site_id)
        return [] if line is None else [_variable(item) for item in line.split("\t")[1:] if item]

    @cached_property
    def _lines_by_id(self) -> dict[int, str]:
        text = bytes(self._elf.section(VALUES_SECTION) or b"").decode(errors="replace")
        return {site_of(line): line for line in text.split("\0") if line}

    def source_line(self, address: int) -> tuple[str, int] | None:
        """(file, line) of an address, from the binary's DWARF; None without `-g`. Raises `BinaryError` if it is damaged."""
        with self._elf.reading():
            return next((found for program in self._programs if (found := _search(program, address))), None)

    @cached_property
    def _programs(self) -> list[Any]:
        dwarf: Any = self._elf.dwarf
        if not dwarf.has_debug_info:
            return []
        return [dwarf.line_program_for_CU(unit) for unit in dwarf.iter_CUs()]


def _variable(item: str) -> Variable:
    kind, _, name = item.partition(" ")
    kind, _, entries = kind.partition("*")
    return Variable(kind, name, int(entries) if entries else 1)


def _search(program: Any, address: int) -> tuple[str, int] | None:
    """The last row of a line program at or before an address, within one sequence."""
    previous = None
    for entry in program.get_entries() if program is not None else ():
        state = entry.state
        if state is None:
            continue
        if previous and previous.address <= address < state.address and not previous.end_sequence:
            return _file_name(program, previous.file), previous.line
        previous = state
    return None


def _file_name(program: Any, number: int) -> str:
    """Relative to the directory in which it was compiled, or whole."""
    # DWARF 5 counts files from 0 and directories from the compilation's own, earlier versions both from 1 without that one.
    first = 0 if program.header["version"] >= 5 else 1
    entry = program.header["file_entry"][number - first]
    name, directory = _text(entry["name"]), entry["dir_index"]
    if directory == 0:
        return name
    return str(PurePosixPath(_text(program.header["include_directory"][directory - first]), name))


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
