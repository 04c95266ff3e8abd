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
    ["-fPIC", "-fpie", "-pie", "-static", "-flto=auto", "-m64", "-pipe", "-Wl,--as-needed", "-Wl,-z,now"],
)
def test_ignored(word: str) -> None:
    assert parse([word, "a.c"]).front == []


@pytest.mark.parametrize(
    "words",
    [
        "-shared",
        "-march=native",
        "-mavx2",
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
    assert parse(["-Xarch_aarch64", "-march=armv8.2-a", "a.c"]).codegen == ["-march-aarch64=armv8.2-a"]
    with pytest.raises(UnsupportedError, match="-Xarch_riscv64: unknown ISA"):
        parse(["-Xarch_riscv64", "-march=x", "a.c"])


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
