# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whatever is damaged of an object, its check ends with what is wrong, or with agreement; never with an error of Python's."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.unit.toolchain.test_caught import SOURCE
from transproc.binary.relocatable import SECTION, Relocatable
from transproc.toolchain import dual, objects
from transproc.toolchain.driver import execute
from transproc.toolchain.leaves import Leaves, known
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

SYMTAB, RELA = 2, 4
OFFSET, SYMBOL = 0, 12
"""Where they are in a relocation."""
SYMBOL_SIZE = 24


@pytest.fixture(scope="module")
def leaves() -> Leaves:
    return known(toolchain(), of_cxx=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    source = tmp_path_factory.mktemp("damaged") / "part.cpp"
    source.write_text(SOURCE)
    output = source.with_suffix(".o")
    execute(parse(["-O2", "-std=c++14", "-w", "-c", str(source), "-o", str(output)], cxx=True), toolchain())
    return output.read_bytes()


@pytest.fixture
def problems(tmp_path: Path, leaves: Leaves) -> Callable[[bytes], list[str]]:
    """Of an object of these bytes."""
    path = tmp_path / "part.o"

    def found(data: bytes) -> list[str]:
        path.write_bytes(data)
        objects.is_of_cxx(path)
        report = objects.check(path, leaves)
        assert report.agrees == (not report.problems)
        assert all(problem.startswith(str(path)) for problem in report.problems), report.problems
        return report.problems

    return found


def test_random_bytes(whole: bytes, problems: Callable[[bytes], list[str]]) -> None:
    wrong = 0
    for seed in range(300):
        chosen, data = random.Random(seed), bytearray(whole)
        for _ in range(chosen.randint(1, 3)):
            data[chosen.randrange(len(data))] = chosen.choice((0, 0x7F, 0x80, 0xFF, chosen.randrange(256)))
        wrong += bool(problems(bytes(data)))
    assert 50 < wrong < 300


@pytest.mark.parametrize("half", [0, 1])
def test_relocations_and_symbols(whole: bytes, problems: Callable[[bytes], list[str]], half: int) -> None:
    """Of each table the first row, and each symbol: they refer to what is not there."""
    part = dual.split(whole, "part")[half]
    elf, base = Relocatable(part, "part"), whole.index(part)
    (table,) = np.flatnonzero(elf.sections["type"] == SYMTAB).tolist()
    refused = 0
    for index in np.flatnonzero(elf.sections["type"] == RELA).tolist():
        at = base + int(elf.sections["offset"][index])
        for field in (OFFSET, SYMBOL):
            found = problems(changed(whole, at + field, b"\xff\xff\xff\x7f"))
            assert not found or "a relocation " in found[0], found  # nobody reads those of some sections
            refused += bool(found)
    assert refused > 20
    for index in range(1, len(elf.symbols)):
        at = base + int(elf.sections["offset"][table]) + SYMBOL_SIZE * index
        problems(changed(whole, at, b"\xff\xff\xff\x7f"))  # its name
        problems(changed(whole, at + 6, b"\xf1\xff"))  # its section: an address without one


@pytest.mark.nightly
@pytest.mark.parametrize("half", [0, 1])
def test_headers_of_sections(whole: bytes, problems: Callable[[bytes], list[str]], half: int) -> None:
    """Each field is another one."""
    part = dual.split(whole, "part")[half]
    elf, base = Relocatable(part, "part"), whole.index(part)
    (start,) = struct.unpack_from("<Q", part, 40)
    for index in range(len(elf.sections)):
        for at in range(0, SECTION.itemsize, 4):
            for new in (b"\0\0\0\0", b"\x05\0\0\0", b"\xff\xff\xff\xff"):
                problems(changed(whole, base + start + index * SECTION.itemsize + at, new))


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]
