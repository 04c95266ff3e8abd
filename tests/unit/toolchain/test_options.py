# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line: what goes where, what is ignored, what is refused."""

import re
from pathlib import Path

import pytest

from transproc.errors import TransprocError, UnsupportedError
from transproc.toolchain.compile import CODE
from transproc.toolchain.invocation import ASSEMBLY, OBJECT, PREPROCESS, PROGRAM
from transproc.toolchain.options import parse


def test_compile() -> None:
    found = parse(["-Wall", "-O2", "-g", "-Iinc", "-D", "X=1", "-std=c11", "-c", "a.c", "-o", "out/a.o"])
    assert (found.mode, found.output, found.level, found.debug) == (OBJECT, "out/a.o", "-O2", True)
    assert found.inputs == [("c", "a.c")]
    assert found.front == ["-Wall", "-O2", "-g", "-Iinc", "-D", "X=1", "-std=c11"]


def test_link_keeps_the_order_of_inputs() -> None:
    found = parse(["a.o", "b.c", "-Llib", "-l", "z", "libq.a", "-lm"])
    assert found.mode == PROGRAM
    assert found.inputs == [
        ("object", "a.o"),
        ("c", "b.c"),
        ("library", "z"),
        ("object", "libq.a"),
        ("library", "m"),
    ]
    assert found.library_paths == ["lib"]


@pytest.mark.parametrize(
    ("word", "mode"), [("-E", PREPROCESS), ("-S", ASSEMBLY), ("-M", PREPROCESS), ("-c", OBJECT)]
)
def test_modes(word: str, mode: str) -> None:
    assert parse([word, "a.c"]).mode == mode


@pytest.mark.parametrize(
    "word",
    [
        "-fPIC",
        "-fpie",
        "-pie",
        "-static",
        "-flto=auto",
        "-m64",
        "-pipe",
        "-Wl,--as-needed",
        "-Wl,-z,now",
        "-Wl,--verbose",
        "-mtune=native",
    ],
)
def test_ignored(word: str) -> None:
    assert parse([word, "a.c"]).front == []


@pytest.mark.parametrize(
    "words",
    [
        "-shared",
        "-march=loongarch64",
        "-mfpu=neon",
        "-m32",
        "-msha",
        "-mno-sse2",
        "-fsanitize=address",
        "-nostdlib",
        "-Wl,-Tx.ld",
        "-x fortran",
        "-fmodules",
        "-fcxx-modules",
        "-fmodules-ts",
        "-fmodule-file=x=x.pcm",
        "-fmodule-output",
        "-fprebuilt-module-path=.",
        "-fimplicit-modules",
        "--precompile",
        "-x c++-module",
        "-x c++-user-header",
        "-stdlib=libstdc++",
        "-stdlib=foo",
        "--stdlib=foo",
        "-fopenmp-targets=nvptx64",
        "-emit-llvm",
        "-Xarch x86_64 -mavx",
        "-Wa,-x",
    ],
)
def test_refused(words: str) -> None:
    with pytest.raises(UnsupportedError, match=re.escape(words.split(maxsplit=1)[0])):
        parse([*words.split(), "a.c"])


def test_refused_inputs() -> None:
    for name, why in (("a.m", "only C"), ("libx.so.1", "shared libraries")):
        with pytest.raises(UnsupportedError, match=why):
            parse([name])


@pytest.mark.parametrize(
    "words",
    [
        "a.cppm",
        "a.ixx",
        "a.cxxm",
        "x.pcm",
        "-x c++-module a.cc",
        "-xc++-module a.cc",
        "-fmodules a.c",
        "--precompile a.cc",
    ],
)
def test_modules_are_refused_in_one_way(words: str) -> None:
    with pytest.raises(UnsupportedError, match="not supported") as caught:
        parse(["-c", *words.split()])
    assert caught.value.hint == "C++ modules are not supported: include headers"


def test_the_library_of_cxx_may_be_named() -> None:
    for word in ("-stdlib=libc++", "--stdlib=libc++", "-fno-modules"):
        assert parse([word, "a.cc"]).front in ([], ["-fno-modules"])


def test_one_isa() -> None:
    assert parse(["-Xarch", "x86_64", "-march=haswell", "a.c"]).codegen == ["-march-x86_64=haswell"]


def test_one_isa_as_clang_spells_it() -> None:
    assert parse(["-Xarch_aarch64", "-march=cortex-a76", "a.c"]).codegen == ["-march-aarch64=cortex-a76"]
    with pytest.raises(UnsupportedError, match="-Xarch_riscv64: unknown ISA"):
        parse(["-Xarch_riscv64", "-march=x", "a.c"])


def test_extensions_of_x86_show_as_their_macros() -> None:
    assert parse(["-msse3", "a.c"]).front == [f"-D__{name}__=1" for name in ("SSE3", "SSE2", "SSE", "MMX")]
    assert "-D__AVX2__=1" in parse(["-mavx2", "a.c"]).front
    assert "-D__POPCNT__=1" in parse(["-msse4.2", "a.c"]).front


@pytest.mark.parametrize("word", ["-march=native", "-march=haswell", "-mcpu=native"])
def test_a_processor_means_the_baseline(word: str) -> None:
    found = parse([word, "a.c"])
    assert (found.front, found.codegen) == ([], [])
    assert found.notes == [f"{word}: the code is for every processor of the baseline, x86-64-v2 and armv8-a"]


def test_what_is_not_wanted_has_no_macro() -> None:
    found = parse(["-mavx2", "-mno-sse4.1", "a.c"])
    assert {"-U__SSE4_1__", "-U__AVX2__"} < set(found.front)
    assert "-U__SSE3__" not in found.front
    assert found.notes == [
        "-mno-sse4.1: the code is for every processor of the baseline, x86-64-v2 and armv8-a"
    ]


def test_baseline_is_silent() -> None:
    assert parse(["-march=x86-64-v2", "a.c"]).notes == []


@pytest.mark.parametrize(
    ("words", "codegen"),
    [
        ("-march=x86-64", ["-march-x86_64=x86-64", "-march-aarch64=armv8-a"]),
        ("-march=x86-64-v3 -march=x86-64-v2", ["-march-x86_64=x86-64-v2", "-march-aarch64=armv8-a"]),
        (
            "-march=armv8.2-a",
            ["-march-x86_64=x86-64-v3", "-march-aarch64=armv8.2-a", "-fuse-multiply-add"],
        ),
        ("-mtune=znver3", ["-mtune=znver3"]),
        ("-mtune=native", []),
    ],
)
def test_levels_for_both(words: str, codegen: list[str]) -> None:
    assert parse([*words.split(), "a.c"]).codegen == codegen


def test_arithmetic_is_as_the_user_says() -> None:
    words = ["-ffp-contract=fast", "-fno-strict-float-cast-overflow"]
    assert parse([*words, "a.c"]).front == words
    assert not set(words) & set(CODE)


def test_last_level_wins() -> None:
    assert parse(["-O3", "-O0", "a.c"]).level == "-O0"
    assert parse(["a.c"]).level == "-O0"


def test_dependencies() -> None:
    found = parse(["-MMD", "-MP", "-MF", "x.d", "-c", "a.c"])
    assert (found.depend, found.depend_named) == ("-MMD", {"-MF"})
    assert found.front == ["-MP", "-MF", "x.d"]


def test_response_file(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("-O2 'a b.c'\n-c")
    assert parse([f"@{words}"]).inputs == [("c", "a b.c")]


def test_missing_argument() -> None:
    with pytest.raises(TransprocError, match="-o: needs an argument"):
        parse(["a.c", "-o"])


@pytest.mark.parametrize(
    "words", ["-Wl,--wrap=f", "-Wl,--wrap,f", "-Xlinker --wrap -Xlinker f", "-Wl,-wrap,f"]
)
def test_an_option_of_the_linker_and_its_value(words: str) -> None:
    found = parse([*words.split(), "a.o"])
    assert (found.link, found.inputs) == (["--wrap=f"], [("object", "a.o")])


@pytest.mark.parametrize(
    "words", ["-u f", "-uf", "-Wl,-u,f", "-Wl,-uf", "-Wl,--undefined=f", "-Wl,--undefined,f"]
)
def test_symbols_that_are_wanted(words: str) -> None:
    assert parse([*words.split(), "a.o"]).undefined == ["f"]


def test_whole_archives() -> None:
    words = [
        "-Wl,--whole-archive,a.a",
        "b.a",
        "-Wl,--push-state",
        "-Wl,--no-whole-archive",
        "c.a",
        "-Wl,--pop-state",
    ]
    found = parse([*words, "-ld", "-Wl,-no-whole-archive", "-Wl,-le"])
    assert [word for number, (_, word) in enumerate(found.inputs) if number in found.whole] == [
        "a.a",
        "b.a",
        "d",
    ]
    assert [word for _, word in found.inputs] == ["a.a", "b.a", "c.a", "d", "e"]


def test_what_the_linker_is_told_about_shared_libraries_is_ignored() -> None:
    found = parse(
        ["-Wl,-rpath,/lib", "-Wl,-Map,x.map", "-Wl,--version-script=x.map", "-Wl,-z,defs", "-undef", "a.o"]
    )
    assert (found.inputs, found.link, found.front) == ([("object", "a.o")], [], ["-undef"])


def test_headers_are_read_only() -> None:
    assert parse(["-E", "a.h"]).inputs == [("header", "a.h")]
    assert parse(["-x", "c++-header", "a"]).inputs == [("header", "a")]
