# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The checks of objects hold for what the compiler makes, and fail for each thing that could be wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from transproc.binary.relocatable import Relocatable
from transproc.errors import UnsupportedError
from transproc.toolchain import dual, objects
from transproc.toolchain.driver import execute
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

SOURCE = """
#include <stdio.h>
#include <string.h>
struct big { long words[100]; };
extern struct big kept;
long outside(struct big *);
__attribute__((noinline)) static long sum(const struct big *b) { return b->words[0] + b->words[99]; }
long use(long n) {
  struct big local = kept;             /* a call of memcpy that only the back end makes */
  for (long i = 0; i < n; i++) n += outside(&local) * i;
  return n + sum(&local);
}
"""


@pytest.fixture(scope="module")
def leaves() -> set[str]:
    return set(toolchain().leaf_list.read_text().split())


def compiled(place: Path, text: str = SOURCE, name: str = "part") -> Path:
    source = place / f"{name}.c"
    source.write_text(text)
    execute(parse(["-O2", "-c", str(source), "-o", str(source.with_suffix(".o"))]), toolchain())
    return source.with_suffix(".o")


def test_what_the_compiler_makes_holds(tmp_path: Path, leaves: set[str]) -> None:
    report = objects.check(compiled(tmp_path), leaves)
    assert report.problems == []
    assert (report.members, report.functions, report.sites) == (1, 1, 1)
    assert report.live_values >= 2
    assert report.calls_without_site > 4  # memcpy and sum, in the function and its resume entry, on both ISAs


def test_the_c_library_holds(leaves: set[str]) -> None:
    report = objects.check(toolchain().root / "lib" / "libc.a", leaves)
    assert report.problems == []
    assert report.members > 1000 and report.functions > 800 and report.sites > 3000


def test_a_call_that_could_reach_a_site(tmp_path: Path, leaves: set[str]) -> None:
    report = objects.check(compiled(tmp_path), leaves - {"memcpy"})
    assert any("use calls memcpy" in problem for problem in report.problems)
    assert any(", aarch64: " in problem for problem in report.problems)


def test_a_call_of_a_function_that_jumps_to_one_with_a_site(tmp_path: Path, leaves: set[str]) -> None:
    """`pass_on` has no site of its own; it was called with a site, which is taken away from the tables here."""
    text = """
long outside(long);
__attribute__((noinline)) long pass_on(long n) { return outside(n + 1); }
long use(long n) { return pass_on(n) + 1; }
"""
    path = compiled(tmp_path, text)
    report = objects.check(path, leaves)
    assert report.problems == [] and (report.functions, report.sites) == (1, 1)
    halves = dual.split(path.read_bytes(), "part")
    dual.write(path, *(half.replace(b".llvm_stackmaps", b".llvm_stackmapt") for half in halves))
    problems = objects.check(path, leaves).problems
    assert [p for p in problems if "use calls pass_on" in p and ", aarch64: " not in p], problems
    assert [p for p in problems if "use calls pass_on" in p and ", aarch64: " in p], problems
    assert objects.check(path, leaves | {"outside"}).problems == []


def test_a_call_by_a_weak_name(tmp_path: Path, leaves: set[str]) -> None:
    """It may be bound to another object's function, which can reach a site; the call's own is taken away here."""
    text = """
__attribute__((weak, noinline)) long other(long n) { return n * 3; }
long use(long n) { return other(n) + 1; }
"""
    path = compiled(tmp_path, text)
    report = objects.check(path, leaves)
    assert report.problems == [] and report.sites == 1
    halves = dual.split(path.read_bytes(), "part")
    dual.write(path, *(half.replace(b".llvm_stackmaps", b".llvm_stackmapt") for half in halves))
    problems = objects.check(path, leaves).problems
    assert [p for p in problems if "use calls other" in p and ", aarch64: " not in p], problems
    assert [p for p in problems if "use calls other" in p and ", aarch64: " in p], problems


def test_halves_of_different_sources(tmp_path: Path, leaves: set[str]) -> None:
    """One value more is live at the call of one half."""
    texts = [
        SOURCE,
        SOURCE.replace("long n) {", "long n) { long m = n * n;").replace("return n +", "return m + n +"),
    ]
    halves = []
    for number, text in enumerate(texts):  # of one name: the ids of sites hold it
        place = tmp_path / str(number)
        place.mkdir()
        halves.append(dual.split(compiled(place, text).read_bytes(), "part"))
    mixed = tmp_path / "mixed.o"
    dual.write(mixed, halves[0][0], halves[1][1])
    problems = objects.check(mixed, leaves).problems
    assert any("in x86_64, " in problem for problem in problems), problems


def test_a_site_of_another_function(tmp_path: Path, leaves: set[str]) -> None:
    file = compiled(tmp_path)
    data = bytearray(file.read_bytes())
    half = Relocatable(bytes(data), "part")
    table = half.find(".transproc.functions")
    assert table is not None
    at = int(half.sections["offset"][table]) + 16
    (identity,) = struct.unpack_from("<Q", data, at)
    struct.pack_into("<Q", data, at, identity ^ 1 << 30)
    file.write_bytes(data)
    assert any("belongs to another function" in problem for problem in objects.check(file, leaves).problems)


def test_foreign_and_damaged_files(tmp_path: Path, leaves: set[str]) -> None:
    foreign = tmp_path / "foreign.o"
    whole = compiled(tmp_path).read_bytes()
    foreign.write_bytes(dual.split(whole, "part")[1])
    assert "not compiled by transproc-cc" in objects.check(foreign, leaves).problems[0]
    cut = tmp_path / "cut.o"
    for size in range(64, len(whole), len(whole) // 50):
        cut.write_bytes(whole[:size])
        assert not objects.check(cut, leaves).agrees


def test_functions_that_are_not_migratable(tmp_path: Path, leaves: set[str]) -> None:
    text = (
        "#include <unistd.h>\nint outside(void);\nint twice(void) { int p = vfork(); outside(); return p; }\n"
    )
    report = objects.check(compiled(tmp_path, text), leaves)
    assert report.problems == []
    assert report.not_migratable == {"twice": "calls a function that returns twice"}


def test_an_isa_without_a_decoder_is_refused() -> None:
    """It fell into another one's: then the proof proved nothing."""
    with pytest.raises(UnsupportedError, match="riscv64 cannot be checked"):
        objects.decoder_of("riscv64")
