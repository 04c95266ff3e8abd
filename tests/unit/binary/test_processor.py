# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a program needs of a processor, and a node that lacks it."""

from __future__ import annotations

from typing import cast

import pytest

from transproc.binary import processor
from transproc.binary.elf import Elf
from transproc.errors import UnsupportedError


class _Binary:
    def __init__(self, contents: bytes | None) -> None:
        self.contents = contents

    def section(self, name: str) -> bytes | None:
        return self.contents if name == processor.SECTION else None


def _binary(contents: bytes | None) -> Elf:
    return cast("Elf", _Binary(contents))


def test_a_node_that_has_all() -> None:
    processor.check(_binary(b"avx2\nfma\nfma\n"), "x86", {"fma", "avx2", "sse2"})


def test_a_binary_or_a_node_that_does_not_say() -> None:
    processor.check(_binary(None), "x86", {"sse2"})
    processor.check(_binary(b"avx2\n"), "x86", set())


def test_a_node_that_lacks_something() -> None:
    with pytest.raises(UnsupportedError, match="node old: its processor lacks avx2, fma, which") as error:
        processor.check(_binary(b"fma\navx2\npni\n"), "old", {"pni"})
    assert "-march=x86-64" in str(error.value.hint)
