# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Our readers of stack maps and call-frame information against LLVM's own tools, on real objects and binaries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import manifest
from tests.programs.random_c import generate
from transproc.binary import stackmap
from transproc.binary.cfi import FrameTable
from transproc.binary.elf import Elf
from transproc.binary.sites import Index
from transproc.isa import AARCH64, ALL, Isa
from transproc.run import output
from transproc.toolchain import dual
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
ZERO_SEED = 20195
"""Of a program in which aarch64 lists xzr."""
PROGRAM = manifest.DIRECTORY / "stress" / "features.c"
LOCATION = re.compile(
    r"Register R#(?P<register>\d+)|Direct R#(?P<direct>\d+) \+ (?P<at>-?\d+)|"
    r"Indirect \[R#(?P<indirect>\d+) \+ (?P<in>-?\d+)\]|ConstantIndex #(?P<index>\d+) \((?P<value>\d+)\)|"
    r"Constant (?P<constant>\d+)"
)
FRAME = re.compile(r"pc=(\w+)\.\.\.(\w+)")
RULE = re.compile(r"^  0x(\w+): CFA=([A-Z]+\d*)(?:\+(\d+))?(?:: (.*))?$")
SAVED = re.compile(r"([A-Z]+\d*)=\[CFA-(\d+)\]")

Location = tuple[int, int, int, int]
Record = tuple[int, list[Location]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`features.<isa>.o` are objects, `features.<isa>` executables."""
    base = tmp_path_factory.mktemp("llvm") / "features"
    tools = toolchain()
    both = base.with_suffix(".o")
    execute(parse(["-O2", "-c", str(PROGRAM), "-o", str(both)]), tools)
    for isa, half in zip(dual.MACHINES, dual.split(both.read_bytes(), str(both)), strict=True):
        base.with_name(f"features.{isa}.o").write_bytes(half)
    execute(parse([str(both), "-o", str(base)]), tools)
    return base


@pytest.mark.parametrize("isa", ALL, ids=lambda isa: isa.name)
def test_stack_maps(built: Path, isa: Isa) -> None:
    file = built.with_name(f"features.{isa.name}.o")
    expected = list(_records(output(["llvm-readobj-19", "--stackmap", file])))
    with Elf(file) as elf:
        maps = stackmap.parse(bytes(elf.section(".llvm_stackmaps") or b""))
    found = list(_our_records(maps))
    assert len(found) > 500
    assert found == expected


def _our_records(maps: stackmap.StackMaps) -> Iterator[Record]:
    for identity, first, size in zip(maps.id, maps.first, maps.count, strict=True):
        rows = maps.locations[first : first + size]
        yield int(identity), [_our_location(maps, row) for row in rows]


def _our_location(maps: stackmap.StackMaps, row: object) -> Location:
    kind, _, size, register, _, offset = (int(field) for field in row)  # type: ignore[attr-defined]
    if kind == stackmap.CONSTANT_INDEX:
        return kind, 0, int(maps.constants[offset]), size
    if kind == stackmap.CONSTANT:
        offset &= 0xFFFFFFFF  # as llvm-readobj prints it
    if kind == stackmap.REGISTER:
        offset = 0  # llvm-readobj does not print at which bit the value begins
    return kind, register, offset, size


def _records(text: str) -> Iterator[Record]:
    """What llvm-readobj prints of each record."""
    for part in text.split("  Record ID: ")[1:]:
        lines = part.splitlines()
        yield int(lines[0].split(",")[0]), [_location(line) for line in lines if re.match(r" +#\d+: ", line)]


def _location(line: str) -> Location:
    match = LOCATION.search(line)
    size = re.search(r"size: (\d+)", line)
    assert match
    assert size
    text, width = match.groupdict(), int(size[1])
    if text["register"]:
        return stackmap.REGISTER, int(text["register"]), 0, width
    if text["direct"]:
        return stackmap.DIRECT, int(text["direct"]), int(text["at"]), width
    if text["indirect"]:
        return stackmap.INDIRECT, int(text["indirect"]), int(text["in"]), width
    if text["index"]:
        return stackmap.CONSTANT_INDEX, 0, int(text["value"]), width
    return stackmap.CONSTANT, 0, int(text["constant"]), width


def test_zero_register(tmp_path: Path) -> None:
    """aarch64's xzr has the stack pointer's DWARF number: in the index, its values are constants."""
    source, both, base = tmp_path / "zero.c", tmp_path / "zero.o", tmp_path / "zero"
    source.write_text(generate(ZERO_SEED))
    execute(parse(["-O2", "-fno-inline", "-w", "-c", str(source), "-o", str(both)]), toolchain())
    execute(parse([str(both), "-o", str(base)]), toolchain())
    half = tmp_path / "zero.aarch64.o"
    half.write_bytes(dual.split(both.read_bytes(), str(both))[list(dual.MACHINES).index(AARCH64.name)])
    with Elf(half) as elf:
        raw = stackmap.parse(bytes(elf.section(".llvm_stackmaps") or b"")).locations
    assert _in_register(raw, AARCH64.zero_register)
    with Elf(tmp_path / "zero.aarch64") as elf:
        assert not _in_register(Index(elf).locations, AARCH64.stack_pointer)


def _in_register(locations: Any, register: int | None) -> int:
    return int(((locations["kind"] == stackmap.REGISTER) & (locations["reg"] == register)).sum())


@pytest.mark.parametrize("isa", ALL, ids=lambda isa: isa.name)
def test_frames(built: Path, isa: Isa) -> None:
    file = built.with_name(f"features.{isa.name}")
    numbers = _register_numbers(isa)
    implied = {"RIP"}  # at CFA - 8 always, so not listed
    compared = 0
    with Elf(file) as elf:
        table = FrameTable(elf, [register.dwarf for register in isa.registers])
        for address, name, offset, saved in _rules(output(["llvm-dwarfdump-19", "--debug-frame", file])):
            row = table.row(address)
            assert row, hex(address)
            listed = {numbers[r]: -int(o) for r, o in SAVED.findall(saved) if r not in implied}
            assert (row.register, row.offset, dict(row.saved)) == (numbers[name], offset, listed)
            compared += 1
    assert compared > 300


def _register_numbers(isa: Isa) -> dict[str, int]:
    """DWARF numbers by LLVM's names, which are those of parts of aarch64's registers."""
    numbers = {}
    for register in isa.registers:
        name = register.name.upper()
        numbers[name] = register.dwarf
        numbers[re.sub(r"^X", "W", name)] = register.dwarf
        numbers[re.sub(r"^V", "B", name)] = register.dwarf
    return numbers | {"WSP": numbers.get("SP", -1)}


def _rules(text: str) -> Iterator[tuple[int, str, int, str]]:
    """Address, register and offset of the CFA, and saved registers, for each row of each function."""
    for part in text.split("\n\n"):
        for line in part.splitlines():
            if match := RULE.match(line):
                yield int(match[1], 16), match[2], int(match[3] or 0), match[4] or ""
