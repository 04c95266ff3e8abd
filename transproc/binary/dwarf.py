# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What DWARF 5 says of names and types (sections 2.12 to 2.15 and 5.1 to 5.7), from pyelftools' entries (DIEs)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from transproc.binary.types import UNKNOWN, Array, Enumeration, Member, Number, Record, Type

LONG = 40
"""Letters of a type's name."""
_RENAMED = {"const": "const ", "volatile": "volatile ", "restrict": "", "atomic": "_Atomic "}
_POINTERS = {"pointer": "*", "reference": "&", "rvalue_reference": "&&", "ptr_to_member": "::*"}
_RECORDS = {"structure": "struct", "class": "class", "union": "union"}


def attribute(die: Any, name: str) -> Any:
    """The value of a DIE's attribute, its own or that of what it is an instance or the definition of; None: it has none."""
    owner = carrier(die, name)
    return None if owner is None else owner.attributes[name].value


def carrier(die: Any, name: str) -> Any:
    """The DIE that has the attribute, as `attribute` says."""
    while name not in die.attributes:
        for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
            if link in die.attributes:
                die = die.get_DIE_from_attribute(link)
                break
        else:
            return None
    return die


def name_of(die: Any) -> str:
    """DW_AT_name; empty if it has none."""
    value = attribute(die, "DW_AT_name")
    return value.decode(errors="replace") if value else ""


def _type_name(die: Any) -> str:
    """Without the arguments of a template, where those are long."""
    name = name_of(die)
    begin, end = name.find("<"), name.rfind(">")
    return name if len(name) <= LONG or not 0 < begin < end else f"{name[:begin]}<…>{name[end + 1 :]}"


def type_of(die: Any) -> Type:
    """The type of a variable, member or element; `UNKNOWN` where DWARF names none, or one of another file."""
    owner = carrier(die, "DW_AT_type")
    if owner is None or owner.attributes["DW_AT_type"].form == "DW_FORM_ref_sig8":
        return UNKNOWN
    return _described(owner.get_DIE_from_attribute("DW_AT_type"))


def _described(die: Any) -> Type:
    kind = die.tag.removeprefix("DW_TAG_").removesuffix("_type")
    name, size = _type_name(die), attribute(die, "DW_AT_byte_size") or 0
    if kind == "base":
        return Number(name, size, die.attributes["DW_AT_encoding"].value)
    if kind in _POINTERS:
        return Type(_pointer(die, kind), size or 8)
    if kind in _RENAMED or kind == "typedef":
        return _renamed(type_of(die), name or f"{_RENAMED[kind]}{_target(die)}")
    if kind == "enumeration":
        return Enumeration(name or "enum", size, dict(_names(die)))
    if kind == "array":
        return _array(die)
    if kind in _RECORDS:
        return Record(name or _RECORDS[kind], size, lambda: list(_members(die)))
    return Type(name or kind, size)


def _renamed(same: Type, name: str) -> Type:
    return replace(same, name=name)


def _pointer(die: Any, kind: str) -> str:
    target = _target(die)
    return f"{target}{'' if target.endswith('*') else ' '}{_POINTERS[kind]}"


def _target(die: Any) -> str:
    """What a pointer points to, without what that is made of."""
    if "DW_AT_type" not in die.attributes:
        return "void"
    if die.attributes["DW_AT_type"].form == "DW_FORM_ref_sig8":
        return "?"
    target = die.get_DIE_from_attribute("DW_AT_type")
    kind = target.tag.removeprefix("DW_TAG_").removesuffix("_type")
    if kind in _POINTERS:
        return _pointer(target, kind)
    if kind in _RENAMED:
        return f"{_RENAMED[kind]}{_target(target)}"
    if kind == "array":
        return _described(target).name
    return _type_name(target) or {"subroutine": "function"}.get(kind, _RECORDS.get(kind, kind))


def _names(die: Any) -> Iterator[tuple[int, str]]:
    for child in die.iter_children():
        if child.tag == "DW_TAG_enumerator":
            yield child.attributes["DW_AT_const_value"].value, name_of(child)


def _array(die: Any) -> Type:
    """Of several dimensions, an array of arrays."""
    found = type_of(die)
    ranges = [child for child in die.iter_children() if child.tag == "DW_TAG_subrange_type"]
    words = ""
    element = found
    for one in reversed(ranges):
        count, length = _count(one)
        words = f"[{'' if count is None else count}]{words}"
        found = Array(f"{element.name}{words}", (count or 0) * found.size, found, count, length)
    return found


def _count(die: Any) -> tuple[int | None, int | None]:
    """Of a dimension the elements, else the DIE of the variable that has their number."""
    for name, more in (("DW_AT_count", 0), ("DW_AT_upper_bound", 1)):
        if name not in die.attributes:
            continue
        there = die.attributes[name]
        if there.form.startswith("DW_FORM_ref"):
            return None, die.get_DIE_from_attribute(name).offset if not more else None
        if not isinstance(there.value, int):
            return None, None
        lower = die.attributes.get("DW_AT_lower_bound")
        return there.value + more - (
            lower.value if more and lower and isinstance(lower.value, int) else 0
        ), None
    return None, None


def _members(die: Any) -> Iterator[Member]:
    """What an object of a structure consists of, with what it inherits, without what the compiler has added."""
    for child in die.iter_children():
        if child.tag not in ("DW_TAG_member", "DW_TAG_inheritance") or "DW_AT_artificial" in child.attributes:
            continue
        if "DW_AT_external" in child.attributes or "DW_AT_declaration" in child.attributes:
            continue  # a static member, which lies elsewhere (DWARF 4)
        place = child.attributes.get("DW_AT_data_member_location")
        if place is not None and not isinstance(place.value, int):
            continue  # a virtual base, found as the program runs
        at = 8 * place.value if place else (attribute(child, "DW_AT_data_bit_offset") or 0)
        found = type_of(child)
        if child.tag == "DW_TAG_inheritance":
            inherited = found.members() if isinstance(found, Record) else []
            yield from (replace(one, at=at + one.at) for one in inherited)
        else:
            yield Member(name_of(child), found, at, attribute(child, "DW_AT_bit_size") or 0)
