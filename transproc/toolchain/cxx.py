# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C++ library: libc++ and libc++abi of LLVM's sources, and an unwinder of our own (`runtime/cxx`), compiled by the pass.

Made when they are needed for the first time, in the toolchain's directory:

    c++abi-DIGEST/include/                 headers
    c++abi-DIGEST/lib/libc++abi.a          libc++abi and the unwinder; libstdc++.a and its like are empty
    c++abi-DIGEST/leaf.txt                 functions that never reach an equivalence point, the C library's among them
    c++-DIGEST/libc++.a                    made when a program is linked with it for the first time
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from transproc import log
from transproc.errors import BinaryError
from transproc.paths import digest
from transproc.run import run
from transproc.toolchain import archive, debian
from transproc.toolchain.compile import Codegen, assemble, compile_c
from transproc.toolchain.dual import MACHINES
from transproc.toolchain.libc.headers import Change, change
from transproc.toolchain.making import RUNTIME, parallel, publish
from transproc.toolchain.sysroot import Toolchain

OWN = RUNTIME / "cxx"
ABI, STANDARD = "libc++abi.a", "libc++.a"
EMPTY = ("c++experimental", "stdc++", "supc++", "unwind", "gcc", "gcc_s", "gcc_eh", "stdc++fs")

CONFIGURATION = {
    "_LIBCPP_ABI_VERSION": "1",
    "_LIBCPP_ABI_NAMESPACE": "__1",
    "_LIBCPP_HAS_MUSL_LIBC": "",
    "_LIBCPP_HAS_THREAD_API_PTHREAD": "",
    "_LIBCPP_HAS_NO_VENDOR_AVAILABILITY_ANNOTATIONS": "",
    "_LIBCPP_HAS_NO_TIME_ZONE_DATABASE": "",
    "_LIBCPP_PSTL_BACKEND_STD_THREAD": "",
    "_LIBCPP_HARDENING_MODE_DEFAULT": "2",
}
"""What its build system asks and we answer: see libcxx/include/__config_site.in."""

SKIPPED = {
    "libcxx/src/new.cpp",  # libc++abi has them
    "libcxx/src/filesystem/int128_builtins.cpp",  # compiler-rt has them
    "libcxx/src/pstl/libdispatch.cpp",
    "libcxxabi/src/cxa_noexception.cpp",
}
ABI_DIRECTORIES = ("libcxxabi/src",)
STANDARD_DIRECTORIES = ("libcxx/src", "libcxx/src/filesystem", "libcxx/src/ryu")

LEAVES = {
    "libcxxabi/src/cxa_exception_storage.cpp",
    "libcxxabi/src/cxa_personality.cpp",
    "libcxxabi/src/private_typeinfo.cpp",
    "frames.c",
    "unwind.c",
}
"""What the unwinder calls while it reads the stack: no thread is stopped there."""

LEAF_ASSEMBLY = (
    *("_Unwind_RaiseException", "_Unwind_Resume", "_Unwind_Resume_or_Rethrow"),
    "__transproc_raise",
)

FLAGS = (
    "-O2",
    "-std=c++23",
    "-w",
    "-fvisibility-inlines-hidden",
    "-D_LIBCPP_BUILDING_LIBRARY",
    "-D_LIBCXXABI_BUILDING_LIBRARY",
    "-DLIBCXX_BUILDING_LIBCXXABI",
    "-D_LIBCPP_ENABLE_CXX17_REMOVED_UNEXPECTED_FUNCTIONS",
)

_HASH = "std::__do_string_hash{}(__c, __c + strlen(__c))"
_OF_C_STRINGS = (
    "_LIBCPP_HIDE_FROM_ABI _LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& operator=(const value_type* __s) {",
    "_LIBCPP_HIDE_FROM_ABI _LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& operator+=(const value_type* __s) {",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& append(const value_type* __s);",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& assign(const value_type* __s);",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& insert(size_type __pos, const value_type* __s);",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& "
    "replace(size_type __pos, size_type __n1, const value_type* __s);",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 int compare(const value_type* __s) const _NOEXCEPT;",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 int "
    "compare(size_type __pos1, size_type __n1, const value_type* __s) const;",
)
_OF_LENGTHS = (
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& append(const value_type* __s, size_type __n);",
    "_LIBCPP_CONSTEXPR_SINCE_CXX20 basic_string& assign(const value_type* __s, size_type __n);",
)
CHANGES: dict[str, tuple[Change, ...]] = {
    "ext/__hash": (
        (
            "struct _LIBCPP_TEMPLATE_VIS hash {};\n",
            """struct _LIBCPP_TEMPLATE_VIS hash {};

_LIBCPP_HIDE_FROM_ABI inline size_t __stl_hash_string(const char* __c) {
  size_t __h = 0;
  while (*__c)
    __h = 5 * __h + *__c++;
  return __h;
}
""",
        ),
        (_HASH.format(""), "__stl_hash_string(__c)"),
        (_HASH.format("<const char*>"), "__stl_hash_string(__c)"),
    ),
    "string": (
        *((f"  {one}", f"  inline __attribute__((__always_inline__)) {one}") for one in _OF_C_STRINGS),
        *((f"  {one}", f"  inline {one}") for one in _OF_LENGTHS),
    ),
}
"""What is other than in libc++. `hash_map` hashes C strings as SGI's, and libstdc++'s, does. Programs that still have one were
written for that: strings that are alike come into places that are near each other. Members of `string` that take a C
string are inlined, as libstdc++'s are, so that the length of a literal is known where it is compiled; what they call may be
before C++20, too."""


@dataclass(frozen=True)
class Library:
    """Where the parts of the C++ library are."""

    tools: Toolchain
    root: Path

    @property
    def leaf_list(self) -> Path:
        """As the toolchain's, with what is a leaf of C++."""
        return self.root / "leaf.txt"

    @property
    def front_end(self) -> list[str]:
        """Options by which the front end finds the headers."""
        return ["-nostdinc++", "-isystem", str(self.root / "include")]

    @property
    def directory(self) -> Path:
        """Where libc++abi.a is, and empty archives of other names."""
        return self.root / "lib"

    def archives(self) -> list[Path]:
        """What programs are linked with; libc++ itself is compiled (one minute) when missing."""
        return [self.standard(), self.directory / ABI]

    def standard(self) -> Path:
        """libc++.a."""
        place = self.root.with_name(f"c++-{digest([Path(__file__)])}{_suffix(self.tools)}")
        if not place.is_dir():
            publish(place, partial(_build_standard, self))
        return place / STANDARD


def library(tools: Toolchain) -> Library:
    """Headers and the ABI's part; made (some seconds) when missing. Raises `CommandError`, `CompileError`."""
    found = _named(tools)
    if not found.root.is_dir():
        publish(found.root, partial(_build_abi, tools))
    return found


def leaf_list(tools: Toolchain) -> Path:
    """C++'s, if C++ was ever compiled, else C's: nothing is made."""
    found = _named(tools)
    return found.leaf_list if found.root.is_dir() else tools.leaf_list


def _named(tools: Toolchain) -> Library:
    return Library(tools, tools.root / f"c++abi-{digest([OWN, Path(__file__)])}{_suffix(tools)}")


def _suffix(tools: Toolchain) -> str:
    return "-plain" if tools.plain else ""


def _build_abi(tools: Toolchain, root: Path) -> None:
    with log.step("compile the C++ run time (once)") as step:
        source = debian.llvm()
        _install_headers(source, root / "include")
        (root / "lib").mkdir()
        work = root / "objects"
        work.mkdir()
        assembly = work / "unwind.o"
        assemble({isa: OWN / f"{isa}.S" for isa in MACHINES}, assembly)
        found = Library(tools, root)
        files = {path.name: path for path in sorted(OWN.glob("*.c"))} | _sources(source, ABI_DIRECTORIES)
        leaves = {name for name in files if name in LEAVES}
        if missing := LEAVES - leaves:
            raise BinaryError(f"has no {min(missing)}", path=source)
        codegen = Codegen(tools.codegen, plain=tools.plain)
        outputs = _compile(found, source, {n: files[n] for n in leaves}, work, replace(codegen, leaf=True))
        names = {name for path in outputs for name in archive.functions(path.read_bytes(), str(path))}
        known = tools.leaf_list.read_text().split()
        found.leaf_list.write_text("\n".join(sorted({*known, *names, *LEAF_ASSEMBLY})) + "\n")
        outputs += _compile(
            found, source, {n: files[n] for n in files.keys() - leaves}, work, _with_leaves(codegen, found)
        )
        _archive(found.directory / ABI, [assembly, *outputs])
        shutil.rmtree(work)
        for name in EMPTY:
            (found.directory / f"lib{name}.a").write_bytes(archive.MAGIC)
        step.detail = f"{len(files)} files"


def _build_standard(library: Library, root: Path) -> None:
    with log.step("compile libc++ (once)") as step:
        source = debian.llvm()
        work = root / "objects"
        work.mkdir()
        files = _sources(source, STANDARD_DIRECTORIES)
        codegen = Codegen(library.tools.codegen, plain=library.tools.plain)
        outputs = _compile(library, source, files, work, _with_leaves(codegen, library))
        _archive(root / STANDARD, outputs)
        shutil.rmtree(work)
        step.detail = f"{len(files)} files"


def _with_leaves(codegen: Codegen, library: Library) -> Codegen:
    return codegen if codegen.plain else replace(codegen, leaf_list=library.leaf_list)


def _compile(
    library: Library, source: Path, files: Mapping[str, Path], work: Path, codegen: Codegen
) -> list[Path]:
    """Compiles files to objects in a directory, the largest first."""
    outputs = {name: work / (name.replace("/", "-").rpartition(".")[0] + "_.o") for name in files}
    places = [f"-I{source / place}" for place in ("libcxx/src", "libcxxabi/include", "libcxxabi/src")]
    cxx = [*FLAGS, *library.front_end, *places, "-isystem", str(library.tools.include)]
    c = ["-O2", "-isystem", str(library.tools.include)]
    parallel(
        partial(compile_c, files[name], outputs[name], cxx if name.endswith(".cpp") else c, codegen)
        for name in sorted(files, key=lambda name: -files[name].stat().st_size)
    )
    return sorted(outputs.values())


def _archive(path: Path, objects: list[Path]) -> None:
    run([archive.AR, "rcs", path, *objects])
    archive.write_index(path)


def _sources(source: Path, directories: Iterable[str]) -> dict[str, Path]:
    return {
        name: path
        for directory in directories
        for path in sorted((source / directory).glob("*.cpp"))
        if (name := f"{directory}/{path.name}") not in SKIPPED
    }


def _install_headers(source: Path, include: Path) -> None:
    shutil.copytree(
        source / "libcxx/include", include, ignore=shutil.ignore_patterns("*.in", "CMakeLists.txt")
    )
    for name, changes in CHANGES.items():
        for one in changes:
            change(include / name, one)
    for header in (source / "libcxxabi/include").glob("*.h"):
        shutil.copyfile(header, include / header.name)
    shutil.copyfile(
        source / "libcxx/vendor/llvm/default_assertion_handler.in", include / "__assertion_handler"
    )
    lines = [f"#define {name} {value}".rstrip() for name, value in CONFIGURATION.items()]
    (include / "__config_site").write_text("\n".join(["#pragma once", *lines]) + "\n")
