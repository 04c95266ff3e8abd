# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where a function's variables are at one of its addresses, from the binary's DWARF (DWARF 5, section 2.6).

Used by `transproc show` only, as `lines` is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transproc.binary.dwarf import name_of, type_of
from transproc.binary.elf import Elf
from transproc.binary.types import Type

_VARIABLES = {"DW_TAG_variable", "DW_TAG_formal_parameter"}
_SCOPES = {"DW_TAG_lexical_block", "DW_TAG_inlined_subroutine", "DW_TAG_try_block", "DW_TAG_catch_block"}


@dataclass(frozen=True)
class Place:
    """A register and an offset, and how often memory is read from there on to come to the value.

    `loads`: 0: the register holds it; 1: it lies there; 2: it lies where the word there points to.
    """

    register: int
    offset: int
    loads: int


@dataclass(frozen=True)
class Variable:
    """A variable; `entry`: offset of its DIE, by which types name the length of an array."""

    name: str
    type: Type
    place: Place
    entry: int
    added: bool
    """By the compiler: the length of an array."""


class Variables:
    """Looks up the variables of one binary."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._functions: dict[int, dict[int, Any]] = {}
        self._found: dict[tuple[int, int], list[Variable]] = {}
        """A deep recursion returns to few places."""

    def at(self, function: int, pc: int) -> list[Variable]:
        """Those that are in scope at `pc`, and at one place, of the function that begins at an address; none without `-g`.

        Raises `BinaryError` if the DWARF is damaged.
        """
        if (function, pc) not in self._found:
            with self._elf.reading():
                self._found[function, pc] = list(self._look(function, pc))
        return self._found[function, pc]

    def _look(self, function: int, pc: int) -> Iterator[Variable]:
        die = self._function(function)
        if die is not None:
            base = _frame_base(self._parser, die)
            for one in _in_scope(die, pc):
                if found := self._variable(one, pc, base):
                    yield found

    @cached_property
    def _dwarf(self) -> Any:
        return self._elf.dwarf

    @cached_property
    def _parser(self) -> Any:
        from elftools.dwarf.locationlists import LocationParser  # noqa: PLC0415 (25 ms, as in elf)

        return LocationParser(self._dwarf.location_lists())

    @cached_property
    def _units(self) -> list[tuple[int, int, Any]]:
        """Where each unit's code lies."""
        units = self._dwarf.iter_CUs() if self._dwarf.has_debug_info else ()
        return [(low, high, unit) for unit in units for low, high in _spans(unit.get_top_DIE())]

    def _function(self, address: int) -> Any:
        for low, high, unit in self._units:
            if low <= address < high:
                return self._of_unit(unit).get(address)
        return None

    def _of_unit(self, unit: Any) -> dict[int, Any]:
        """A unit's functions by their addresses."""
        if unit.cu_offset not in self._functions:
            self._functions[unit.cu_offset] = {
                die.attributes["DW_AT_low_pc"].value: die
                for die in unit.iter_DIEs()
                if die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in die.attributes
            }
        return self._functions[unit.cu_offset]

    def _variable(self, die: Any, pc: int, base: int | None) -> Variable | None:
        code = _expression(self._parser, die, "DW_AT_location", pc)
        place = _place(_operations(die, code), base) if code else None
        if place is None:
            return None
        added = die.tag == "DW_TAG_variable" and "DW_AT_artificial" in die.attributes
        return Variable(name_of(die), type_of(die), place, die.offset, added)


def _in_scope(die: Any, pc: int) -> Iterator[Any]:
    """The variables of a function, and of those blocks and inlined functions in it that are executed at `pc`."""
    for child in die.iter_children():
        if child.tag in _VARIABLES:
            yield child
        elif child.tag in _SCOPES and any(low <= pc < high for low, high in _spans(child)):
            yield from _in_scope(child, pc)


def _spans(die: Any) -> Iterator[tuple[int, int]]:
    """The addresses of a DIE's code (section 2.17)."""
    attributes = die.attributes
    if "DW_AT_ranges" in attributes:
        lists = die.dwarfinfo.range_lists()
        entries = lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, die.cu)
        yield from ((low, high) for low, high, _ in _absolute(die.cu, entries))
    elif "DW_AT_low_pc" in attributes and "DW_AT_high_pc" in attributes:
        low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
        yield low, high.value if high.form.startswith("DW_FORM_addr") else low + high.value


def _absolute(unit: Any, entries: list[Any]) -> Iterator[tuple[int, int, Any]]:
    """The ranges of a list of ranges or locations; entries can be relative to the unit's beginning or to an entry's base."""
    low = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    base = low.value if low else 0
    for entry in entries:
        if hasattr(entry, "base_address"):
            base = entry.base_address
        else:
            start = 0 if entry.is_absolute else base
            yield start + entry.begin_offset, start + entry.end_offset, entry


def _expression(parser: Any, die: Any, name: str, pc: int | None) -> Any:
    """The code of a location, if it is the same everywhere, or in force at `pc`; None: there is none."""
    there = die.attributes.get(name)
    if there is None or not parser.attribute_has_location(there, die.cu["version"]):
        return None
    found = parser.parse_from_attribute(there, die.cu["version"], die)
    if not isinstance(found, list):
        return found.loc_expr
    inside = (
        entry.loc_expr for low, high, entry in _absolute(die.cu, found) if pc is not None and low <= pc < high
    )
    return next(inside, None)


def _operations(die: Any, code: Any) -> list[Any]:
    from elftools.dwarf.dwarf_expr import DWARFExprParser  # noqa: PLC0415 (25 ms, as in elf)

    found: list[Any] = DWARFExprParser(die.cu.structs).parse_expr(code)
    return found


def _frame_base(parser: Any, function: Any) -> int | None:
    """The register to which a function's locations are relative; None: it is no register."""
    code = _expression(parser, function, "DW_AT_frame_base", None)
    names = [one.op_name for one in _operations(function, code)] if code else []
    register = names[0].removeprefix("DW_OP_reg") if len(names) == 1 else ""
    return int(register) if register.isdigit() else None


def _place(operations: list[Any], base: int | None) -> Place | None:
    """Where a location is, by one register; None for constants and what must be computed."""
    first, *rest = operations
    kind = first.op_name.rstrip("0123456789")
    number = int(first.op_name.removeprefix(kind) or -1)
    if kind == "DW_OP_reg" and not rest:
        return Place(number, 0, 0)
    register = {"DW_OP_fbreg": base, "DW_OP_breg": number}.get(kind)
    if register is None or [one.op_name for one in rest] not in ([], ["DW_OP_deref"]):
        return None
    return Place(register, first.args[0], 1 + len(rest))
