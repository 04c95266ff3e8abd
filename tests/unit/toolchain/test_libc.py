# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How the C library is put together: which files, and the table of system calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.toolchain.objects import AARCH64, X86_64, Section, Symbol, write
from transproc.errors import BinaryError
from transproc.toolchain import dual
from transproc.toolchain.libc import allocator, headers, leaves, library, native


@pytest.fixture
def musl(tmp_path: Path) -> Path:
    for name in (
        "env/__init_tls.c",
        "math/sin.c",
        "process/vfork.c",
        "stdio/puts.c",
        "malloc/mallocng/free.c",
        "malloc/free.c",
    ):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    numbers = {
        "aarch64": {"read": 63, "openat": 56, "fstat": 80, "only_here": 90, "write": 99},
        "x86_64": {"read": 0, "openat": 257, "fstat": 5, "write": 1},
    }
    for isa, table in numbers.items():
        path = tmp_path / "arch" / isa / "bits" / "syscall.h.in"
        path.parent.mkdir(parents=True)
        path.write_text("".join(f"#define __NR_{name}\t\t{number}\n" for name, number in table.items()))
    return tmp_path


def test_overlay_replaces_and_adds(musl: Path) -> None:
    found = library.sources(musl)
    assert found["env/__init_tls.c"].is_relative_to(headers.OVERLAY)
    assert found["stdio/puts.c"].is_relative_to(musl)
    assert found["malloc/free.c"].is_relative_to(musl)
    assert "malloc/mallocng/free.c" not in found  # allocator.c takes its place
    assert found[allocator.SOURCE].is_relative_to(headers.OVERLAY)
    assert "start/start.c" in found
    assert "process/vfork.c" not in found


def test_system_call_table(musl: Path) -> None:
    text = native.syscall_table(musl)
    values = [int(value, 16) for value in re.findall(r"\.short (\S+)", text)]
    assert values[63] == 1
    assert values[99] == 2
    assert values[56] == 0x8000 | 258
    assert values[80] == 0  # hidden: its struct differs
    assert values[90] == 0  # x86_64 does not have it
    assert f".set __transproc_syscall_limit, {len(values)}" in text


def test_converted_numbers_are_those_of_the_adapter() -> None:
    source = (native.ARCH / "x86_64_syscalls.c").read_text()
    enumerators = re.search(r"enum neutral_number \{(.*?)\}", source, re.S)
    assert enumerators
    names = {name.lower() for name in re.findall(r"(\w+) = \d+", enumerators[1])}
    assert names == native.CONVERTED


def object_file(path: Path, *symbols: Symbol) -> Path:
    halves = [write(machine, [Section(".text.f", b"ffff")], list(symbols)) for machine in (X86_64, AARCH64)]
    path.write_bytes(dual.combine(halves[0], halves[1]))
    return path


def test_leaves_may_call_only_leaves(tmp_path: Path) -> None:
    outputs = {
        "math/sin.c": object_file(tmp_path / "sin.o", Symbol("sin"), Symbol("puts", section=0, kind=0)),
        "stdio/puts.c": object_file(tmp_path / "puts.o", Symbol("puts")),
    }
    with pytest.raises(BinaryError, match=r"leaf module math/sin\.c calls puts of stdio/puts\.c"):
        leaves.check(outputs)
    del outputs["stdio/puts.c"]
    leaves.check(outputs)


def test_only_leaves_may_ask_the_processor(tmp_path: Path) -> None:
    """Others could be moved between the answer and what is done with it."""
    asking = Symbol(leaves.ASKED, section=0, kind=0)
    outputs = {"string/strlen.c": object_file(tmp_path / "strlen.o", Symbol("strlen"), asking)}
    leaves.check(outputs)
    outputs["stdio/puts.c"] = object_file(tmp_path / "puts.o", Symbol("puts"), asking)
    with pytest.raises(BinaryError, match=r"module stdio/puts\.c asks the processor, and is no leaf"):
        leaves.check(outputs)
