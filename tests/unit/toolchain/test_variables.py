# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where DWARF says that variables are: in the same stack objects on all ISAs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from transproc.binary.elf import Elf
from transproc.binary.sites import Index
from transproc.binary.variables import Variable, Variables
from transproc.errors import BinaryError
from transproc.isa import ALL
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
SOURCE = Path(__file__).parent / "debugger" / "variables.c"
PARTS = ("info", "abbrev", "loclists", "rnglists")


def objects(index: Index, row: int, variable: Variable) -> list[int]:
    """The numbers of the stack objects at a variable's place."""
    place = (variable.place.register, variable.place.offset)
    return [number for number, one in enumerate(index.function(row).objects) if one[:2] == place]


def found(path: Path, function: str) -> dict[int, dict[str, tuple[str, int, list[int]]]]:
    """Of each site of a function the variables in memory: type, loads, stack objects."""
    elf = Elf(path)
    index, variables = Index(elf), Variables(elf)
    (row,) = (number for number in range(len(index.functions)) if index.name(number) == function)
    start, sites = int(index.functions[row]["address"]), {}
    for number in range(len(index.sites)):
        site = index.site(number)
        if site.function == row and not site.in_resume:
            seen = variables.at(start, site.pc if site.is_point else site.pc - 1)
            sites[site.id] = {
                one.name: (one.type.name, one.place.loads, objects(index, row, one))
                for one in seen
                if one.place.loads
            }
    return sites


def test_damaged_dwarf_is_said(tmp_path: Path) -> None:
    """Each byte that is changed makes no difference, or an error that names the file."""
    program = tmp_path / "program"
    execute(parse(["-g", "-O2", str(SOURCE), "-o", str(program)]), toolchain())
    path, chance = tmp_path / f"program.{ALL[0].name}", random.Random(1)
    whole, kinds = path.read_bytes(), set()
    start, sections = Elf(path).symbols["types"], [Elf(path).section(f".debug_{name}") for name in PARTS]
    places = [(whole.index(part), len(part)) for part in sections if part]
    assert len(places) == len(PARTS)
    for _ in range(80):
        first, length = chance.choice(places)
        data = bytearray(whole)
        data[first + chance.randrange(length)] = chance.randrange(256)
        path.unlink()  # it may be mapped
        path.write_bytes(data)
        elf = Elf(path)
        try:
            with elf.reading():
                for one in Variables(elf).at(start, start + 300):
                    assert one.type.wanted > 1 << 16 or one.type.text(bytes(one.type.wanted))
            kinds.add("read")
        except BinaryError as error:
            assert str(path) in str(error)
            kinds.add("damaged")
    assert kinds == {"read", "damaged"}


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_variables_are_in_the_same_objects_everywhere(level: str, version: int, tmp_path: Path) -> None:
    program = tmp_path / "program"
    execute(parse([f"-gdwarf-{version}", level, str(SOURCE), "-o", str(program)]), toolchain())
    for function in ("types", "places"):
        first, *others = (found(Path(f"{program}.{isa.name}"), function) for isa in ALL)
        for other in others:
            assert first.keys() == other.keys()
            if level == "-O0":
                assert first == other
            for site, names in first.items():
                both = names.keys() & other[site].keys()
                assert {name: names[name] for name in both} == {name: other[site][name] for name in both}
        named = {name: kind for names in first.values() for name, (kind, _, where) in names.items() if where}
        if function == "places":
            assert named["one"] == "char[32]"
            assert not any("one" in names and "two" in names for names in first.values())
        else:
            assert named["node"] == "node" and named["text"] == "char[9]" and named["table"] == "char[3][4]"
            assert level == "-O0" or named["squares"] == "long[20]"  # of the inlined function
