# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The tool is built for every ISA, from tables that agree with the kernel's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from transproc.binary.elf import Elf
from transproc.errors import UnsupportedError
from transproc.isa import ALL
from transproc.paths import SOURCE
from transproc.process.build import build
from transproc.run import output, run

HEADERS = {"x86_64": "asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}
"""The kernel's own numbers, of linux-libc-dev."""


@pytest.mark.parametrize("isa", [isa.name for isa in ALL])
def test_builds(isa: str) -> None:
    path = build(isa)
    assert build(isa) == path
    with Elf(path) as elf:
        assert elf.machine == {i.name: i.machine for i in ALL}[isa]
    assert "INTERP" not in output(["llvm-readelf-19", "-l", path])


def test_a_cut_off_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had written becomes the next one's."""
    monkeypatch.setenv("TRANSPROC_HOME", str(tmp_path))
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "transproc-stop.x86_64~").write_bytes(b"half of it")
    path = build("x86_64")
    assert {found.name for found in path.parent.iterdir()} == {path.name, "lock"}
    assert path.read_bytes().startswith(b"\x7fELF")


def test_unknown_isa() -> None:
    with pytest.raises(UnsupportedError):
        build("vax")


@pytest.mark.parametrize("isa", sorted(HEADERS))
def test_system_call_numbers(isa: str, tmp_path: Path) -> None:
    """The compiler compares each number of isa.h with the kernel's header."""
    header = SOURCE / "runtime" / "tool" / isa / "isa.h"
    numbers = re.findall(r"\bNR_(\w+) = (\d+)", header.read_text())
    assert len(numbers) > 30
    lines = [f"#include <{HEADERS[isa]}>"]
    lines += [f'_Static_assert(__NR_{name} == {number}, "{name}");' for name, number in numbers]
    source = tmp_path / "check.c"
    source.write_text("\n".join(lines))
    run(["clang-19", "-D__BITS_PER_LONG=64", "-D__ARCH_WANT_SYS_CLONE3", "-fsyntax-only", source])
