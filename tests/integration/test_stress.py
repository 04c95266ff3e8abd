# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs that migrate onto themselves, in process: a small campaign of `scripts/stress` (docs/testing.md)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import manifest
from transproc.binary.elf import Elf
from transproc.toolchain.stress import PLATFORMS, Bench, Source
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain
PROGRAMS = manifest.DIRECTORY / "stress"
SCRIPT = Path(__file__).parents[2] / "scripts" / "stress"
SPILLED = re.compile(rb"\x03\x00\x08\x00([\x06\x07])\x00\x00\x00(....)", re.DOTALL)
"""A location of LLVM's stack maps: 8 bytes at an offset from rbp or rsp."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(toolchain(), tmp_path_factory.mktemp("stress"), list(PLATFORMS))


@pytest.mark.parametrize("name", ["features", "deep", "tails", "inclusive"])
def test_program(bench: Bench, name: str) -> None:
    for result in bench.check(Source(PROGRAMS / f"{name}.c"), name, migrations=2000).values():
        assert not result.failed
        assert not result.skipped
        assert result.counts.migrations > 1000
        assert result.counts.stops
        assert result.counts.frames > result.counts.migrations
        assert not result.counts.refused


@pytest.mark.parametrize(
    "options", [["--count", "2", "--first", "2", "--random-only"], ["--count", "2", "--cxx"]]
)
def test_random_programs(options: list[str], tmp_path: Path) -> None:
    options = [*options, "--migrations", "500"]
    words: list[str | Path] = [sys.executable, SCRIPT, *options, "--report", tmp_path / "report.json"]
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for isa in PLATFORMS:
        assert re.search(rf"^{isa}: [2-9] programs, [1-9]\d+ migrations .* 0 failed$", done.stdout, re.M)
    assert '"failures": {}' in (tmp_path / "report.json").read_text()


def test_wrong_stack_map_is_noticed(bench: Bench) -> None:
    """The harness believes the stack maps: where they are wrong, a program does not behave as before."""
    bench.check(Source(PROGRAMS / "deep.c"), "wrong", migrations=1)
    program = bench.directory / "wrong" / "x86_64-hooks"
    good = _every_hook(program)
    assert good.returncode == 0
    with Elf(program) as elf:
        section = bytes(elf.section(".llvm_stackmaps") or b"")
    wrong, places = SPILLED.subn(_moved, section)
    assert places
    program.write_bytes(program.read_bytes().replace(section, wrong))
    bad = _every_hook(program)
    assert (bad.returncode, bad.stdout) != (good.returncode, good.stdout)


def _moved(location: re.Match[bytes]) -> bytes:
    offset = int.from_bytes(location[2], "little", signed=True) + 8
    return location[0][:8] + offset.to_bytes(4, "little", signed=True)


def _every_hook(program: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "TRANSPROC_RATE": "1"}
    return subprocess.run([program], env=environment, capture_output=True, check=False, timeout=60)
