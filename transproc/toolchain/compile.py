# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From one C file to a dual object: the front end once, with a neutral ABI, then `transproc-codegen` for both ISAs.

The neutral front end is clang for loongarch64: signed char, 32-bit wchar_t, LP64, a pointer as va_list, no byval
arguments. What it says about its target is removed: macros here, attributes in `transproc-codegen`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transproc.errors import CompileError
from transproc.run import run
from transproc.scratch import Scratch
from transproc.toolchain import dual

CLANG = "clang-19"
TRIPLE = "loongarch64-linux-musl"
_MACROS = [
    "__loongarch__",
    "__loongarch64",
    "__loongarch_grlen",
    "__loongarch_arch",
    "__loongarch_tune",
    "__loongarch_lp64",
    "__loongarch_hard_float",
    "__loongarch_double_float",
    "__loongarch_frlen",
    "__loongarch_single_float",
    "__loongarch_simd_width",
    "__loongarch_sx",
]

_BUILTINS = {
    "__builtin_cpu_supports(name)": '__builtin_annotation(__builtin_annotation(0,"__builtin_cpu_supports"),name)',
    "__builtin_cpu_is(name)": '__builtin_annotation(__builtin_annotation(0,"__builtin_cpu_is"),name)',
    "__builtin_cpu_init()": "((void)0)",
    "__builtin_setjmp(buffer)": "__extension__({ int __transproc_builtin_setjmp(void *) __attribute__((__returns_twice__));"
    " __transproc_builtin_setjmp(buffer); })",
    "__builtin_longjmp(buffer,one)": "__extension__({ void __transproc_builtin_longjmp(void *) __attribute__((__noreturn__));"
    " (void)(one); __transproc_builtin_longjmp(buffer); })",
    "target_clones(...)": 'annotate("target_clones",__VA_ARGS__)',
    "__target_clones__(...)": 'annotate("target_clones",__VA_ARGS__)',
}
"""Macros for what clang has for certain targets only. The processor can do nothing special; a function's only clone is the
default one; `transproc-codegen` knows the functions, and reads the annotations for names that no ISA has (Versions.cpp)."""


def unused(words: Sequence[str]) -> list[str]:
    """Options of clang of which it does not tell that an input has no use for them, as preprocessed ones have not."""
    return ["--start-no-unused-arguments", *words, "--end-no-unused-arguments"]


_NEUTRAL = [
    f"--target={TRIPLE}",
    *(f"-U{name}" for name in _MACROS),
    "-D__transproc__=1",
    *(f"-D{name}={value}" for name, value in _BUILTINS.items()),
    "-nostdlibinc",
    *("-fno-pic", "-fno-pie"),
    *("-Xclang", "-mlong-double-64"),
    *("-Xclang", "-fnew-alignment=16"),
]
FRONT_END = unused(_NEUTRAL)
"""Options of every run of the front end, preprocessing included.

`operator new` aligns as malloc does: clang takes its alignment to be that of `long double`.
"""

CODE = [
    "-fno-pic",
    "-fno-pie",
    "-fno-jump-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-stack-protector",
    "-Wno-error=ignored-attributes",
    "-fno-asynchronous-unwind-tables",
    "-fno-addrsig",
    "-fomit-frame-pointer",
    "-ftls-model=local-exec",
    "-Xclang",
    "-disable-llvm-passes",
]
"""Options that fix what the generated code may do, so that results do not depend on the ISA. They overrule the user's."""

OFFLOADING = ["-Xclang", "-fopenmp-targets=x86_64-linux-musl"]
"""With OpenMP: a device that nobody has. Without one clang leaves out its directives, and they would mean nothing without a word;
so they leave traces, which `transproc-codegen` refuses (Offload.cpp). Nothing else changes."""

BACK_END = ["--aarch64-enable-compress-jump-tables=0", "--cgpp-huge-func=1000"]
"""Jump tables of resume entries: LLVM 19 takes a function with statepoints for smaller than it is, and the offsets overflow.

CodeGenPrepare begins anew with a function whenever its blocks have changed, up to so many of them (LLVM's: 10,000); sites make
more. It was two thirds of the time for a parser of bison's.
"""


@dataclass(frozen=True)
class Codegen:
    """Options of `transproc-codegen`."""

    program: Path
    level: str = "-O2"
    leaf: bool = False
    plain: bool = False
    debug: bool = False
    stress: bool = False
    leaf_list: Path | None = None
    extra: tuple[str, ...] = field(default=())

    def words(self) -> list[str]:
        """The command line, without input and outputs."""
        flags = {"--leaf": self.leaf, "--plain": self.plain, "--debug": self.debug, "--stress": self.stress}
        chosen = [name for name, on in flags.items() if on]
        known = ["--leaf-list", str(self.leaf_list)] if self.leaf_list else []
        return [str(self.program), self.level, *BACK_END, *chosen, *known, *self.extra]


def front_end_words(source: str, bitcode: str, options: Sequence[str]) -> list[str]:
    """The command line of the front end that makes bitcode."""
    lines = [] if any(o.startswith("-g") and o != "-g0" for o in options) else ["-gline-tables-only"]
    devices = OFFLOADING if "-fopenmp=libomp" in options else []
    return [CLANG, *FRONT_END, *lines, *options, *CODE, *devices, "-emit-llvm", "-c", "-o", bitcode, source]


def front_end(source: Path | str, bitcode: Path, options: Sequence[str]) -> str:
    """Compiles a C file to unoptimised bitcode; returns the warnings. Raises `CompileError` with clang's diagnostics."""
    words = front_end_words(str(source), str(bitcode), options)
    return _run(words, sys.stdin.buffer.read() if str(source) == "-" else None)


def back_end_words(codegen: Codegen, bitcode: str, outputs: Sequence[str]) -> list[str]:
    """The command line that makes an object for each ISA."""
    named = [word for isa, path in zip(dual.MACHINES, outputs, strict=True) for word in (f"-o-{isa}", path)]
    return [*codegen.words(), bitcode, *named]


def back_end(bitcode: Path, codegen: Codegen, what: str, warnings: str = "") -> tuple[bytes, str]:
    """Makes a dual object of bitcode; returns it and all messages: behind the front end's warnings its own.

    Raises `CompileError` with those messages.
    """
    outputs = [bitcode.with_suffix(f".{isa}.o") for isa in dual.MACHINES]
    messages = _run(back_end_words(codegen, str(bitcode), [str(path) for path in outputs]), before=warnings)
    x86_64, aarch64 = (path.read_bytes() for path in outputs)
    return dual.combine(x86_64, aarch64, what), messages


def compile_c(source: Path | str, output: Path, options: Sequence[str], codegen: Codegen) -> str:
    """Compiles one C file to the dual object `output`; returns warnings."""
    with Scratch() as work:
        bitcode = work / f"{output.stem}.bc"
        warnings = front_end(source, bitcode, options)
        contents, messages = back_end(bitcode, codegen, str(output), warnings)
        output.write_bytes(contents)
    return messages


def compile_to_assembly(source: Path | str, output: Path, options: Sequence[str], codegen: Codegen) -> str:
    """Compiles one C file to assembly: `output` for x86_64, and beside it one for aarch64; returns warnings."""
    other = output.with_name(f"{output.stem}.aarch64{output.suffix}")
    with Scratch() as work:
        bitcode = work / "input.bc"
        warnings = front_end(source, bitcode, options)
        words = [*codegen.words(), "-S", str(bitcode), "-o-x86_64", str(output), "-o-aarch64", str(other)]
        return _run(words, before=warnings)


def assemble(sources: dict[str, Path], output: Path, options: Sequence[str] = ()) -> str:
    """Assembles one file for each ISA to the dual object `output`; returns warnings. Raises `CompileError`."""
    with Scratch() as work:
        halves, messages = [], ""
        for isa, source in sources.items():
            half = work / f"{isa}.o"
            messages += _run(
                [CLANG, f"--target={isa}-linux-musl", *options, "-c", "-o", str(half), str(source)]
            )
            halves.append(half.read_bytes())
        output.write_bytes(dual.combine(halves[0], halves[1], str(output)))
    return messages


def _run(words: list[str], stdin: bytes | None = None, before: str = "") -> str:
    """What it says, behind what was said `before`. Raises `CompileError` with that."""
    done = run(words, stdin=stdin, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode:
        raise CompileError(before + (said or f"{words[0]} failed with status {done.returncode}"))
    return before + said
