# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of several objects: names bound to other functions than the compiler saw, and what linkers and tools do to objects."""

from pathlib import Path

import pytest

from transproc.binary.elf import Elf
from transproc.binary.sites import Index
from transproc.errors import CommandError
from transproc.process.selfmove import Plan, Work, stress
from transproc.run import run

pytestmark = pytest.mark.toolchain

SOURCES = Path(__file__).parents[1] / "programs" / "linking"


def compiled(place: Path, *options: str) -> None:
    for name in ("main", "part", "begin"):
        run(["transproc-cc", *options, "-c", SOURCES / f"{name}.c", "-o", place / f"{name}.o"], timeout=300)
    run(["ar", "rcs", "libbegin.a", "begin.o"], cwd=place)


def linked(place: Path, *words: str) -> bytes:
    """The linker's notes."""
    return run(["transproc-cc", *words, "-o", "prog"], cwd=place, timeout=300).stderr


def functions_with_sites(binary: Path) -> set[str]:
    index = Index(Elf(binary))
    return {index.name(number) for number in range(len(index.functions))}


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("objects")
    compiled(place, "-O2")
    return place


@pytest.mark.parametrize(("isa", "rate", "rounds"), [("x86_64", 2000.0, 20000), ("aarch64", 100.0, 2000)])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_calls_by_names_that_are_bound_to_others(
    tmp_path: Path, level: str, isa: str, rate: float, rounds: int
) -> None:
    """An alias, weak or not, the linker's --wrap, handlers of atexit, and a rand of the program's own: all can be stopped in."""
    compiled(tmp_path, level)
    notes = linked(
        tmp_path, "main.o", "part.o", "-L.", "-lbegin", "-Wl,--wrap,wrapped", "-u", "wanted_by_its_name"
    )
    assert notes == b""
    verdict = stress(Work(tmp_path / "prog", [str(rounds)]), isa, Plan(1, rate, 5))
    assert verdict.differences == []
    assert verdict.migrations > 10
    assert verdict.refused * 20 <= verdict.migrations


def test_members_that_nothing_refers_to(objects: Path) -> None:
    results = set()
    for words in (
        ["-u", "wanted_by_its_name", "libbegin.a"],
        ["-Wl,--undefined=wanted_by_its_name", "libbegin.a"],
        ["-Wl,--whole-archive,libbegin.a,--no-whole-archive"],
        ["-Wl,--whole-archive", "libbegin.a", "-Wl,--no-whole-archive", "libbegin.a"],
        ["begin.o"],
    ):
        linked(objects, "main.o", "part.o", "-Wl,--defsym=__real_wrapped=target", *words)
        results.add(run([objects / "prog", "3"]).stdout)
    assert len(results) == 1
    linked(objects, "main.o", "part.o", "-Wl,--defsym=__real_wrapped=target", "libbegin.a")
    assert run([objects / "prog", "3"]).stdout not in results


def test_a_function_of_the_librarys_name_that_can_be_stopped_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "own.c").write_text(
        '#include <stdio.h>\nint abs(int x) { puts("abs"); return x < 0 ? -x : x; }\n'
    )
    (tmp_path / "use.c").write_text(
        "int abs(int);\nint main(int argc, char **argv) { return abs(argc) - 1; }\n"
    )
    notes = linked(tmp_path, "-fno-builtin", "use.c", "own.c")
    assert b"own.o: abs is not the C library's" in notes
    assert b"-Xtransproc --not-leaf=abs" in notes
    assert run([tmp_path / "prog"]).stdout == b"abs\n"
    assert "main" not in functions_with_sites(tmp_path / "prog.x86_64")
    assert linked(tmp_path, "-Xtransproc", "--not-leaf=abs", "-fno-builtin", "use.c", "own.c") == b""
    assert "main" in functions_with_sites(tmp_path / "prog.x86_64")


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (["objcopy", "--redefine-sym", "rand=target"], "its halves differ: rand"),
        (["objcopy", "--localize-symbol=joined"], "its halves differ: joined"),
        (["objcopy", "--redefine-sym", "__real_wrapped=printf"], "only one of its halves refers to printf"),
        (["strip", "--strip-unneeded"], "has no .debug_frame for x86_64 any more"),
        (["llvm-strip-19", "-g"], "has no .debug_frame for x86_64 any more"),
    ],
)
def test_an_object_of_which_one_half_was_changed(objects: Path, tool: list[str], message: str) -> None:
    run(
        [*tool, "part.o", "changed.o"] if tool[0] == "objcopy" else [*tool, "-o", "changed.o", "part.o"],
        cwd=objects,
    )
    with pytest.raises(CommandError, match=message) as raised:
        linked(objects, "main.o", "changed.o")
    assert "know the half for x86_64 only" in str(raised.value)


def test_objects_that_ld_has_joined(objects: Path) -> None:
    run(["ld", "-r", "main.o", "part.o", "-o", "joined.o"], cwd=objects)
    with pytest.raises(CommandError, match="know the half for x86_64 only"):
        linked(objects, "joined.o")
