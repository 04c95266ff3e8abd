# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs compiled by transproc-cc behave the same on both ISAs: natively, and under qemu's user-mode emulation."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs.manifest import CFLAGS, LIBRARIES, Program, programs
from transproc.binary.elf import Elf
from transproc.binary.processor import needed
from transproc.toolchain import dual
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
SOURCES = Path(__file__).parent / "programs"
ASKING = ("processor", "strings", "memory", "numbers")
"""Programs whose functions of the C library ask what the processor has."""


def build(words: list[str], output: Path) -> Path:
    execute(parse([*words, "-o", str(output)]), toolchain())
    return output


def command(binary: Path, isa: str) -> list[str]:
    program = f"{binary}.{isa}"
    return [program] if isa == os.uname().machine else [f"qemu-{isa}", program]


def results(binary: Path, arguments: list[str], **options: object) -> list[tuple[int, bytes]]:
    """Status and output on each ISA, each in a directory of its own."""
    found = []
    for isa in dual.MACHINES:
        place = binary.with_name(f"{binary.name}-{isa}.d")
        place.mkdir()
        argv = [*command(binary, isa), *arguments]
        done = subprocess.run(argv, cwd=place, capture_output=True, timeout=120, check=False, **options)  # type: ignore[call-overload]
        found.append((done.returncode, done.stdout))
        assert done.returncode == 0, done.stderr.decode()
    return found


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.name)
def test_same_output(program: Program, tmp_path: Path) -> None:
    if "kernel" in program.tags:
        pytest.skip("qemu's user-mode emulation lacks what it needs of the kernel: the lab runs this one")
    words = [*CFLAGS, "-O2", "-g", str(program.source), *LIBRARIES]
    binary = build(words, tmp_path / program.name)
    environment = {**os.environ, **program.environment}
    options = (
        {"input": program.stdin.encode(), "env": environment}
        if program.stdin
        else {"stdin": subprocess.DEVNULL}
    )
    first, second = results(binary, list(program.smoke), **options)
    assert first[1]
    assert first == second


@pytest.mark.parametrize(
    "level", ["-O0", "-O3", *(pytest.param(level, marks=pytest.mark.nightly) for level in ("-O1", "-Os"))]
)
@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.c")), ids=lambda path: path.stem)
def test_libc(source: Path, level: str, tmp_path: Path) -> None:
    binary = build(["-std=gnu11", level, str(source), "-lm"], tmp_path / source.stem)
    first, second = results(binary, [])
    assert first == second
    assert first[1].decode().rstrip().endswith("done")


PROCESSORS = {
    "qemu-x86_64 -cpu Nehalem": "",
    "qemu-x86_64 -cpu Haswell": "wide fused",
    "qemu-aarch64 -cpu cortex-a57": "fused",
}
"""Emulated processors, and what they have of the things that the C library asks for (runtime/libc/internal/processor.h)."""


@pytest.mark.parametrize("emulated", PROCESSORS)
def test_processors(emulated: str, tmp_path: Path) -> None:
    """The C library asks the processor, anew behind each move, takes what it has, and gives the same results."""
    command, has = emulated.split(), PROCESSORS[emulated]
    isa = command[0].removeprefix("qemu-")
    programs = {
        name: build(["-std=gnu11", "-O2", str(SOURCES / f"{name}.c"), "-lm"], tmp_path / name)
        for name in ASKING
    }
    for name, program in programs.items():
        assert not needed(Elf(Path(f"{program}.x86_64"))) & {"avx", "avx2", "fma", "bmi1"}
        done = subprocess.run([*command, f"{program}.{isa}"], capture_output=True, timeout=300, check=False)
        here = subprocess.run([program], capture_output=True, timeout=120, check=True)
        assert (done.returncode, done.stdout) == (0, here.stdout), name
        if name == "processor":
            assert done.stderr.decode().splitlines()[-1] == has  # behind what qemu has to say
    trusting = [*command, f"{programs['processor']}.{isa}", "trust"]
    used = subprocess.run(trusting, capture_output=True, timeout=60, check=False)
    runs = has == "wide fused" or isa == "aarch64"  # else: an illegal instruction
    assert (used.stdout == b"used\n") == runs


@pytest.mark.parametrize(
    "options",
    [
        "-ffast-math",
        "-Xarch x86_64 -march=x86-64-v3",
        "-ffp-contract=fast",
        "-march=x86-64-v3",
        "-march=x86-64-v3 -ffp-contract=off",
        "-march=x86-64-v3 -ffast-math",
        "-fno-strict-float-cast-overflow",
        "-march=x86-64",
    ],
)
def test_floating_point_options(options: str, tmp_path: Path) -> None:
    """They may change results, but on both ISAs alike. (qemu emulates no AVX2: the host has it, or runs the other code.)"""
    binary = build(["-O3", *options.split(), str(SOURCES / "fast_math.c"), "-lm"], tmp_path / "fast")
    if "-march" in options and "avx2" not in Path("/proc/cpuinfo").read_text():
        binary = build(["-O3", str(SOURCES / "fast_math.c"), "-lm"], tmp_path / "usual")
    first, second = results(binary, [])
    assert first == second


def test_stripped(tmp_path: Path) -> None:
    source = SOURCES / "stdio.c"
    plain = build([str(source)], tmp_path / "plain")
    stripped = build([str(source), "-s"], tmp_path / "stripped")
    assert stripped.stat().st_size < plain.stat().st_size
    names = subprocess.run(["llvm-readelf-19", "-SW", stripped], capture_output=True, check=True).stdout
    assert b".transproc.sites" in names
    assert b".symtab" not in names
    assert results(stripped, [])


@pytest.mark.nightly
def test_without_sites(tmp_path: Path) -> None:
    """The library without sites is compiled for it (a minute and a half of two processors)."""
    binary = tmp_path / "plain"
    words = ["-Xtransproc", "--plain", "-O2", str(SOURCES / "stdio.c"), "-o", str(binary)]
    execute(parse(words), toolchain(plain=True))
    first, second = results(binary, [])
    assert first == second


def test_host_binary_is_the_program(tmp_path: Path) -> None:
    binary = build([str(SOURCES / "stdio.c")], tmp_path / "prog")
    assert binary.read_bytes() == Path(f"{binary}.{os.uname().machine}").read_bytes()
    assert shutil.which(str(binary))
