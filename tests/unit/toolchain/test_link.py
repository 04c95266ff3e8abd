# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The check that both binaries of a pair have the same addresses."""

from pathlib import Path

import pytest

from tests.unit.toolchain.objects import AARCH64, DATA, OBJECT, TLS, X86_64, Section, Symbol, write
from transproc.errors import BinaryError, MismatchError
from transproc.toolchain import link
from transproc.toolchain.link import COMMON_START, check_addresses

SECTIONS = [Section(".text", b"ffff"), Section(".tdata", b"tttt", DATA)]


def binary(machine: int, *symbols: Symbol) -> bytes:
    return write(machine, SECTIONS, list(symbols), kind=2)


def test_equal_addresses_pass() -> None:
    common = [Symbol("f", value=COMMON_START), Symbol("t", section=2, value=8, kind=TLS)]
    own = Symbol("constant", value=0x400100, kind=OBJECT)
    check_addresses(binary(X86_64, *common, own), binary(AARCH64, *common), "prog")


def test_first_difference_is_reported() -> None:
    first = binary(X86_64, Symbol("f", value=COMMON_START), Symbol("g", value=COMMON_START + 32))
    second = binary(AARCH64, Symbol("f", value=COMMON_START), Symbol("g", value=COMMON_START + 48))
    with pytest.raises(MismatchError, match=r"prog: .* g is at 0x1000020 for x86_64, 0x1000030 in the other"):
        check_addresses(first, second, "prog")


def test_thread_local_offsets_count() -> None:
    first, second = (
        binary(m, Symbol("f", value=COMMON_START), Symbol("t", section=2, value=v, kind=TLS))
        for m, v in ((X86_64, 8), (AARCH64, 16))
    )
    with pytest.raises(MismatchError, match="t is at 0x8"):
        check_addresses(first, second, "prog")


def test_missing_symbol() -> None:
    first = binary(X86_64, Symbol("f", value=COMMON_START), Symbol("h", value=COMMON_START + 64))
    with pytest.raises(MismatchError, match="h is at 0x1000040 for x86_64, missing in the other"):
        check_addresses(first, binary(AARCH64, Symbol("f", value=COMMON_START)), "prog")


def test_stripped_binary() -> None:
    with pytest.raises(BinaryError, match="has no symbol table"):
        check_addresses(binary(X86_64), binary(AARCH64), "prog")


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """Configure scripts link to /dev/null, and root may remove it. (A link stands for it here, which is all that can be lost.)"""
    output = tmp_path / "null"
    output.symlink_to("/dev/null")
    binaries = [tmp_path / "a", tmp_path / "b"]
    for binary in binaries:
        binary.write_bytes(b"binary")
    link._install(binaries, output, strip=False)
    assert output.is_char_device()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "null"]
