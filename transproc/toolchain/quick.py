# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How `transproc-cc` starts: what it did for such a command line before, it does again, without reading its options anew.

Most of a short compilation would be Python's imports. So the driver leaves a *plan* for a command line (`plan.py`): the words of
the two programs that it ran, with tokens in place of the names of files. A command line that differs from an earlier one in
nothing but those names is run from the plan; this module imports next to nothing. Everything else, and whatever does not
succeed but for errors in the source, is the driver's.

    .plans/<this package>/epoch     the plans' directory, and path, time and size of all that they depend on
    .plans/<this package>/N/KEY     marshal: (template, words of the front end, words of transproc-codegen)
"""

from __future__ import annotations

import os
import sys
from binascii import crc32
from marshal import loads

SOURCE, OUTPUT, DEPENDENCIES, BITCODE = "\1s.c", "\1o.o", "\1o.d", "\1b"
HALVES = ("\1x", "\1a")
"""Tokens: no command line has such a character."""
NAMED = {"-o": OUTPUT, "-MF": "\1F", "-MT": "\1T", "-MQ": "\1Q"}
OVERRIDE = "TRANSPROC_TOOLCHAIN"
"""sysroot.OVERRIDE: a toolchain that is not made of the sources, for which plans are not."""
PACKAGE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 (pathlib takes as long as the rest)
_ERRORS = 1
"""Exit status of clang if the source has errors; it has others for its own."""


def main() -> None:
    """Entry point."""
    status = None if sys.argv[0].endswith("++") else _from_plan(sys.argv[1:])
    if status is None:
        from transproc.toolchain import driver  # noqa: PLC0415

        driver.main()
    else:
        sys.exit(status)


def place() -> str:
    """The directory of all plans of this package."""
    home = os.environ.get("TRANSPROC_HOME")
    if home is None:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
        home = f"{cache}/transproc"
    return f"{home}/toolchain/.plans/{crc32(PACKAGE.encode()):08x}"


def key(words: list[str]) -> str:
    """The file name of a plan."""
    return f"{crc32(chr(0).join(words).encode(errors='surrogateescape')):08x}"


def template(words: list[str]) -> tuple[list[str], dict[str, str]] | None:
    """A command line with tokens in place of the names of files, and those names; None if plans are not for it."""
    if "-E" not in words and "-c" not in words:
        return None
    result: list[str] = []
    names: dict[str, str] = {}
    before = ""
    for word in words:
        token = NAMED.get(before) or (SOURCE if word.endswith(".c") and word[0] != "-" else None)
        if token in names or word[:1] == "@" or "\1" in word:
            return None
        if token:
            names[token] = word
        result.append(token or word)
        before = "" if token else word
    if SOURCE not in names or before in NAMED:
        return None
    if OUTPUT not in names and "-E" not in words:
        names[OUTPUT] = names[SOURCE].rpartition("/")[2][:-2] + ".o"
        result += ["-o", OUTPUT]
    output = names.get(OUTPUT, "")
    if output.endswith(".o"):
        names[DEPENDENCIES] = output[:-2] + ".d"
    return result, names


def _from_plan(words: list[str]) -> int | None:
    """The exit status; None if the driver has to do it."""
    found = None if OVERRIDE in os.environ else template(words)
    plan = found and _plan(found[0])
    if not (found and plan):
        return None
    _, front, codegen = plan
    names = found[1]
    if DEPENDENCIES in front and DEPENDENCIES not in names:
        return None
    if codegen is None:
        sys.stdout.flush()
        os.execvp(front[0], [names.get(word, word) for word in front])
    return _compile(names, front, codegen)


def _plan(words: list[str]) -> tuple[list[str], list[str], list[str] | None] | None:
    """What was done for this template, if nothing that it depends on has changed since."""
    base = place()
    try:
        with open(f"{base}/epoch") as file:  # noqa: PTH123
            directory, *state = file.read().split("\n")
        for line in state:
            path, _, seen = line.partition("\0")
            now = os.stat(path)  # noqa: PTH116
            if seen != f"{now.st_mtime_ns} {now.st_size}":
                return None
        with open(f"{base}/{directory}/{key(words)}", "rb") as file:  # noqa: PTH123
            plan = loads(file.read())
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return plan if plan[0] == words else None


def _compile(names: dict[str, str], front: list[str], codegen: list[str]) -> int | None:
    """As `compile.compile_c`, between files in memory."""
    messages, bitcode, *halves = (
        os.memfd_create(name, 0) for name in ("messages", "bitcode", "x86_64", "aarch64")
    )
    for token, number in zip((BITCODE, *HALVES), (bitcode, *halves), strict=True):
        names[token] = f"/proc/self/fd/{number}"
    if not os.path.exists(names[BITCODE]):  # noqa: PTH110 (a system without /proc)
        return None
    status = _run(
        front, {**names, BITCODE: "-"}, messages, bitcode
    )  # clang removes a file if the source has errors
    if status == _ERRORS:
        _show(messages)
        return 1
    if status or _run(codegen, names, messages, 1):
        return None
    from transproc.errors import TransprocError  # noqa: PLC0415
    from transproc.toolchain.dual import combine  # noqa: PLC0415

    try:
        contents = combine(_contents(halves[0]), _contents(halves[1]), names[OUTPUT])
        with open(names[OUTPUT], "wb") as file:  # noqa: PTH123
            file.write(contents)
    except (OSError, TransprocError):
        return None
    _show(messages)
    return 0


def _run(words: list[str], names: dict[str, str], messages: int, output: int) -> int:
    """Runs a program to its end, its messages kept; `output` is its standard output. Returns its exit status."""
    argv = [names.get(word, word) for word in words]
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, messages, 2),
    ]
    try:
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    except OSError:
        return 127
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _contents(number: int) -> bytes:
    return os.pread(number, os.fstat(number).st_size, 0)


def _show(messages: int) -> None:
    text = _contents(messages)
    if text:
        from transproc.toolchain import remedies  # noqa: PLC0415

        sys.stderr.buffer.write(
            remedies.add(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")
        )
        sys.stderr.flush()
