# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`-g`: gdb shows the frames and variables of a program on both ISAs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from transproc.binary.elf import Elf
from transproc.binary.lines import VALUES_SECTION, Describer, site_of
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
SOURCES = Path(__file__).parent / "debugger"
C, CXX = SOURCES / "frames.c", SOURCES / "frames.cpp"
SUM = {C: "depth_sum", CXX: "trees::Tree<long>::sum"}
"""The function that calls itself."""
ALL = pytest.mark.parametrize(("source", "level"), [(C, "-O0"), (C, "-O2"), (CXX, "-O0"), (CXX, "-O2")])
GDB = ("gdb-multiarch", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off")


def built(source: Path, level: str, place: Path) -> Path:
    program = place / "frames"
    library = ["-nostdlib++", "-lc++abi"] if source == CXX else []  # the rest takes minutes to compile
    words = ["-g", level, str(source), "-o", str(program), *library]
    execute(parse(words, cxx=source == CXX), toolchain())
    return program


def gdb(*commands: str) -> str:
    words = [*GDB, *(word for command in commands for word in ("-ex", command))]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def look(source: Path) -> list[str]:
    return ["bt", "frame 2", "info locals", f"p {'p' if source == CXX else '*p'}", "p mine"]


def check(shown: str, source: Path, level: str) -> None:
    frames = re.findall(r"^#\d+ .*?([\w:<>]+) \(", shown, re.MULTILINE)
    assert frames[:6] == ["innermost", *[SUM[source]] * 4, "main"]
    assert shown.count(" at ") >= 6 and f"{source.name}:" in shown
    assert 'label = "d1' in shown
    assert re.search(r"^\$1 = .*\{?x = 5.5, y = 2\}", shown, re.MULTILINE)
    assert "$2 = 9" in shown or level != "-O0"


@ALL
def test_native_program(source: Path, level: str, tmp_path: Path) -> None:
    program = built(source, level, tmp_path)
    shown = gdb(f"file {program}.{os.uname().machine}", "break innermost", "run", *look(source))
    check(shown, source, level)


@ALL
def test_emulated_program(source: Path, level: str, tmp_path: Path) -> None:
    program, port = built(source, level, tmp_path), free_port()
    other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
    words = [f"qemu-{other}", "-g", str(port), f"{program}.{other}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as emulated:
        try:
            shown = gdb(
                f"file {program}.{other}",
                f"target remote :{port}",
                "break innermost",
                "continue",
                *look(source),
            )
        finally:
            emulated.kill()
    check(shown, source, level)


def test_lines_and_names_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled elsewhere, the file is named by a path that exists; the names of all sites are found by their numbers."""
    monkeypatch.chdir(tmp_path)
    elf = Elf(built(CXX, "-O2", tmp_path).with_suffix(".x86_64"))
    describer = Describer(elf)
    file, line = describer.source_line(elf.symbols["main"]) or ("", 0)
    assert Path(file) == CXX and "int main" in CXX.read_text().splitlines()[line - 1]
    lines = bytes(elf.section(VALUES_SECTION) or b"").decode().split("\0")
    named = [line for line in lines if "\t" in line]
    assert any(line.startswith("0") for line in named)
    for text in named:
        found = [f"{v.type} {v.name}" for v in describer.variables(site_of(text)) if v.entries == 1]
        assert found == [item for item in text.split("\t")[1:] if "*" not in item]
