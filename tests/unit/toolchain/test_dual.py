# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dual objects: combining, equalising, splitting, refusing."""

import struct

import pytest

from tests.unit.toolchain.objects import AARCH64, DATA, X86_64, Section, Symbol, write
from transproc.errors import BinaryError, MismatchError, UnsupportedError
from transproc.toolchain import dual


def headers(data: bytes) -> dict[str, tuple[int, int, bytes]]:
    """Size, alignment and contents of each section, read independently of the code under test."""
    (start,) = struct.unpack_from("<Q", data, 40)
    count, names = struct.unpack_from("<HH", data, 60)
    rows = [struct.unpack_from("<IIQQQQIIQQ", data, start + 64 * i) for i in range(count)]
    base = rows[names][4]
    found = {}
    for row in rows:
        name = data[base + row[0] : data.index(b"\0", base + row[0])].decode()
        found[name] = (row[5], row[8], data[row[4] : row[4] + row[5]])
    return found


def pair(x86_64: list[Section], aarch64: list[Section]) -> bytes:
    return dual.combine(write(X86_64, x86_64), write(AARCH64, aarch64), "a.o")


def test_smaller_function_is_padded_with_zeros() -> None:
    data = pair([Section(".text.f", b"\x90" * 5, align=16)], [Section(".text.f", b"\x1f" * 8)])
    first, second = (headers(half)[".text.f"] for half in dual.split(data, "a.o"))
    assert first == (8, 16, b"\x90" * 5 + b"\0" * 3)
    assert second == (8, 16, b"\x1f" * 8)


def test_alignment_of_data_is_the_larger_one() -> None:
    data = pair([Section(".tp.data.x", b"1234", DATA, 4)], [Section(".tp.data.x", b"1234", DATA, 32)])
    assert [headers(half)[".tp.data.x"][:2] for half in dual.split(data, "a.o")] == [(4, 32)] * 2


def test_zero_data_is_resized_without_contents() -> None:
    sections = [Section(".tp.bss.x", b"", DATA, 8, kind=8)]
    raw = [bytearray(write(machine, sections)) for machine in (X86_64, AARCH64)]
    for data, size in zip(raw, (16, 64), strict=True):
        (start,) = struct.unpack_from("<Q", data, 40)
        struct.pack_into("<Q", data, start + 64 + 32, size)
    halves = dual.split(dual.combine(bytes(raw[0]), bytes(raw[1]), "a.o"), "a.o")
    assert [headers(half)[".tp.bss.x"][0] for half in halves] == [64, 64]


def test_what_belongs_to_one_isa_is_left_alone() -> None:
    constants = [Section(".rodata.cst8", b"12345678", 2), Section(".text.f", b"ffff")]
    data = pair([constants[1]], constants)
    first, second = dual.split(data, "a.o")
    assert ".rodata.cst8" not in headers(first)
    assert headers(second)[".rodata.cst8"][0] == 8


def test_first_difference_is_named() -> None:
    with pytest.raises(
        MismatchError, match=r"a\.o: sections differ: \.text\.f in x86_64, \.text\.g in aarch64"
    ):
        pair([Section(".text.f", b"ffff")], [Section(".text.g", b"gggg")])


def test_section_of_one_half_only_is_named() -> None:
    with pytest.raises(MismatchError, match=r"\.text\.g exists only in the object for aarch64"):
        pair([Section(".text.f", b"ffff")], [Section(".text.f", b"ffff"), Section(".text.g", b"gggg")])


def test_dual_object_still_has_its_symbols() -> None:
    half = write(X86_64, [Section(".text.f", b"ffff")], [Symbol("f")])
    data = dual.combine(half, write(AARCH64, [Section(".text.f", b"ffff")], [Symbol("f")]), "a.o")
    assert headers(data)[".symtab"] == headers(half)[".symtab"]
    assert dual.is_dual(data)
    assert not dual.is_dual(half)


def test_object_of_another_compiler_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"b\.o: is not a dual object") as caught:
        dual.split(write(X86_64, [Section(".text.f", b"ffff")]), "b.o")
    assert caught.value.hint is not None
    assert "compile its sources with transproc-cc" in caught.value.hint


def test_wrong_machine_and_malformed_objects() -> None:
    good = write(X86_64, [Section(".text.f", b"ffff")])
    with pytest.raises(
        BinaryError, match="expected a relocatable object of machine 183, found type 1, machine 62"
    ):
        dual.combine(good, good, "a.o")
    with pytest.raises(BinaryError, match="not a 64-bit little-endian ELF object"):
        dual.combine(b"!<arch>\n", good, "a.o")
    with pytest.raises(BinaryError, match="section headers lie outside"):
        dual.combine(good[:-64], good, "a.o")
