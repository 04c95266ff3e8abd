# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Values of variables as short text."""

from __future__ import annotations

import struct

import pytest

from transproc.binary.types import (
    BOOLEAN,
    COMPLEX,
    FLOAT,
    SIGNED,
    SIGNED_CHAR,
    UNSIGNED,
    UNSIGNED_CHAR,
    Array,
    Enumeration,
    Member,
    Number,
    Record,
    Type,
)

INT, BYTE = Number("int", 4, SIGNED), Number("char", 1, SIGNED_CHAR)
POINTER = Type("int *", 8)


def array(element: Type, count: int) -> Array:
    return Array(f"{element.name}[{count}]", count * element.size, element, count)


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (INT, struct.pack("<i", -7), "-7"),
        (Number("unsigned", 4, UNSIGNED), b"\xff" * 4, "4294967295"),
        (Number("__int128", 16, SIGNED), b"\xfe" + b"\xff" * 15, "-2"),
        (Number("double", 8, FLOAT), struct.pack("<d", -0.0), "-0.0"),
        (Number("float", 4, FLOAT), struct.pack("<f", 1.5), "1.5"),
        (Number("_Float16", 2, FLOAT), struct.pack("<e", 1.5), "1.5"),
        (Number("long double", 16, FLOAT), b"\x01" + bytes(15), "0x1"),
        (Number("complex", 8, COMPLEX), struct.pack("<2f", 1, -2), "1.0 + -2.0i"),
        (Number("bool", 1, BOOLEAN), b"\1", "true"),
        (Number("bool", 1, BOOLEAN), b"\2", "2"),
        (BYTE, b"A", "65 'A'"),
        (Number("unsigned char", 1, UNSIGNED_CHAR), b"\xff", "255"),
        (POINTER, struct.pack("<Q", 4096), "0x1000"),
        (Type("blob", 40), bytes(40), "{…}"),
        (Enumeration("color", 4, {-1: "RED", 5: "GREEN"}), b"\xff" * 4, "RED (-1)"),
        (Enumeration("color", 4, {1 << 31: "HIGH"}), struct.pack("<I", 1 << 31), "HIGH (2147483648)"),
        (Enumeration("color", 4, {}), b"\xff" * 4, "-1"),
        (array(BYTE, 8), b'a"\n\\\0zzz', '"a\\x22\\x0a\\x5c"'),
        (array(BYTE, 3), b"abc", '"abc"'),
        (array(BYTE, 100), b"a" * 64, '"' + "a" * 64 + '"…'),
        (array(INT, 9), struct.pack("<8i", *range(8)), "{0, 1, 2, 3, 4, 5, 6, 7, …}"),
        (array(array(INT, 2), 2), struct.pack("<4i", *range(4)), "{{0, 1}, {2, 3}}"),
        (array(INT, 0), b"", "{}"),
        (array(array(array(array(INT, 1), 1), 1), 1), bytes(4), "{{{{…}}}}"),
    ],
)
def test_values(kind: Type, data: bytes, text: str) -> None:
    assert kind.text(data[: kind.wanted]) == text


def test_structures() -> None:
    members = [
        Member("a", INT, 0, 0),
        Member("low", Number("unsigned", 4, UNSIGNED), 32, 3),
        Member("high", INT, 35, 5),
        Member("", array(BYTE, 2), 40, 0),
        *(Member(f"m{i}", BYTE, 56, 0) for i in range(8)),
    ]
    kind = Record("s", 8, lambda: members)
    data = struct.pack("<iB2sx", -1, 5 | (-3 & 31) << 3, b"xy")
    assert kind.text(data) == '{a = -1, low = 5, high = -3, "xy", m0 = 0, m1 = 0, m2 = 0, m3 = 0, …}'
    assert array(kind, 2).wanted == 16


def test_the_length_of_an_array_is_told_later() -> None:
    kind = Array("int[][2]", 0, array(INT, 2), None, 7)
    assert (kind.of(3).name, kind.of(3).size) == ("int[3][2]", 24)
