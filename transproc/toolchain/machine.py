# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Options of the machine, -m…: what makefiles ask of a processor, and what it means where the code is for two ISAs.

The code is for every processor of the baseline. An extension that is asked for (-msse4.2, -mavx2) shows as its macro, and its
intrinsics are there, in portable C (`intrinsics`). A level of x86_64 (-march=x86-64-v3) means one of aarch64 as well; the name
of a processor (-march=native) means the baseline, and is noted. What is for another ISA or changes the ABI is refused, as
configure scripts expect it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from transproc.errors import UnsupportedError
from transproc.toolchain.dual import MACHINES

BASELINE = "x86-64-v2 and armv8-a"


@dataclass(frozen=True)
class Meaning:
    """What an option stands for."""

    front: tuple[str, ...] = ()
    """Options of the front end."""
    codegen: tuple[str, ...] = ()
    """Options of `transproc-codegen`."""
    note: str = ""
    """For the user: what the option does not do."""


_EXTENSIONS = {
    "mmx": ("MMX", ""),
    "sse": ("SSE", "mmx"),
    "sse2": ("SSE2", "sse"),
    "sse3": ("SSE3", "sse2"),
    "ssse3": ("SSSE3", "sse3"),
    "sse4.1": ("SSE4_1", "ssse3"),
    "sse4.2": ("SSE4_2", "sse4.1 popcnt crc32"),
    "sse4": ("SSE4_2", "sse4.1 popcnt crc32"),
    "popcnt": ("POPCNT", ""),
    "crc32": ("CRC32", ""),
    "aes": ("AES", "sse2"),
    "pclmul": ("PCLMUL", "sse2"),
    "avx": ("AVX", "sse4.2"),
    "avx2": ("AVX2", "avx"),
    "f16c": ("F16C", "avx"),
    "fma": ("FMA", "avx"),
    "bmi": ("BMI", ""),
    "bmi2": ("BMI2", ""),
    "lzcnt": ("LZCNT", ""),
    "abm": ("LZCNT", "popcnt"),
    "adx": ("ADX", ""),
    "avx512f": ("AVX512F", "avx2 fma f16c"),
    "avx512cd": ("AVX512CD", "avx512f"),
    "avx512bw": ("AVX512BW", "avx512f"),
    "avx512dq": ("AVX512DQ", "avx512f"),
    "avx512vl": ("AVX512VL", "avx512f"),
    "avx512vnni": ("AVX512VNNI", "avx512f"),
    "avx512vbmi": ("AVX512VBMI", "avx512bw"),
}
"""Extensions of x86 whose intrinsics we have: name of the macro, and what they include (GCC's manual, "x86 Options")."""

_OF_ABI = {"mmx", "sse", "sse2", "cx16", "sahf"}
_OF_BASELINE = {"sse3", "ssse3", "sse4", "sse4.1", "sse4.2", "popcnt", "crc32"}

_AS_IT_IS = re.compile(
    r"64|tune=(native|generic)|fpmath=sse|cmodel=small|long-double-64|cx16|sahf|fxsr|stackrealign|red-zone|no-red-zone|"
    r"(no-)?omit-leaf-frame-pointer|preferred-stack-boundary=4|branch-protection=none|no-outline-atomics|musl|"
    r"(no-)?accumulate-outgoing-args|(no-)?push-args|(no-)?vzeroupper|prefer-vector-width=.*"
)
"""So it is, or it is a matter of speed alone."""

_FUSED = ("-fuse-multiply-add",)

LEVELS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "x86-64": ({"x86_64": "x86-64", "aarch64": "armv8-a"}, ()),
    "x86-64-v2": ({"x86_64": "x86-64-v2", "aarch64": "armv8-a"}, ()),
    "x86-64-v3": ({"x86_64": "x86-64-v3", "aarch64": "armv8.2-a"}, _FUSED),
}
"""-march=… for all ISAs: what a level of x86_64 (its psABI, table 3.1) means for each, and whether all multiply and add in one
instruction."""
_SAME = {"generic": "x86-64-v2", "armv8-a": "x86-64-v2", "armv8.2-a": "x86-64-v3"}

_PROCESSORS = re.compile(
    r"native|x86-64-v4|nocona|core2|corei7(-avx)?|core-avx[2i]|core-avx-i|nehalem|westmere|sandybridge|ivybridge|haswell|broadwell|"
    r"skylake(-avx512)?|cannonlake|icelake-\w+|cascadelake|cooperlake|tigerlake|rocketlake|alderlake|raptorlake|sapphirerapids|"
    r"emeraldrapids|graniterapids|bonnell|atom|silvermont|slm|goldmont(-plus)?|tremont|knl|knm|k8(-sse3)?|opteron(-sse3)?|"
    r"athlon64(-sse3)?|athlon-fx|amdfam10|barcelona|btver[12]|bdver[1-4]|znver[1-5]"
)
"""Values of -march for x86_64 beyond the baseline, or older than it in a way that the baseline covers."""


def meaning(word: str) -> Meaning | None:
    """What an option means; None if it is no option of the machine. Raises `UnsupportedError` for what cannot be had."""
    if not re.match(r"-m[a-z0-9]", word):
        return None
    name = word.removeprefix("-m")
    if _AS_IT_IS.fullmatch(name):
        return Meaning()
    if name.startswith("tune="):
        return Meaning(codegen=(word,))
    if name in _EXTENSIONS:
        return Meaning(tuple(f"-D__{macro}__=1" for macro in _macros(name)))
    if name.startswith("no-"):
        return _without(word, name.removeprefix("no-"))
    if name.startswith(("arch=", "cpu=")):
        return _processor(word, name.partition("=")[2])
    raise UnsupportedError(f"{word}: not supported", hint="programs are for x86_64 and aarch64, with one ABI")


def without(earlier: list[str], later: tuple[str, ...]) -> list[str]:
    """Options of `transproc-codegen` but those of a level that a later level, if `later` is one, takes back."""
    if not any(word.startswith("-march-") for word in later):
        return earlier
    return [word for word in earlier if not word.startswith(("-march-", *_FUSED))]


def _macros(name: str) -> list[str]:
    macro, others = _EXTENSIONS[name]
    found = [macro]
    for other in others.split():
        found += [one for one in _macros(other) if one not in found]
    return found


def _with(macro: str) -> list[str]:
    """A macro, and those of the extensions that include its one."""
    return [macro, *sorted({other for name, (other, _) in _EXTENSIONS.items() if macro in _macros(name)[1:]})]


def _without(word: str, name: str) -> Meaning:
    if name in _OF_ABI:
        raise UnsupportedError(f"{word}: not supported", hint=f"the code is for the baseline, {BASELINE}")
    if name in _EXTENSIONS:
        note = (
            f"{word}: the code is for every processor of the baseline, {BASELINE}"
            if name in _OF_BASELINE
            else ""
        )
        return Meaning(tuple(f"-U__{macro}__" for macro in _with(_EXTENSIONS[name][0])), note=note)
    if re.fullmatch(
        r"avx\w*|fma4|xop|sse4a|rdrnd|rdseed|sha|movbe|3dnow|tbm|lwp|fsgsbase|prfchw|xsave\w*|pku|hle|rtm|sgx|amx-\w+",
        name,
    ):
        return Meaning()
    raise UnsupportedError(f"{word}: not supported", hint="programs are for x86_64 and aarch64, with one ABI")


def _processor(word: str, name: str) -> Meaning:
    if level := LEVELS.get(_SAME.get(name, name)):
        march, others = level
        return Meaning(codegen=(*(f"-march-{isa}={value}" for isa, value in march.items()), *others))
    if _PROCESSORS.fullmatch(name):
        return Meaning(note=f"{word}: the code is for every processor of the baseline, {BASELINE}")
    raise UnsupportedError(
        f"{word}: not supported", hint="for one ISA alone: -Xarch_x86_64 -march=… or -Xarch_aarch64 -march=…"
    )


def for_isa(isa: str, option: str) -> list[str]:
    """Options of `transproc-codegen` for -Xarch_x86_64 -march=haswell, or -Xarch_aarch64 -march=armv8.2-a+crc: for one ISA."""
    if isa not in MACHINES:
        raise UnsupportedError(f"-Xarch_{isa}: unknown ISA, expected {' or '.join(MACHINES)}")
    found = re.fullmatch(r"-march=(\S+)", option)
    if not found:
        raise UnsupportedError(f"-Xarch {isa} {option}: only -march=… can be given for one ISA")
    return [f"-march-{isa}={found[1]}"]
