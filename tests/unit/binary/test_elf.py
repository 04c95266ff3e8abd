# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ELF files read by us and by pyelftools, which has its own idea of the format; and damaged ones."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from transproc.binary.elf import Elf
from transproc.errors import BinaryError
from transproc.isa import ALL
from transproc.process.build import build


@pytest.mark.parametrize("isa", [isa.name for isa in ALL])
def test_the_same_as_another_reader(isa: str) -> None:
    path = build(isa)
    other = ELFFile(io.BytesIO(path.read_bytes()))
    with Elf(path) as elf:
        assert elf.entry == other.header["e_entry"]
        assert elf.program_headers == other.num_segments() > 0
        loads = [
            (s["p_vaddr"], s["p_offset"], s["p_filesz"], s["p_memsz"]) for s in other.iter_segments("PT_LOAD")
        ]
        assert [(s.address, s.offset, s.file_size, s.memory_size) for s in elf.segments] == sorted(loads)
        sections = [s for s in other.iter_sections() if s.name]
        assert len(sections) > 5
        for section in sections:
            start = section["sh_addr"]
            assert elf.section_range(section.name) == (start, start + section["sh_size"]), section.name
            empty = section["sh_type"] == "SHT_NOBITS" or not section["sh_size"]
            assert bytes(elf.section(section.name) or b"") == (b"" if empty else section.data()), section.name
        assert elf.section(".none") is None and elf.section_range(".none") == (0, 0)


def test_damaged_headers_are_told(tmp_path: Path) -> None:
    """Every header with a byte changed, and files that end early: an error of ours, or an answer."""
    whole, chance = build("x86_64").read_bytes(), random.Random(1)
    table = int.from_bytes(whole[40:48], "little")
    refused = 0
    for number in range(600):
        data = bytearray(whole)
        if number % 3 == 0:
            data = data[: chance.randrange(len(data))]
        else:
            start = chance.choice([0, table])
            data[start + chance.randrange(300)] = chance.choice([0, 1, 0x7F, 0xFF])
        path = tmp_path / "damaged"
        path.write_bytes(data)
        try:
            with Elf(path) as elf:
                _ = elf.segments, elf.build_id, elf.section(".text"), elf.symbols
        except BinaryError:
            refused += 1
    assert refused > 200
