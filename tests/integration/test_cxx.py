# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""C++: inline functions of several units, exceptions, and what becomes of both in migrations."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.compiling import COMPILER
from tests.programs import moments
from tests.programs.moments import FOREIGN
from transproc.binary.demangle import demangle
from transproc.binary.elf import Elf
from transproc.binary.sites import Index
from transproc.cli.main import run as transproc
from transproc.isa import ALL
from transproc.process.selfmove import ERRORS, Plan, Run, Work, runner, stress
from transproc.toolchain import driver, dual
from transproc.toolchain.compile import Codegen, back_end_words
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

PROGRAMS = Path(__file__).parents[1] / "programs" / "cxx"
UNITS = [PROGRAMS / "shapes_a.cpp", PROGRAMS / "shapes_b.cpp"]


def compile_cxx(sources: Sequence[Path], output: Path, *options: str) -> Path:
    """As transproc-c++ does."""
    words = ["-O2", "-w", *map(str, sources), "-o", str(output), *options]
    driver.execute(parse(words, cxx=True), toolchain())
    return output


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two units without the standard library: its part for exceptions takes seconds to compile."""
    return compile_cxx(UNITS, tmp_path_factory.mktemp("shapes") / "shapes", "-nostdlib++", "-lc++abi")


def reference(sources: Sequence[Path], place: Path, *arguments: str) -> tuple[int, bytes]:
    """Status and output of the same program, compiled by clang for this machine."""
    program = place / "reference"
    subprocess.run(["clang++-19", "-O2", "-w", *sources, "-o", program], check=True)
    done = subprocess.run([program, *arguments], check=False, capture_output=True)
    return done.returncode, done.stdout


def test_units_with_inline_functions_do_what_clang_makes_of_them(shapes: Path, tmp_path: Path) -> None:
    done = subprocess.run([shapes, "100"], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == reference(UNITS, tmp_path, "100")


@pytest.mark.parametrize("isa", [isa.name for isa in ALL])
def test_exceptions_survive_migrations(shapes: Path, isa: str) -> None:
    native = isa == os.uname().machine
    rounds, rate = ("60000", 5000.0) if native else ("8000", 100.0)
    verdict = stress(Work(shapes, [rounds]), isa, Plan(7, rate, 3))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


def test_the_checks_know_inline_functions(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert transproc(["check", str(shapes)]) == 0
    objects = [tmp_path / f"{path.stem}.o" for path in UNITS]
    for source, output in zip(UNITS, objects, strict=True):
        driver.execute(parse(["-O2", "-w", "-c", str(source), "-o", str(output)], cxx=True), toolchain())
        assert transproc(["check", str(output)]) == 0, capsys.readouterr().out


def test_one_copy_of_an_inline_function_is_in_the_index(shapes: Path) -> None:
    for isa in ALL:
        index = Index(Elf(shapes.with_name(f"{shapes.name}.{isa.name}")))
        names = [index.name(number) for number in range(len(index.functions))]
        assert names.count("_Z9fibonaccim") == 1
        assert len(set(names)) == len(names)
        assert demangle(names)["_Z9fibonaccim"] == "fibonacci(unsigned long)"


def test_a_selector_that_is_taken_out_after_a_use_of_the_whole(tmp_path: Path) -> None:
    outputs = [str(tmp_path / f"selector.{isa}.o") for isa in dual.MACHINES]
    words = back_end_words(Codegen(toolchain().codegen), str(PROGRAMS / "selector.ll"), outputs)
    subprocess.run(words, check=True)
    assert all(Path(output).stat().st_size for output in outputs)


def test_new_aligns_as_malloc_does(tmp_path: Path) -> None:
    """A program's own aligned `operator new` gets only what needs more; two of libc++'s own tests look for that, too."""
    program = compile_cxx([PROGRAMS / "aligned.cpp"], tmp_path / "aligned")
    for isa in ALL:
        done = subprocess.run(
            [*runner(isa.name), program.with_name(f"aligned.{isa.name}")], check=False, capture_output=True
        )
        assert (done.returncode, done.stdout) == (0, b"16 1\n")


@pytest.mark.parametrize("isa", [isa.name for isa in ALL])
def test_hundreds_of_landing_pads_come_together(tmp_path: Path, isa: str) -> None:
    source = [PROGRAMS / "crowd.cpp"]
    program = compile_cxx(source, tmp_path / "crowd", "-nostdlib++", "-lc++abi")
    native = isa == os.uname().machine
    rounds, rate = ("40000", 5000.0) if native else ("4000", 200.0)
    done = subprocess.run([*runner(isa), f"{program}.{isa}", rounds], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == reference(source, tmp_path, rounds)
    verdict = stress(Work(program, [rounds]), isa, Plan(5, rate, 3))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


def test_algorithms_with_a_policy(tmp_path: Path) -> None:
    options = ("-std=c++17", "-fexperimental-library")
    program = compile_cxx([PROGRAMS / "parallel.cpp"], tmp_path / "parallel", *options)
    assert subprocess.run([program], check=True, capture_output=True).stdout == b"same 1\n"


def test_variable_arguments_and_objects_lie_apart(tmp_path: Path) -> None:
    program = compile_cxx([PROGRAMS / "prints.cpp"], tmp_path / "prints", "-nostdlib++", "-lc++abi")
    assert (
        subprocess.run([program], check=True, capture_output=True).stdout
        == b"first\n7 twenty-three characters\n"
    )


@pytest.fixture(scope="module")
def throws(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_cxx([PROGRAMS / "throws.cpp"], tmp_path_factory.mktemp("throws") / "throws")


@pytest.mark.parametrize(("isa", "rate", "step"), [("x86_64", 20000.0, 1), ("aarch64", 500.0, 3)])
def test_every_call_migrates_and_throws(
    throws: Path, tmp_path: Path, isa: str, rate: float, step: int
) -> None:
    """And migrates in the unwinding, in the handler, behind it: the program itself waits for that, and counts."""
    words = [str(step), "2"]
    done = subprocess.run([*runner(isa), f"{throws}.{isa}", *words], check=True, capture_output=True)
    assert (done.returncode, done.stdout) == reference([PROGRAMS / "throws.cpp"], tmp_path, *words)

    def check(run: Run) -> None:
        said = re.fullmatch(
            rb"(\d+) calls threw, (\d+) of (\d+) waits saw a migration\n", run.files[ERRORS] or b""
        )
        assert said
        threw, moved, waits = map(int, said.groups())
        assert threw >= 60 // step
        assert moved == waits == 4 * threw

    work = Work(throws, words, timeout=300, varying=r"\d+ of \d+ waits.*", check=check)
    verdict = stress(work, isa, Plan(1, rate, 200))
    assert verdict.passed, verdict


@pytest.fixture(scope="module")
def exceptions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_cxx([PROGRAMS / "exceptions.cpp"], tmp_path_factory.mktemp("exceptions") / "exceptions")


def test_every_kind_of_exception(exceptions: Path) -> None:
    """For a second; with all ends, compared with clang's program, and on both ISAs by night."""
    verdict = stress(Work(exceptions, ["3000"]), os.uname().machine, Plan(1, 5000.0, 1))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


@pytest.mark.nightly
@pytest.mark.parametrize("end", ["", "uncaught", "noexcept"])
def test_every_kind_of_exception_for_longer(exceptions: Path, tmp_path: Path, end: str) -> None:
    ends = [end] if end else []
    done = subprocess.run([exceptions, "30", *ends], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == reference([PROGRAMS / "exceptions.cpp"], tmp_path, "30", *ends)
    for isa, rounds, rate in (("x86_64", "3000", 5000.0), ("aarch64", "100", 50.0)):
        for seed in range(3):
            verdict = stress(Work(exceptions, [rounds, *ends]), isa, Plan(seed, rate, 8))
            assert verdict.passed, verdict


@pytest.mark.parametrize(
    "isa",
    [pytest.param(isa.name, marks=[pytest.mark.nightly] * (isa.name != os.uname().machine)) for isa in ALL],
)
def test_exceptions_of_others(tmp_path: Path, isa: str) -> None:
    """Of another language, through frames of C, before main, in coroutines, out of a thousand frames; as clang has it."""
    program = moments.compiled(FOREIGN, tmp_path)
    expected = moments.reference(FOREIGN, tmp_path)
    done = subprocess.run([*runner(isa), f"{program}.{isa}", "1"], check=True, capture_output=True, text=True)
    assert (expected.exit, expected.stdout) == ("status 0", done.stdout)
    rounds, rate = ("150", 2000.0) if isa == os.uname().machine else ("50", 100.0)
    verdict = stress(Work(program, [rounds]), isa, Plan(4, rate, 2))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


def test_frames_of_c_clean_up(tmp_path: Path) -> None:
    """Where all is C, as well: the unwinder is linked with what needs it."""
    source = tmp_path / "cleanup.c"
    source.write_text(
        "#include <stdio.h>\n#include <unwind.h>\nstatic struct _Unwind_Exception nothing;\n"
        'static void clean(int *n) { printf("cleanup %d\\n", *n); }\n'
        "static void through(int n) { __attribute__((cleanup(clean))) int kept = n; if (n) through(n - 1);"
        ' else printf("nobody catches: %d\\n", _Unwind_RaiseException(&nothing)); }\nint main(void) { through(3); }\n'
    )
    outputs = []
    for compiler in (["gcc"], [str(COMPILER)]):
        program = tmp_path / Path(compiler[0]).name
        made = program.with_suffix(".o")
        subprocess.run([*compiler, "-O2", "-fexceptions", "-c", source, "-o", made], check=True)
        subprocess.run([*compiler, made, "-o", program], check=True)
        outputs.append(subprocess.run([program], check=True, capture_output=True).stdout)
    assert outputs[0].startswith(b"nobody catches: 5\n") and outputs[0] == outputs[1]


def test_strings_of_old_hash_maps_are_hashed_as_libstdcxx_does(tmp_path: Path) -> None:
    """Alike strings are near each other; nothing but headers is needed."""
    source = tmp_path / "hash.cpp"
    source.write_text(
        "#include <ext/hash_map>\n#include <cstdio>\n"
        'int main() { char text[] = "abc\\xe4"; std::printf("%zu %zu\\n", __gnu_cxx::hash<const char *>()(text),'
        " __gnu_cxx::hash<char *>()(text)); }\n"
    )
    program = compile_cxx([source], tmp_path / "hash", "-nostdlib++")
    done = subprocess.run([program], check=True, capture_output=True)
    assert (done.returncode, done.stdout) == reference([source], tmp_path)


def test_literals_are_not_measured_while_a_program_runs(tmp_path: Path) -> None:
    """Each function of std::string that takes a C string is inlined, and the length of a literal is known."""
    source = tmp_path / "literals.cpp"
    source.write_text(
        "#include <string>\n"
        'int all(std::string& s) { s += "hello"; s = "abc"; s.append("a"); s.assign("a"); s.insert(1, "b");'
        ' s.replace(0, 1, "cd"); return s.compare("xy") + s.compare(0, 1, "z"); }\n'
    )
    for standard in ("-std=c++17", "-std=c++23"):
        made = compile_cxx([source], tmp_path / "literals.o", "-c", "-O2", standard)
        listed = subprocess.run(
            ["llvm-nm-19", "--undefined-only", made], check=True, capture_output=True, text=True
        )
        calls = listed.stdout.split()
        assert any("replace" in name for name in calls)
        measured = re.compile(r"strlen|.*\d(append|assign|insert|replace|compare)Em*PKc")
        assert not [name for name in calls if measured.fullmatch(name)]


def test_the_library(tmp_path: Path) -> None:
    """Most of it, for a second; all, for longer, and on both ISAs by night."""
    program = compile_cxx([PROGRAMS / "library.cpp"], tmp_path / "library", "-std=c++20", "-DBRIEF")
    verdict = stress(Work(program, ["100"]), os.uname().machine, Plan(1, 2000.0, 1))
    assert verdict.passed, verdict
    assert verdict.migrations > 20


@pytest.mark.nightly
def test_the_library_for_longer(tmp_path: Path) -> None:
    """Containers, streams, formats, threads, coroutines, files: the same on both ISAs, and in migrations."""
    program = compile_cxx([PROGRAMS / "library.cpp"], tmp_path / "library", "-std=c++20")
    outputs = [
        subprocess.run(
            [*runner(isa.name), f"{program}.{isa.name}", "5"], check=True, capture_output=True, cwd=tmp_path
        )
        for isa in ALL
    ]
    assert len({done.stdout for done in outputs}) == 1
    for isa, rounds, rate in (("x86_64", "200", 2000.0), ("aarch64", "5", 50.0)):
        verdict = stress(Work(program, [rounds]), isa, Plan(3, rate, 8))
        assert verdict.passed, verdict
