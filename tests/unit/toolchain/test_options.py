"""The command line: what goes where, what is ignored, what is refused."""

from pathlib import Path

import pytest

from transproc.errors import TransprocError, UnsupportedError
from transproc.toolchain.options import ASSEMBLY, OBJECT, PREPROCESS, PROGRAM, parse


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
        "-mtune=native",
    ],
)
def test_ignored(word: str) -> None:
    assert parse([word, "a.c"]).front == []


@pytest.mark.parametrize(
    "words",
    [
        "-shared",
        "-march=armv8-a",
        "-march=loongarch64",
        "-mfpu=neon",
        "-m32",
        "-msha",
        "-mno-sse2",
        "-fsanitize=address",
        "-nostdlib",
        "-Wl,-Tx.ld",
        "-x c++",
        "-Xarch x86_64 -mavx",
        "-Wa,-x",
    ],
)
def test_refused(words: str) -> None:
    with pytest.raises(UnsupportedError, match=words.split(maxsplit=1)[0]):
        parse([*words.split(), "a.c"])


def test_refused_inputs() -> None:
    for name, why in (("a.cc", "only C"), ("libx.so.1", "shared libraries")):
        with pytest.raises(UnsupportedError, match=why):
            parse([name])


def test_one_isa() -> None:
    assert parse(["-Xarch", "x86_64", "-march=haswell", "a.c"]).codegen == ["-march-x86_64=haswell"]


def test_one_isa_as_clang_spells_it() -> None:
    assert parse(["-Xarch_aarch64", "-march=cortex-a76", "a.c"]).codegen == ["-march-aarch64=cortex-a76"]
    with pytest.raises(UnsupportedError, match="-Xarch_riscv64: unknown ISA"):
        parse(["-Xarch_riscv64", "-march=x", "a.c"])


@pytest.mark.parametrize(
    ("option", "features"),
    [
        ("armv8.3-a", "+v8.3a"),
        ("armv8-a+crc+nofp16", "+v8a,+crc,-fullfp16"),
        ("armv9-a+sve2", "+v9a,+sve2"),
    ],
)
def test_architecture_of_aarch64(option: str, features: str) -> None:
    assert parse(["-Xarch_aarch64", f"-march={option}", "a.c"]).codegen == [f"-mattr-aarch64={features}"]


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
