"""Archives: reading them, and choosing members for both halves at once."""

from pathlib import Path

import pytest

from tests.unit.toolchain.objects import AARCH64, X86_64, Section, Symbol, write
from transproc.errors import BinaryError, UnsupportedError
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
    assert library.with_suffix(".index").exists()
    assert archive.read(library) == before
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
