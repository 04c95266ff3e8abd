# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where assembly at file level stands: the IR, in which it is found and refused, does not say so."""

from __future__ import annotations

import re
from collections.abc import Iterator

REFUSAL = "assembly at file level cannot migrate"

_TOKEN = re.compile(
    r'^\s*#\s*(?:line\s+)?(?P<line>\d+)\s+"(?P<file>(?:\\.|[^"\\])*)"[^\n]*|(?P<newline>\n)|"(?:\\.|[^"\\\n])*"|'
    r"'(?:\\.|[^'\\\n])*'|(?P<word>\w+)|(?P<sign>[^\s\w])",
    re.MULTILINE,
)
_ASSEMBLY = {"asm", "__asm", "__asm__"}


def file_level_assembly(preprocessed: str) -> Iterator[tuple[str, int]]:
    """File and line of each `asm(...)` outside functions in a preprocessed source; `int f(void) asm("g")` is none."""
    file, line, depth, before = "", 1, 0, ";"
    for token in _TOKEN.finditer(preprocessed):
        if token["line"]:
            file, line = token["file"], int(token["line"]) - 1  # the marker's own line end follows
        elif token["newline"]:
            line += 1
        else:
            text = token[0]
            if text in _ASSEMBLY and not depth and before in (";", "}"):
                yield file, line
            depth += (text in "{(") - (text in "})")
            before = text
