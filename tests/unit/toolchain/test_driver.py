# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transproc-cc as a command: what build systems do with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.toolchain import intrinsics
from transproc.toolchain import sysroot

COMMAND = [sys.executable, "-c", "from transproc.toolchain.driver import main; main()"]
toolchain = pytest.mark.toolchain
SILENT = Path(__file__).parent / "silent" / "macros.c"
INTRINSICS = Path(__file__).parent / "programs" / "x86_intrinsics.c"
BOTH_KINDS = r"""
#define main x86_main
#include "x86_intrinsics.c"
#undef main
#define main arm_main
#include "arm_intrinsics.c"
#undef main
int main(void)
{
	__m128i a = _mm_set_epi64x(0x0123456789abcdef, 0x1122334455667788), x86 = _mm_aesenc_si128(a, _mm_setzero_si128());
	uint8x16_t bytes, arm;
	memcpy(&bytes, &a, sizeof a);
	arm = vaesmcq_u8(vaeseq_u8(bytes, vdupq_n_u8(0)));
	return x86_main() || arm_main() || memcmp(&x86, &arm, sizeof arm);
}
"""


def cc(*words: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], cwd=cwd, input=stdin, capture_output=True, text=True, check=False
    )


def bare(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toolchain for what is called from here on: as it is made, before anybody has asked for C++ or OpenMP."""
    place.mkdir()
    for path in sysroot.toolchain().root.iterdir():
        if not path.name.startswith(("c++", "openmp")):
            (place / path.name).symlink_to(path)
    monkeypatch.setenv(sysroot.OVERRIDE, str(place))
    return place


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "main.c").write_text('#include "part.h"\nint main(void) { return part() - 40; }\n')
    (tmp_path / "part.h").write_text("int part(void);\n")
    (tmp_path / "part.c").write_text('#include "part.h"\nint part(void) { return 42; }\n')
    return tmp_path


def test_questions_of_configure(tmp_path: Path) -> None:
    assert cc("-dumpmachine", cwd=tmp_path).stdout == "x86_64-linux-musl\n"
    assert "transproc-cc" in cc("--version", cwd=tmp_path).stdout
    assert "Target: x86_64-linux-musl" in cc("-v", cwd=tmp_path).stderr


def test_nothing_to_do(tmp_path: Path) -> None:
    done = cc("-shared", "x.o", cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        1,
        "transproc-cc: error: -shared: not supported",
    )


def test_starts_without_heavy_imports() -> None:
    """Each compiled file pays for them."""
    code = (
        "import sys, transproc.toolchain.driver;"
        "print([m for m in ('numpy', 'rich', 'typer', 'elftools') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@toolchain
def test_several_sources(place: Path) -> None:
    assert cc("main.c", "part.c", "-o", "prog", cwd=place).returncode == 0
    assert subprocess.run([place / "prog"], check=False).returncode == 2
    assert {path.name for path in place.glob("prog*")} == {"prog", "prog.x86_64", "prog.aarch64"}


@toolchain
def test_make_with_archive_and_dependencies(place: Path) -> None:
    makefile = (
        "prog: main.o libpart.a\n\t$(CC) -o $@ main.o -L. -lpart\n"
        "libpart.a: part.o\n\tar rcs $@ $^\n\tranlib $@\n"
        "%.o: %.c\n\t$(CC) -MMD -MP -O2 -c $<\n-include main.d part.d\n"
    )
    (place / "Makefile").write_text(makefile)
    compiler = place / "cc"
    compiler.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from transproc.toolchain.driver import main; main()' \"$@\"\n"
    )
    compiler.chmod(0o755)
    subprocess.run(["make", f"CC={compiler}"], cwd=place, check=True, capture_output=True)
    assert subprocess.run([place / "prog"], check=False).returncode == 2
    assert (place / "main.d").read_text().startswith("main.o: main.c part.h")
    assert (
        b"is up to date"
        in subprocess.run(["make", f"CC={compiler}"], cwd=place, check=True, capture_output=True).stdout
    )
    assert (
        "part"
        in subprocess.run(["nm", "libpart.a"], cwd=place, check=True, capture_output=True, text=True).stdout
    )


@toolchain
def test_preprocessing(place: Path) -> None:
    assert "int part(void);" in cc("-E", "main.c", cwd=place).stdout
    assert cc("-MM", "main.c", cwd=place).stdout == "main.o: main.c part.h\n"
    macros = cc("-dM", "-E", "-xc", "-", cwd=place, stdin="").stdout
    assert "__transproc__" in macros
    assert "loongarch" not in macros
    assert "__x86_64__" not in macros


@toolchain
@pytest.mark.parametrize("words", [["-c"], ["-fsyntax-only"], ["-o", "prog"]])
def test_preprocessed_input_is_taken_without_a_word(place: Path, words: list[str]) -> None:
    (place / "made.i").write_text(cc("-E", "main.c", cwd=place).stdout)
    others = ["part.c"] if "-o" in words else []
    done = cc(*words, "made.i", *others, cwd=place)
    assert (done.returncode, done.stderr) == (0, "")


@toolchain
def test_dependencies_of_a_program(place: Path) -> None:
    """As clang names them: after the program, or after the source."""
    assert cc("-MD", "main.c", "part.o", "-o", "prog", cwd=place).returncode == 1  # part.o is not there
    assert cc("-c", "part.c", cwd=place).returncode == 0
    assert cc("-MD", "-MP", "main.c", "part.o", "-o", "prog", cwd=place).returncode == 0
    assert (place / "prog.d").read_text().startswith("prog: main.c ")
    assert cc("-MMD", "main.c", "part.o", cwd=place).returncode == 0
    assert (place / "main.d").read_text() == "main.o: main.c part.h\n"


@toolchain
def test_standard_input(place: Path) -> None:
    assert cc("-xc", "-", "-o", "prog", cwd=place, stdin="int main(void) { return 9; }").returncode == 0
    assert subprocess.run([place / "prog"], check=False).returncode == 9


@toolchain
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("int main(void) { return }", "error: expected expression"),
        ("int missing(void); int main(void) { return missing(); }", "undefined symbol: missing"),
        ('int main(void) { __asm__("nop"); return 0; }', "a.c:1:18: error: inline assembly cannot migrate"),
        ('int a;\n\n__asm__(".globl a");\n', "a.c:3: error: assembly at file level cannot migrate"),
        ("void *f(void) { return __builtin_return_address(0); }", "__builtin_return_address cannot migrate"),
        (
            'int g(void) __attribute__((target("nonsense")));\nint g(void) { return 1; }\n',
            "a.c:2: error: target attribute",
        ),
        ('#warning before\n__asm__(".globl a");\n', "a.c:1:2: warning: before"),
    ],
)
def test_errors(source: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(source)
    done = cc("a.c", "-o", "a", cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (tmp_path / "a").exists()


@toolchain
@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        (
            "__attribute__((cpu_dispatch(generic, haswell))) int f(void) {}\n",
            1,
            "error: invalid option 'generic' for cpu_dispatch",
        ),
        (
            "__attribute__((cpu_specific(haswell))) int f(void) { return 1; }\n",
            1,
            "error: invalid option 'haswell' for cpu_specific",
        ),
        (
            '__attribute__((target_version("default"))) int f(void) { return 1; }\n'
            '__attribute__((target_version("sve2"))) int f(void) { return 2; }\n',
            1,
            "error: redefinition of 'f'",
        ),
        (
            '__attribute__((target_version("avx2"))) int f(void) { return 1; }\n',
            0,
            "'target_version' attribute ignored",
        ),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_versions_of_functions(tmp_path: Path, source: str, status: int, message: str, again: bool) -> None:
    """Clang speaks of a target that nobody has named; the same is said from a plan."""
    (tmp_path / "a.c").write_text(source)
    if again:
        (tmp_path / "b.c").write_text("int b;\n")
        assert cc("-c", "b.c", "-o", "a.o", cwd=tmp_path).returncode == 0
    done = cc("-c", "a.c", "-o", "a.o", cwd=tmp_path)
    assert done.returncode == status
    assert message in done.stderr
    assert done.stderr.count("note: a function has one version, for every processor of both ISAs") == 1
    assert cc("-c", "-x", "c++", "a.c", cwd=tmp_path).stderr.count("note: a function has one version") == 1


@toolchain
def test_versions_of_functions_in_cxx(tmp_path: Path) -> None:
    """There `target` alone makes them."""
    (tmp_path / "a.cpp").write_text(
        '__attribute__((target("default"))) int f() { return 1; }\n'
        '__attribute__((target("avx2"))) int f() { return 2; }\n'
    )
    done = cc("-c", "a.cpp", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: function multiversioning is not supported on the current target" in done.stderr
    assert done.stderr.count("note: a function has one version") == 1


@toolchain
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            '__attribute__((target_clones("default", "avx2", "nonsense"))) int f(void) { return 1; }\n',
            "a.c:1: error: target_clones: no ISA has the feature 'nonsense'",
        ),
        (
            'int f(void) __attribute__((__target_clones__("default", "arch=other")));\nint f(void) { return 1; }\n',
            "a.c:2: error: target_clones: no ISA has the processor 'other'",
        ),
        (
            'int f(void) { return __builtin_cpu_supports("nosuch"); }\n',
            "a.c:1:22: error: __builtin_cpu_supports: no ISA has the feature 'nosuch'",
        ),
        (
            'int f(void) {\n  return __builtin_cpu_is("nosuch");\n}\n',
            "a.c:2:10: error: __builtin_cpu_is: no ISA has the processor 'nosuch'",
        ),
    ],
)
@pytest.mark.parametrize("language", ["c", "c++"])
def test_unknown_names_of_versions(tmp_path: Path, source: str, message: str, language: str) -> None:
    (tmp_path / "a.c").write_text(source)
    done = cc("-c", "-x", language, "a.c", "-o", "a.o", cwd=tmp_path)
    assert done.returncode == 1
    assert f"{message}\n" in done.stderr
    assert done.stderr.count("error: ") == done.stderr.count("note: ") == 1
    assert not (tmp_path / "a.o").exists()


@toolchain
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_known_names_of_versions(tmp_path: Path, level: str) -> None:
    """They mean nothing, and the answer is no."""
    (tmp_path / "a.c").write_text(
        '__attribute__((target_clones("default", "avx2", "arch=haswell", "sse4.1,avx", "sve2+bf16"))) static int f(int x)\n'
        "{ return x + 1; }\n"
        "int main(void) {\n"
        '  return __builtin_cpu_supports("x86-64-v3") || __builtin_cpu_supports("sve+i8mm") || __builtin_cpu_is("znver3")\n'
        '    || __builtin_cpu_is("intel") ? 2 : f(6); }\n'
    )
    done = cc("-Wall", level, "a.c", "-o", "a", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run([tmp_path / "a.x86_64"], check=False).returncode == 7


@toolchain
def test_versions_by_variables_of_cxx(tmp_path: Path) -> None:
    """What is asked where a variable begins is looked at, too."""
    source = tmp_path / "a.cpp"
    source.write_text('bool supported = __builtin_cpu_supports("avx2");\n')
    done = cc("-Wall", "-c", "a.cpp", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    source.write_text('bool supported = __builtin_cpu_supports("avx17");\n')
    done = cc("-c", "a.cpp", cwd=tmp_path)
    assert done.returncode == 1
    assert "a.cpp:1:18: error: __builtin_cpu_supports: no ISA has the feature 'avx17'\n" in done.stderr


@toolchain
def test_a_name_that_is_no_literal(tmp_path: Path) -> None:
    """As for clang's own builtin."""
    (tmp_path / "a.c").write_text("int f(const char *name) { return __builtin_cpu_supports(name); }\n")
    done = cc("-c", "a.c", cwd=tmp_path)
    assert done.returncode == 1
    assert "string constant" in done.stderr


@toolchain
def test_an_error_names_the_file_by_a_path_that_exists(tmp_path: Path) -> None:
    """Clang takes what a source's path has in common with the current directory for the source's directory."""
    source = tmp_path / "there" / "a.c"
    (tmp_path / "here").mkdir()
    source.parent.mkdir()
    source.write_text('void f(void)\n{\n  __asm__("nop");\n}\n')
    assert cc("-c", str(source), cwd=tmp_path / "here").stderr.startswith(f"{source}:3:3: error: ")
    source.write_text('int g(void) __attribute__((target("nonsense")));\nint g(void) { return 1; }\n')
    assert f"{source}:2: error: target attribute" in cc("-c", str(source), cwd=tmp_path / "here").stderr


@toolchain
def test_unknown_processor_of_one_isa(place: Path) -> None:
    for isa, name, message in (
        ("aarch64", "nonsense", "-march=nonsense: aarch64 has no such processor"),
        ("aarch64", "armv8.2-a+other", "-march=armv8.2-a+other: aarch64 has no such processor"),
        ("x86_64", "native", "-march=native: x86_64 has no such processor"),
    ):
        done = cc(f"-Xarch_{isa}", f"-march={name}", "-c", "part.c", cwd=place)
        assert (done.returncode, done.stderr) == (1, f"error: {message}\n")
    done = cc("-Xarch_aarch64", "-march=armv8.3-a", "-c", "part.c", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")


@toolchain
def test_tentative_definitions(tmp_path: Path) -> None:
    """-fcommon: one variable of the largest size; what is initialised somewhere is that one; in archives too."""
    (tmp_path / "main.c").write_text(
        "int shared, set; char many[4]; double other; int get(void); int main(void) {"
        " shared = 3; return get() != 3 || set != 7 || (char *)&other - many == 4 || (unsigned long)many % 16; }"
    )
    (tmp_path / "get.c").write_text(
        "#include <string.h>\nint shared; int set = 7; char many[4000] __attribute__((aligned(64))); double other;"
        " int get(void) { memset(many, 1, sizeof many); return other == 0 ? shared : 0; }"
    )
    assert cc("-fcommon", "-O1", "-c", "main.c", "get.c", cwd=tmp_path).returncode == 0
    subprocess.run(["ar", "rcs", "libget.a", "get.o"], cwd=tmp_path, check=True)
    for inputs in (["main.o", "get.o"], ["main.o", "libget.a"]):
        done = cc(*inputs, "-o", "prog", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert subprocess.run([tmp_path / "prog"], check=False).returncode == 0
        assert subprocess.run(["qemu-aarch64", tmp_path / "prog.aarch64"], check=False).returncode == 0
    done = cc("-c", "main.c", "get.c", cwd=tmp_path)
    assert "duplicate symbol: shared" in cc("main.o", "get.o", "-o", "prog", cwd=tmp_path).stderr


@toolchain
def test_headers_are_silent(tmp_path: Path) -> None:
    """What their macros become in a program must not warn: many builds have -Werror."""
    warnings = (
        "all extra pointer-arith sign-compare sign-conversion conversion cast-qual shadow undef strict-prototypes pedantic"
        " old-style-definition redundant-decls bad-function-cast switch-enum type-limits double-promotion comma"
    )
    options = [f"-W{name}" for name in warnings.split()]
    done = cc("-Werror", *options, "-fsyntax-only", str(SILENT), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@toolchain
def test_intrinsics_compute_what_the_processor_does(tmp_path: Path) -> None:
    flags = "avx2 fma f16c pclmulqdq aes bmi1 bmi2 abm adx"
    if not set(flags.split()) <= set(Path("/proc/cpuinfo").read_text().split()):
        pytest.skip("this processor lacks one of them")
    options = "-mavx2 -mfma -mf16c -mpclmul -maes -mbmi -mbmi2 -mlzcnt -mpopcnt -madx -O1 -w"
    subprocess.run(["clang-19", *options.split(), INTRINSICS, "-o", "native"], cwd=tmp_path, check=True)
    assert cc("-O1", str(INTRINSICS), "-o", "ours", cwd=tmp_path).returncode == 0
    native, ours, arm = (
        subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        for words in (["./native"], ["./ours"], ["qemu-aarch64", "ours.aarch64"])
    )
    assert ours == arm
    assert "processor 0 0 0 0" in ours
    assert [line for line in ours if "processor" not in line] == [
        line for line in native if "processor" not in line
    ]


@toolchain
@pytest.mark.parametrize(
    "headers",
    [
        ("immintrin", "arm_neon"),
        pytest.param(("arm_neon", "immintrin"), marks=pytest.mark.nightly),
    ],
)
def test_intrinsics_of_both_isas_in_one_file(tmp_path: Path, headers: tuple[str, str]) -> None:
    """As a library has it whose paths for the ISAs are not chosen by a macro; they compute what each does alone."""
    alone = []
    for name in ("x86_intrinsics.c", "arm_intrinsics.c"):
        assert cc("-O1", str(INTRINSICS.with_name(name)), "-o", "alone", cwd=tmp_path).returncode == 0
        alone.append(subprocess.check_output([tmp_path / "alone"], text=True))
    (tmp_path / "a.c").write_text("".join(f"#include <{name}.h>\n" for name in headers) + BOTH_KINDS)
    done = cc("-O1", f"-I{INTRINSICS.parent}", "a.c", "-o", "ours", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (["./ours"], ["qemu-aarch64", "ours.aarch64"]):
        assert subprocess.check_output(words, cwd=tmp_path, text=True) == "".join(alone)


@toolchain
def test_each_intrinsic_computes_what_the_processor_does(tmp_path: Path) -> None:
    if not set(intrinsics.FLAGS) <= set(Path("/proc/cpuinfo").read_text().split()):
        pytest.skip("this processor lacks one of the extensions")
    text = intrinsics.program(sysroot.toolchain().include / "simde" / "x86")
    assert len(re.findall("static void t", text)) > 1000
    (tmp_path / "a.c").write_text(text)
    subprocess.run(["clang-19", *intrinsics.OPTIONS, "a.c", "-o", "native"], cwd=tmp_path, check=True)
    done = cc("-O1", "-w", "a.c", "-o", "ours", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    native, ours, arm = (
        subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        for words in (["./native"], ["./ours"], ["qemu-aarch64", "ours.aarch64"])
    )
    assert ours == native
    assert arm == native


@toolchain
def test_foreign_object_is_refused(place: Path) -> None:
    subprocess.run(["clang-19", "-c", "part.c"], cwd=place, check=True)
    done = cc("main.c", "part.o", "-o", "prog", cwd=place)
    assert done.returncode == 1
    assert "part.o: is not a dual object" in done.stderr
    assert "note: compile its sources with transproc-cc" in done.stderr


@toolchain
def test_assembly_comes_in_pairs(place: Path) -> None:
    (place / "part.x86_64.S").write_text(
        '.section .text.part,"ax"\n.globl part\n.type part,@function\npart: mov $42,%eax\nret\n'
    )
    done = cc("main.c", "part.S", "-o", "prog", cwd=place)
    assert "write it for both, as part.x86_64.S and part.aarch64.S" in done.stderr
    (place / "part.aarch64.S").write_text(
        '.section .text.part,"ax"\n.globl part\n.type part,%function\npart: mov w0,#42\nret\n'
    )
    assert cc("main.c", "part.S", "-o", "prog", cwd=place).returncode == 0
    assert subprocess.run([place / "prog"], check=False).returncode == 2
    assert subprocess.run(["qemu-aarch64", place / "prog.aarch64"], check=False).returncode == 2


@toolchain
def test_assembly_for_neither_isa_is_nothing(place: Path) -> None:
    """As busybox and zstd have it: what is for an ISA is left out where its macro is not defined."""
    guarded = "/* fast */\n#if defined(__x86_64__)\n.globl part\npart: ret\n#endif\n"
    (place / "fast.S").write_text(f'{guarded}# of no use\n.section .note.GNU-stack,"",%progbits\n')
    done = cc("-c", "fast.S", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert cc("main.c", "part.c", "fast.o", "-o", "prog", cwd=place).stderr == ""
    (place / "slow.S").write_text(f"{guarded}#ifndef __aarch64__\n.globl slow\nslow: ret\n#endif\n")
    assert "slow.S:1: assembly is for one ISA only" in cc("-c", "slow.S", cwd=place).stderr


@toolchain
def test_combined_objects(place: Path) -> None:
    """-r: what it makes can be combined again, checked, and linked; both halves of it move."""
    (place / "again.c").write_text("static int once(void) { return 0; } int again(void) { return once(); }\n")
    for name in ("main", "part", "again"):
        assert cc("-O1", "-c", f"{name}.c", cwd=place).returncode == 0
    assert cc("-nostdlib", "-r", "-o", "two.o", "part.o", "again.o", cwd=place).stderr == ""
    assert cc("-r", "-o", "three.o", "two.o", "main.o", cwd=place).stderr == ""
    assert cc("three.o", "-o", "prog", cwd=place).stderr == ""
    assert subprocess.run([place / "prog"], check=False).returncode == 2
    objects = sum((place / f"{name}.o").stat().st_size for name in ("main", "part", "again"))
    assert (place / "three.o").stat().st_size < objects
    cc("-c", "main.c", "-o", "main.o", cwd=place)
    subprocess.run(["ar", "rcs", "all.a", "part.o"], cwd=place, check=True)
    subprocess.run(["ar", "rcs", "empty.o"], cwd=place, check=True)
    assert cc("-r", "-o", "x.o", "main.o", "empty.o", cwd=place).stderr == ""
    (place / "all.a").rename(place / "built-in.o")  # an archive is one by its contents
    assert cc("x.o", "empty.o", "built-in.o", "-o", "prog", cwd=place).stderr == ""
    (place / "built-in.o").rename(place / "all.a")
    assert "-r: all.a is an archive" in cc("-r", "-o", "x.o", "main.o", "all.a", cwd=place).stderr
