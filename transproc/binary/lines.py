# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Names for people: source lines of addresses, and names and types of live values.

Used by `transproc show` only; nothing here is needed to move a process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
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


class Describer:
    """Looks up lines and variables of one binary."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf

    def variables(self, site_id: int) -> list[Variable]:
        """The live values of a site by its whole stack map id, in list order; empty if the compiler left no names."""
        line = self._lines_by_id.get(f"{site_id:x}")
        return [] if line is None else [_variable(item) for item in line.split("\t")[1:] if item]

    @cached_property
    def _lines_by_id(self) -> dict[str, str]:
        text = bytes(self._elf.section(VALUES_SECTION) or b"").decode(errors="replace")
        return {line.partition("\t")[0].strip(): line for line in text.split("\0") if line}

    def source_line(self, address: int) -> tuple[str, int] | None:
        """(file, line) of an address, from the binary's DWARF; None without `-g`."""
        for unit, program in self._units:
            found = _search(unit, program, address)
            if found:
                return found
        return None

    @cached_property
    def _units(self) -> list[tuple[Any, Any]]:
        dwarf: Any = self._elf.dwarf
        if not dwarf.has_debug_info:
            return []
        return [(unit, dwarf.line_program_for_CU(unit)) for unit in dwarf.iter_CUs()]


def _variable(item: str) -> Variable:
    kind, _, name = item.partition(" ")
    kind, _, entries = kind.partition("*")
    return Variable(kind, name, int(entries) if entries else 1)


def _search(unit: Any, program: Any, address: int) -> tuple[str, int] | None:
    """The last row of a line program at or before an address, within one sequence."""
    previous = None
    for entry in program.get_entries() if program is not None else ():
        state = entry.state
        if state is None:
            continue
        if previous and previous.address <= address < state.address and not previous.end_sequence:
            return _file_name(unit, program, previous.file), previous.line
        previous = state
    return None


def _file_name(unit: Any, program: Any, number: int) -> str:
    files = program.header["file_entry"]
    # DWARF 5 counts files from 0, earlier versions from 1.
    entry = files[number if program.header["version"] >= 5 else number - 1]
    name = entry["name"]
    return str(name.decode() if isinstance(name, bytes) else name)
