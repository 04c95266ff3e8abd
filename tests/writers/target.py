# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds the pause tool's target program with a site index made here, from the contract alone (docs/format.md).

Call sites are the return addresses of all calls, found by disassembly; points are the addresses listed in section
`.target.points`; frame rules come from `.eh_frame`. There are no live values: pausing needs none.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from pathlib import Path
from typing import Any

from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

from transproc.run import output, run

SOURCES = Path(__file__).parent.parent / "unit" / "process" / "target"
SPECIALS = (
    "syscall_trap",
    "syscall_done",
    "start_return",
    "clone_return",
    "resume_return",
    "resume_syscall_return",
    "poll",
    "labels",
    "points",
)
FLAGS = """
-std=c2x -O1 -ffreestanding -fno-stack-protector -fno-pic -fno-pie -static -nostdlib -fuse-ld=lld-19
-fasynchronous-unwind-tables -fno-optimize-sibling-calls -Wl,-Ttext=0x1000000
"""


def build_target(isa: str, path: Path) -> Path:
    """Compiles the target for an ISA to `path` and gives it its index."""
    flags = FLAGS.split()
    plain = path.with_suffix(".plain")
    sources = [SOURCES / "target.c", SOURCES / f"{isa}.S"]
    run(["clang-19", f"--target={isa}-linux-gnu", *flags, "-o", plain, *sources])
    index = path.with_suffix(".index")
    index.write_bytes(site_index(plain))
    run(["llvm-objcopy-19", f"--add-section=.transproc.sites={index}", plain, path])
    run(["llvm-objcopy-19", "--set-section-alignment=.transproc.sites=4096", path])
    return path


def site_index(path: Path) -> bytes:
    """The section's bytes for a linked program."""
    with path.open("rb") as file:
        elf: Any = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        symbols = {s.name: s["st_value"] for s in table.iter_symbols()}
        functions = sorted(
            (s["st_value"], s["st_size"], s.name)
            for s in table.iter_symbols()
            if s["st_info"]["type"] == "STT_FUNC"
        )
        text = elf.get_section_by_name(".text")
        start, end = text["sh_addr"], text["sh_addr"] + text["sh_size"]
        points = [v for (v,) in struct.iter_unpack("<Q", elf.get_section_by_name(".target.points").data())]
        frames = _Frames(elf)
        machine = 62 if elf["e_machine"] == "EM_X86_64" else 183
    calls = [pc for pc in _return_addresses(path) if not _name(functions, pc - 1).startswith("foreign_")]
    strings = bytearray(b"\0")
    function_rows = b""
    for address, size, name in functions:
        function_rows += struct.pack("<QQIIIHHQ", address, 0, size, len(strings), 0, 0, 0, 0)
        strings += name.encode() + b"\0"
    starts = [address for address, _, _ in functions]
    site_rows = b""
    sites = sorted([(pc, 0) for pc in calls if frames.has(pc - 1)] + [(pc, 1) for pc in points])
    for number, (pc, kind) in enumerate(sites):
        row = frames.row(pc if kind else pc - 1)
        owner = bisect_right(starts, pc - 1) - 1
        site_rows += struct.pack("<QIIIHHIIII", pc, owner, number << 1 | kind, 0, 0, 0, row, 0, 0, 0)
    special_rows = b""
    for kind, name in sorted(enumerate(SPECIALS, 1), key=lambda item: symbols[f"__transproc_{item[1]}"]):
        pc = symbols[f"__transproc_{name}"]
        special_rows += struct.pack("<QII", pc, kind, frames.row(pc) if kind <= 2 else 0)
    tables = [
        (function_rows, 40),
        (site_rows, 40),
        (b"", 8),
        (b"", 8),
        (frames.rows, 16),
        (frames.saved, 8),
        (b"", 16),
    ]
    tables += [(special_rows, 16), (bytes(strings), 1)]
    return _pack(machine, start, end, tables)


def _pack(machine: int, start: int, end: int, tables: list[tuple[bytes, int]]) -> bytes:
    header = struct.pack("<8sII20s20sQQ", b"TPSITES4", machine, 0, b"\1" * 20, b"\2" * 20, start, end)
    body, places = bytearray(), []
    for data, size in tables:
        places += [208 + len(body), len(data) // size]
        body += data + bytes(-len(data) % 8)
    places += [0] * (24 - len(places))
    return (header + struct.pack("<24I5Q", *places, 0, 0, 0, 0, 0)).ljust(208, b"\0") + bytes(body)


def _name(functions: list[tuple[int, int, str]], pc: int) -> str:
    for address, size, name in functions:
        if address <= pc < address + size:
            return name
    return "foreign_"


def _return_addresses(path: Path) -> list[int]:
    found, call = [], False
    for line in output(["llvm-objdump-19", "-d", "--no-show-raw-insn", path]).splitlines():
        if match := re.match(r"\s*([0-9a-f]+):\s+(\S+)", line):
            if call:
                found.append(int(match[1], 16))
            call = match[2] in ("callq", "call", "bl", "blr")
    return found


class _Frames:
    """Frame rules from `.eh_frame`, collected as they are asked for."""

    def __init__(self, elf: Any) -> None:
        info = elf.get_dwarf_info()
        self._entries = [entry for entry in info.EH_CFI_entries() if isinstance(entry, FDE)]
        self._return_column = 16 if elf["e_machine"] == "EM_X86_64" else None
        self._known: dict[bytes, int] = {}
        self.rows, self.saved = b"", b""

    def has(self, pc: int) -> bool:
        return self._line(pc) is not None

    def row(self, pc: int) -> int:
        """Number of the rule in force at an address."""
        line = self._line(pc)
        assert line is not None, hex(pc)
        slots = [
            (reg, rule.arg) for reg, rule in line.items() if isinstance(reg, int) and rule.type == "OFFSET"
        ]
        slots = [slot for slot in slots if slot[0] != self._return_column]
        saved = b"".join(struct.pack("<HHi", reg, 0, offset) for reg, offset in slots)
        key = struct.pack("<HHi", line["cfa"].reg, len(slots), line["cfa"].offset) + saved
        if key not in self._known:
            self._known[key] = len(self.rows) // 16
            self.rows += struct.pack(
                "<HHiII", line["cfa"].reg, len(slots), line["cfa"].offset, len(self.saved) // 8, 0
            )
            self.saved += saved
        return self._known[key]

    def _line(self, pc: int) -> dict[Any, Any] | None:
        for entry in self._entries:
            if entry["initial_location"] <= pc < entry["initial_location"] + entry["address_range"]:
                lines = entry.get_decoded().table
                return max((line for line in lines if line["pc"] <= pc), key=lambda line: line["pc"])
        return None
