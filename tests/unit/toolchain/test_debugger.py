# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`-g`: gdb shows the frames and variables of a program on both ISAs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
SOURCE = Path(__file__).parent / "debugger" / "frames.c"
GDB = ("gdb-multiarch", "-q", "-nx", "-batch", "-ex", "set debuginfod enabled off")


def built(level: str, place: Path) -> Path:
    program = place / "frames"
    execute(parse(["-g", level, str(SOURCE), "-o", str(program)]), toolchain())
    return program


def gdb(*commands: str) -> str:
    words = [*GDB, *(word for command in commands for word in ("-ex", command))]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


LOOK = ("bt", "frame 2", "info locals", "p *p", "p mine")


def check(shown: str, level: str) -> None:
    frames = re.findall(r"^#\d+ .*?(\w+) \(", shown, re.MULTILINE)
    assert frames[:6] == ["innermost", *["depth_sum"] * 4, "main"]
    assert shown.count(" at ") >= 6 and "frames.c:" in shown
    assert 'label = "d1' in shown
    assert "$1 = {x = 5.5, y = 2}" in shown
    assert "$2 = 9" in shown or level != "-O0"


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_native_program(level: str, tmp_path: Path) -> None:
    program = built(level, tmp_path)
    shown = gdb(f"file {program}.{os.uname().machine}", "break innermost", "run", *LOOK)
    check(shown, level)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_emulated_program(level: str, tmp_path: Path) -> None:
    program, port = built(level, tmp_path), free_port()
    other = "aarch64" if os.uname().machine == "x86_64" else "x86_64"
    words = [f"qemu-{other}", "-g", str(port), f"{program}.{other}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as emulated:
        try:
            shown = gdb(
                f"file {program}.{other}", f"target remote :{port}", "break innermost", "continue", *LOOK
            )
        finally:
            emulated.kill()
    check(shown, level)
