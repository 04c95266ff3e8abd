# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a word for the linker means (`-Wl,…`, `-Xlinker`): the layout of a pair is fixed, so most of it means nothing."""

from __future__ import annotations

import re

from transproc.errors import UnsupportedError
from transproc.toolchain.invocation import Invocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

IGNORED = re.compile(
    r"-z|-O.*|--as-needed|--no-as-needed|--(start|end)-group|-\(|-\)|--gc-sections|--no-gc-sections|--hash-style=.*|--build-id.*|"
    r"-E|--?export-dynamic|-Bstatic|-Bdynamic|--sort-common|--(enable|disable)-new-dtags|--(no-)?allow-shlib-undefined|"
    r"-Bsymbolic.*|--color-diagnostics.*|--warn-.*|--no-undefined|-rpath=.*|--no-warnings|"
    r"--fatal-warnings|relro|now|noexecstack|defs|nodelete|lazy|max-page-size=.*|-s|--strip-all|--relax|--eh-frame-hdr|"
    r"--verbose|--trace|-t|--stats|--cref|--print-map|--no-(keep-memory|copy-dt-needed-entries|omagic)|--(no-)?export-dynamic"
)
VALUES = {
    *("wrap", "defsym", "undefined", "require-defined", "u", "z"),
    *("Map", "rpath", "rpath-link", "soname", "h", "dynamic-linker", "I", "hash-style", "exclude-libs"),
    *("version-script", "dynamic-list", "export-dynamic-symbol"),
}
"""Options of the linker that have a value, joined to them by `=`, by nothing, or the next word."""


def take(result: Invocation, item: str) -> None:
    """One word for the linker. Raises `UnsupportedError` for what is not known."""
    state = result.linker
    if state.option:
        option, state.option = state.option, ""
        value_of(result, option, item)
    elif item.lstrip("-") in VALUES and item.startswith("-"):
        state.option = item.lstrip("-")
    elif found := re.fullmatch(r"--?([\w-]+)=(.*)", item):
        if found[1] not in VALUES and not IGNORED.fullmatch(item):
            _unknown(item)
        value_of(result, found[1], found[2])
    elif re.fullmatch(r"-s|--strip-all|-S|--strip-debug", item):
        result.strip = True
    elif found := re.fullmatch(r"--?(no-)?whole-archive", item):
        state.whole[-1] = not found[1]
    elif item == "--push-state":
        state.whole.append(state.whole[-1])
    elif item == "--pop-state":
        state.whole = state.whole[:-1] or [False]
    elif item == "--allow-multiple-definition":
        result.link.append(item)
    elif not item.startswith("-"):
        result.add("object", item)
    elif item.startswith("-l"):
        result.add("library", item[2:])
    elif item.startswith("-L"):
        result.library_paths.append(item[2:])
    elif item.startswith(("-u", "-z")):
        value_of(result, item[1], item[2:])
    elif item.startswith("-") and not (
        IGNORED.fullmatch(item) or item.startswith(("-rpath", "-soname", "-Map", "-h"))
    ):
        _unknown(item)


def value_of(result: Invocation, option: str, value: str) -> None:
    """An option of the linker with its value."""
    if option in ("wrap", "defsym", "require-defined"):
        result.link.append(f"--{option}={value}")
    elif option == "z" and value == "muldefs":
        result.link.append("--allow-multiple-definition")
    if option in ("undefined", "require-defined", "u"):
        result.undefined.append(value)


def _unknown(item: str) -> NoReturn:
    raise UnsupportedError(f"-Wl,{item}: unknown linker option", hint="the layout of a pair is fixed")
