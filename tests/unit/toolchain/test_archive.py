# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Archives: reading them, and choosing members for both halves at once."""

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.toolchain.objects import AARCH64, X86_64, Section, Symbol, write
from transproc.errors import BinaryError, TransprocError, UnsupportedError
from transproc.toolchain import archive, dual


def member(name: str, wants: dict[int, str] | None = None, weak: str | None = None) -> bytes:
    """A dual object that defines `name` and wants, for each machine, a symbol."""

    def half(machine: int) -> bytes:
        symbols = [Symbol(name)]
        if wants and machine in wants:
            symbols.append(Symbol(wants[machine], section=0, kind=0))
        if weak:
            symbols.append(Symbol(weak, section=0, kind=0, binding=2))
        return write(machine, [Section(f".text.{name}", b"ffff")], symbols)

    return dual.combine(half(X86_64), half(AARCH64), name)


def chosen(path: Path, wanted: set[str], defined: frozenset[str] = frozenset()) -> list[str]:
    return [m.name for m in archive.select(wanted, defined, archive.read(path))]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    objects = {
        "c.o": member("c"),
        "a.o": member("a", {X86_64: "b"}),
        "b.o": member("b", {AARCH64: "a_rather_long_name"}),
        "a_file_name_longer_than_sixteen.o": member("a_rather_long_name", weak="c"),
    }
    path = tmp_path / "libx.a"
    path.write_bytes(archive.pack(objects.items()))
    return path


def test_members_needed_by_either_half_in_archive_order(library: Path) -> None:
    assert chosen(library, {"a"}) == ["a.o", "b.o", "a_file_name_longer_than_sixteen.o"]


def test_weak_references_pull_nothing(library: Path) -> None:
    assert chosen(library, {"a_rather_long_name"}) == ["a_file_name_longer_than_sixteen.o"]


def test_defined_symbols_are_not_searched(library: Path) -> None:
    assert chosen(library, {"a", "c"}, frozenset({"a"})) == ["c.o"]


def test_index_says_the_same(library: Path) -> None:
    before = archive.read(library)
    archive.write_index(library)
    assert library.with_name("libx.a.transproc").exists()
    own = [replace(member, symbols=replace(member.symbols, one_sided=frozenset())) for member in before]
    assert archive.read(library) == own  # of the toolchain's, whose halves nobody has changed
    assert dual.is_dual(before[0].read())


def test_foreign_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "liby.a"
    path.write_bytes(archive.pack([("native.o", write(X86_64, [Section(".text.f", b"ffff")]))]))
    with pytest.raises(UnsupportedError, match=r"liby\.a\(native\.o\): is not a dual object"):
        archive.read(path)


def test_damaged_archives(tmp_path: Path) -> None:
    path = tmp_path / "libz.a"
    path.write_bytes(b"nothing")
    with pytest.raises(BinaryError, match="is not an archive"):
        archive.read(path)
    path.write_bytes(archive.MAGIC + b"x" * 60)
    with pytest.raises(BinaryError, match="offset 0x8: archive member header is damaged"):
        archive.read(path)


EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4)


def damaged(data: bytes, edits: list[tuple[int, int]], cut: int | None) -> bytes:
    out = bytearray(data)
    for place, byte in edits:
        out[place % len(out)] = byte
    return bytes(out if cut is None else out[: cut % len(out)])


@given(EDITS, st.none() | st.integers(0, 1 << 16))
def test_damaged_objects_raise_only_our_errors(edits: list[tuple[int, int]], cut: int | None) -> None:
    with contextlib.suppress(TransprocError):
        archive.symbols(damaged(member("f", {X86_64: "g"}), edits, cut), "f.o")


@given(EDITS, st.none() | st.integers(0, 1 << 16))
def test_damaged_archives_raise_only_our_errors(edits: list[tuple[int, int]], cut: int | None) -> None:
    contents = archive.pack([("a-name-that-is-long.o", member("f")), ("g.o", member("g"))])
    data = damaged(contents[:400], edits, cut) + contents[400:]
    with contextlib.suppress(TransprocError):
        archive._members(data, Path("lib.a"))


def test_an_object_that_is_cut_is_named() -> None:
    whole = member("f")
    end = whole.index(b"\x7fELF", 4)  # the aarch64 half
    assert dual.split(whole, "f.o")[1].startswith(b"\x7fELF")
    with pytest.raises((BinaryError, UnsupportedError), match=r"f\.o"):
        dual.split(whole[: end + 10], "f.o")
