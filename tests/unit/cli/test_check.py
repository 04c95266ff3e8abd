# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`transproc check` and `transproc show` say names of C++ as people write them, and why a function cannot be migrated."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from transproc.binary.demangle import demangle, readable
from transproc.binary.elf import Elf
from transproc.binary.lines import Describer
from transproc.cli.main import run as transproc
from transproc.controller.looks import stack
from transproc.toolchain import dual
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain
from transproc.transform.describe import FrameView, ThreadView

SOURCE = """
#include <setjmp.h>
namespace space { struct Thing { long n; Thing(long); ~Thing(); }; }
long outside(long);
long next(const space::Thing &, long n);
long passed(const space::Thing &thing, long n) { long m = outside(n); [[clang::musttail]] return next(thing, m); }
long returns(jmp_buf *where) {
  space::Thing thing(1);
  try { if (setjmp(*where)) return 1; return outside(2); } catch (long n) { return n; }
}
long fine(space::Thing thing) { return outside(thing.n) + thing.n; }
"""


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("check") / "part.cpp"
    source.write_text(SOURCE)
    words = ["-O2", "-w", "-c", str(source), "-o", str(source.with_suffix(".o"))]
    execute(parse(words, cxx=True), toolchain())
    return source.with_suffix(".o")


@pytest.mark.toolchain
def test_check_says_why_in_names_of_cxx(part: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert transproc(["check", str(part)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not migratable")]
    assert lines == [
        "not migratable while it runs: passed(space::Thing const&, long) has a musttail call",
        "not migratable while it runs: returns(__jmp_buf_tag (*) [1]) calls a function that returns twice",
    ]


@pytest.mark.toolchain
def test_check_has_names_of_the_object_as_json(part: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert transproc(["check", str(part), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["not_migratable"]
    assert found["_Z6passedRKN5space5ThingEl"] == "has a musttail call"


@pytest.mark.toolchain
def test_check_says_problems_in_names_of_cxx(
    part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No call has a site any more."""
    halves = dual.split(part.read_bytes(), "part")
    damaged = tmp_path / "damaged.o"
    dual.write(damaged, *(half.replace(b".llvm_stackmaps", b".llvm_stackmapt") for half in halves))
    assert transproc(["check", str(damaged)]) == 1
    said = capsys.readouterr().out
    assert (
        f"{damaged}: fine(space::Thing) calls outside(long), which may reach a site, but has no site there"
        in said
    )
    assert "_Z" not in said


def test_lines_with_names() -> None:
    assert readable(["f calls _Z1gPKcS0_", "_ZL1hv.resume", "_Zebra", "main"]) == [
        "f calls g(char const*, char const*)",
        "h().resume",
        "_Zebra",
        "main",
    ]
    assert demangle(["main"]) == {"main": "main"}


def test_values_of_a_call_with_a_landing_pad() -> None:
    """Its id is marked."""
    lines = b"00000000000000a4!\tlong n\ti64 %3\x0000000000000000a6\tlong m\0"
    described = Describer(cast(Elf, SimpleNamespace(section=lambda _: lines)))
    assert [value.name for value in described.variables(0xA4)] == ["n", "%3"]
    assert [value.name for value in described.variables(0xA6)] == ["m"]


def test_a_stack_is_shown_in_names_of_cxx() -> None:
    frames = [
        FrameView("frame", "_ZN5space5Thing3runEl", 0x1000010, site=2),
        FrameView("frame", "main", 0x1000020, site=4),
    ]
    lines = list(stack(ThreadView(7, 7, "x86_64", frames)))
    assert lines[1].split("  (frame")[0] == "  #0  space::Thing::run(long)"
    assert lines[2].split("  (frame")[0] == "  #1  main"
