# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Links the two binaries of a pair: the same objects in the same order, with one layout, and checks that they agree."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from transproc.binary import processor
from transproc.errors import BinaryError, CompileError, MismatchError, TransprocError
from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain import archive, dual, inputs, symbols
from transproc.toolchain.sysroot import Toolchain

LD = "ld.lld-19"
INDEXER = "transproc.toolchain.index"
LAYOUT = Path(__file__).with_name("layout.ld")
COMMON_START = 0x1000000
"""Where the common part begins (layout.ld)."""

FOR_BACK_ENDS = {"memcpy", "memmove", "memset", "memcmp", "abort", "__stack_chk_fail"}
"""What back ends call on their own account, and compiler-rt, which Debian builds with a stack protector."""

UNWINDER = "_Unwind_RaiseException"
"""Whoever defines it reads call-frame information and tables of handlers."""

PERSONALITY = "__gcc_personality_v0"
"""Of frames of C with cleanups (-fexceptions): compiler-rt has it, and calls the unwinder."""

_NAME = re.compile(r"[A-Za-z_$.][\w$.]*")
START_FILES = ("crt1.o", "transproc.o", "memory.o")
_OPTIONS = [
    "-static",
    "-nostdlib",
    "--no-gc-sections",
    "--build-id=sha1",
    "--orphan-handling=place",
]
_PAGES = ["-z", "max-page-size=4096", "-z", "noseparate-code", "-z", "norelro"]


@dataclass(frozen=True)
class _Input:
    """A dual object that goes into the program."""

    name: str
    halves: tuple[bytes, bytes]
    path: Path | None = None
    """The file, if the object is one of its own: messages of the linker then name it."""


@dataclass(frozen=True)
class Wishes:
    """What a command line says of a link."""

    strip: bool = False
    options: Sequence[str] = ()
    """The linker's own: --wrap=, --defsym=, …"""
    undefined: Sequence[str] = ()
    """Symbols for which members of archives are taken."""
    whole: Collection[Path] = ()
    """Archives of which all members are."""
    not_leaves: Collection[str] = ()
    """Names of leaves of the C library that are functions of the program's own."""
    unwinder: Callable[[], Path] | None = None
    """The archive that has it, made when it is asked for: by programs that want it and have none. None: nobody offers it."""

    @property
    def meant(self) -> dict[str, str]:
        """Names for which the linker puts others."""
        wrapped = self._values("wrap")
        return {
            **{name: f"__wrap_{name}" for name in wrapped},
            **{f"__real_{name}": name for name in wrapped},
        }

    @property
    def wanted(self) -> set[str]:
        """Symbols that are wanted whatever the objects want."""
        return {*self.undefined, *(name for value in self._values("defsym") for name in _NAME.findall(value))}

    def _values(self, option: str) -> list[str]:
        start = f"--{option}="
        return [word.removeprefix(start) for word in self.options if word.startswith(start)]


def link(given: Sequence[Path], output: Path, tools: Toolchain, wishes: Wishes = Wishes()) -> list[str]:
    """Links objects and archives, in command-line order, to `output`, `output`.x86_64 and `output`.aarch64; returns what the user
    should know.

    Raises `CompileError` with the linker's messages, `UnsupportedError` for objects of other compilers, `MismatchError` if the
    binaries disagree.
    """
    archives = [path for path in given if archive.is_archive(path)] + [tools.lib / "libc.a"]
    objects = [tools.lib / name for name in START_FILES] + [path for path in given if path not in archives]
    files = [_read(path) for path in objects]
    members = {path: archive.read(path) for path in dict.fromkeys(archives)}
    whole = [member for path in archives if path in wishes.whole for member in members.pop(path, [])]
    parts = [archive.symbols(file.halves[0], str(path)) for path, file in zip(objects, files, strict=True)]
    offered = [member for path in members for member in members[path]]
    chosen = whole + _choose([*parts, *(member.symbols for member in whole)], offered, wishes)
    parts += [member.symbols for member in chosen]
    files += [_Input(f"{m.archive.name}({m.name})", dual.split(m.read(), m.name)) for m in chosen]
    places = [*objects, *(member.archive for member in chosen)]
    notes = _judge(files, parts, [not path.is_relative_to(tools.root) for path in places], tools, wishes)
    exceptions = any(UNWINDER in part.defined for part in parts)
    with Scratch() as work:
        if any(part.common for part in parts):
            files += _tentative(files, work)
        with ThreadPoolExecutor(1) as side:
            side.submit(import_module, INDEXER)  # it takes as long as the linkers do
            binaries = _link_both(files, work, tools, wishes.options, exceptions=exceptions)
        x86_64, aarch64 = (path.read_bytes() for path in binaries)
        check_addresses(x86_64, aarch64, str(output))
        _add_index(binaries)
        _install(binaries, output, wishes.strip)
    return notes


def _read(path: Path) -> _Input:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TransprocError(f"{path}: {error.strerror}") from error
    return _Input(str(path), dual.split(data, str(path)), path)


def _choose(
    parts: Sequence[archive.Symbols], offered: list[archive.Member], wishes: Wishes
) -> list[archive.Member]:
    """Members that objects need, and what an unwinder is of, if one is wanted and nobody has it."""
    wanted = FOR_BACK_ENDS | wishes.wanted | {name for part in parts for name in part.wanted}
    defined = {name for part in parts for name in part.defined}
    chosen = archive.select(wanted, defined, offered, wishes.meant)
    if wishes.unwinder is None:
        return chosen
    have = defined.union(*(member.symbols.defined for member in chosen))
    missing = {wishes.meant.get(n, n) for n in wanted.union(*(m.symbols.wanted for m in chosen))} - have
    if not any(name.startswith("_Unwind_") or name == PERSONALITY for name in missing):
        return chosen
    return archive.select(
        {*wanted, UNWINDER}, defined, [*offered, *archive.read(wishes.unwinder())], wishes.meant
    )


def _judge(
    files: Sequence[_Input],
    parts: Sequence[archive.Symbols],
    own: Sequence[bool],
    tools: Toolchain,
    wishes: Wishes,
) -> list[str]:
    """What is to be said of the program's own objects. Raises `MismatchError` if one is wrong."""
    leaves = frozenset(tools.leaf_list.read_text().split())
    notes = []
    for file, part, judged in zip(files, parts, own, strict=True):
        if judged:
            inputs.check_halves(file.name, file.halves, part, leaves | FOR_BACK_ENDS)
            notes += inputs.replaced_leaves(
                file.name, file.halves[0], part, leaves.difference(wishes.not_leaves)
            )
    return notes


def _tentative(files: Sequence[_Input], work: Path) -> list[_Input]:
    from transproc.toolchain import tentative  # noqa: PLC0415 (seldom needed)

    wanted = tentative.undefined((file.halves[0], file.name) for file in files)
    return [_read(tentative.define(wanted, work))] if wanted else []


def _layout(work: Path, exceptions: bool) -> list[str]:
    """The linker script. Tables that only the unwinder reads are dropped where it is not in the program."""
    text = LAYOUT.read_text()
    script = work / LAYOUT.name
    if not exceptions:
        lines = [line for line in text.splitlines() if not re.match(r"\t\.(eh_frame|gcc_except_table)", line)]
        text = "\n".join(lines).replace(
            "/DISCARD/ : {", "/DISCARD/ : { *(.eh_frame) *(.gcc_except_table .gcc_except_table.*)"
        )
    script.write_text(text)
    return ["-T", str(script), "--eh-frame-hdr" if exceptions else "--no-eh-frame-hdr"]


def _link_both(
    files: Sequence[_Input], work: Path, tools: Toolchain, options: Sequence[str], *, exceptions: bool
) -> list[Path]:
    jobs = []
    for number, isa in enumerate(dual.MACHINES):
        place = work / isa
        place.mkdir()
        words = [LD, *_OPTIONS, *_PAGES, *_layout(work, exceptions), *options, "-o", str(place / "program")]
        words += _place(files, number, place)
        words += [str(path) for path in tools.runtime(isa)]
        jobs.append(words)
    with ThreadPoolExecutor(len(jobs)) as pool:
        results = list(pool.map(lambda words: run(words, check=False), jobs))
    failed = [done.stderr.decode(errors="replace") for done in results if done.returncode]
    if failed:
        raise CompileError(failed[0].replace(f"{work}/", ""))
    return [work / isa / "program" for isa in dual.MACHINES]


def _place(files: Sequence[_Input], half: int, place: Path) -> list[str]:
    """Writes the halves where the linker can read them; returns its arguments."""
    arguments = []
    loose = [file for file in files if file.path is not None]
    for number, file in enumerate(loose):
        if half == 0:
            arguments.append(str(file.path))
            continue
        path = place / f"{number}" / Path(file.name).name
        path.parent.mkdir()
        path.write_bytes(file.halves[half])
        arguments.append(str(path))
    library = place / "members.a"
    library.write_bytes(archive.pack((file.name, file.halves[half]) for file in files if file.path is None))
    return [*arguments, "--whole-archive", str(library), "--no-whole-archive"]


def _addresses(data: bytes, what: str) -> Counter[tuple[str, int]]:
    """Functions, objects and thread-local variables of the common part, with their addresses (offsets, if thread-local)."""
    found = Counter(
        (s.name, s.value) for s in symbols.read(data, what, local=True) if s.section and _is_common(s)
    )
    if not found:
        raise BinaryError("has no symbol table", path=what)
    return found


def _is_common(symbol: symbols.Symbol) -> bool:
    in_common_part = symbol.type in (symbols.FUNCTION, symbols.OBJECT) and symbol.value >= COMMON_START
    return in_common_part or symbol.type == symbols.THREAD_LOCAL


def check_addresses(x86_64: bytes, aarch64: bytes, what: str) -> None:
    """Every function and datum of the common part must have one address; raises `MismatchError` with the first that has not."""
    first, second = _addresses(x86_64, what), _addresses(aarch64, what)
    if first == second:
        return
    differing = (first - second) | (second - first)
    name, value = min(differing, key=lambda item: (item[1], item[0]))
    others = [hex(v) for n, v in differing if n == name and v != value]
    where = "x86_64" if (name, value) in first else "aarch64"
    other = f"{others[0]} in the other binary" if others else "missing in the other binary"
    raise MismatchError(
        f"{what}: the binaries disagree: {name} is at {value:#x} for {where}, {other}",
        hint="this is a defect of transproc-cc; please report it with the source that shows it",
    )


def _add_index(binaries: Sequence[Path]) -> None:
    from transproc.toolchain.index import install  # noqa: PLC0415 (numpy: imported beside the linkers)

    install(binaries)


def _install(binaries: Sequence[Path], output: Path, strip: bool) -> None:
    if output.is_char_device():  # a configure script's -o /dev/null: root could replace it
        return
    host = os.uname().machine
    for isa, binary in zip(dual.MACHINES, binaries, strict=True):
        if strip:
            run(
                [
                    "llvm-strip-19",
                    "--keep-section=.transproc.sites",
                    f"--keep-section={processor.SECTION}",
                    binary,
                ]
            )
        target = output.with_name(f"{output.name}.{isa}")
        _move(binary, target)
        if isa == host:
            output.unlink(missing_ok=True)
            _hard_link(target, output)


def _move(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    shutil.move(source, target)


def _hard_link(target: Path, name: Path) -> None:
    try:
        name.hardlink_to(target)
    except OSError:  # a file system without hard links
        shutil.copy2(target, name)
