# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a program or a kernel module needs beside itself, read from their ELF files; nothing foreign is executed."""

from __future__ import annotations

import lzma
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from transproc.errors import LabError


def libraries(tree: Path, programs: Iterable[Path], loader: Path) -> list[Path]:
    """Shared libraries (paths in `tree`, symbolic links not resolved) that `programs` load, and the dynamic loader.

    They are searched in the loader's own directory and Debian's multiarch one beside it. Raises LabError if one is missing.
    """
    places = [path.parent for path in sorted((tree / "usr/lib").glob("*/libc.so.6"))] + [loader.parent]
    found: dict[str, Path] = {}
    queue = list(programs)
    while queue:
        program = queue.pop()
        for name in _needed(program):
            if name in found:
                continue
            place = next((place / name for place in places if (place / name).exists()), None)
            if place is None:
                raise LabError(f"{program.relative_to(tree)}: library {name} is not in the guest's tree")
            found[name] = place
            queue.append(place)
    return sorted({*found.values(), loader})


def _needed(program: Path) -> list[str]:
    with program.open("rb") as file:
        dynamic: Any = ELFFile(file).get_section_by_name(".dynamic")
        return [] if dynamic is None else [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]


@dataclass(frozen=True)
class Module:
    """One loadable kernel module, decompressed: the guest need not do it again at each boot."""

    path: str
    """relative to /lib/modules/VERSION, without .xz"""
    data: bytes
    aliases: list[str] = field(default_factory=list)
    depends: list[str] = field(default_factory=list)


def _info(data: bytes) -> dict[str, list[str]]:
    """The `key=value` strings of section .modinfo (kernel: include/linux/moduleparam.h)."""
    section = ELFFile(BytesIO(data)).get_section_by_name(".modinfo")
    if section is None:
        raise LabError("a kernel module has no .modinfo section")
    info: dict[str, list[str]] = {}
    for item in section.data().decode().split("\0"):
        key, _, value = item.partition("=")
        info.setdefault(key, []).append(value)
    return info


def modules(directory: Path, wanted: Iterable[str]) -> dict[str, Module]:
    """The `wanted` modules of /lib/modules/VERSION and those they depend on, by name.

    Packages bring no modules.dep (depmod makes it at installation), so it is derived here. Built-in ones are left out.
    """
    files = {path.name.split(".")[0].replace("-", "_"): path for path in directory.rglob("*.ko*")}
    builtin = {
        Path(line).stem.replace("-", "_") for line in (directory / "modules.builtin").read_text().split()
    }
    result: dict[str, Module] = {}
    queue = list(wanted)
    while queue:
        name = queue.pop().replace("-", "_")
        if name in result or name in builtin:
            continue
        if name not in files:
            raise LabError(f"kernel module {name} is neither in {directory.name} nor built in")
        path = files[name]
        data = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        info = _info(data)
        depends = [other for line in info.get("depends", []) for other in line.split(",") if other]
        relative = str(path.relative_to(directory)).removesuffix(".xz")
        result[name] = Module(
            relative, data, info.get("alias", []), [other.replace("-", "_") for other in depends]
        )
        queue += depends
    return result


def module_index(found: dict[str, Module]) -> dict[str, str]:
    """`modules.dep` and `modules.alias` as modprobe reads them (modules.dep(5)), file name → contents."""

    def needs(name: str) -> list[str]:
        order: list[str] = []
        for other in found[name].depends:
            if other in found:
                order += [found[other].path, *needs(other)]
        return list(reversed(dict.fromkeys(reversed(order))))  # the last one is loaded first

    dep = "".join(
        f"{module.path}: {' '.join(needs(name))}".rstrip() + "\n" for name, module in sorted(found.items())
    )
    alias = "".join(f"alias {a} {name}\n" for name, module in sorted(found.items()) for a in module.aliases)
    return {"modules.dep": dep, "modules.alias": alias}
