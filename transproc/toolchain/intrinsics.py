# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Intrinsics of one ISA in portable C: `<immintrin.h>` and its like by SIMDe, and by `runtime/intrinsics` what SIMDe leaves out.

A program that includes them is compiled for both ISAs, and computes the same on both. Nothing here looks at the processor.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HEADERS = {
    "mmintrin.h": ("x86/mmx.h",),
    "xmmintrin.h": ("x86/sse.h",),
    "emmintrin.h": ("x86/sse2.h",),
    "pmmintrin.h": ("x86/sse3.h",),
    "tmmintrin.h": ("x86/ssse3.h",),
    "smmintrin.h": ("x86/sse4.1.h", "x86/sse4.2.h"),
    "nmmintrin.h": ("x86/sse4.2.h",),
    "wmmintrin.h": ("x86/sse2.h", "x86/aes.h", "x86/clmul.h"),
    "immintrin.h": ("x86/avx2.h", "x86/fma.h", "x86/f16c.h", "x86/aes.h", "x86/clmul.h"),
    "x86intrin.h": ("x86/avx2.h", "x86/fma.h", "x86/f16c.h", "x86/aes.h", "x86/clmul.h", "x86/xop.h"),
    "arm_neon.h": ("arm/neon.h",),
}
"""Header of a compiler, and what of SIMDe it stands for. AVX-512 is large: <immintrin.h> has it where -mavx512f asks for it."""

WIDE = {"immintrin.h", "x86intrin.h"}
NARROW = {"mmintrin.h", "arm_neon.h"}
"""Headers without what is in <transproc/x86.h>; the others have it."""

BEFORE = {
    "arm_neon.h": [
        "#if defined SIMDE_AES_H && !defined simde_x_aes_Nb",
        "#define simde_x_aes_Nb 4",
        "#endif",
    ],
}
"""x86/aes.h takes back a macro of simde-aes.h, which arm/neon/aes.h needs if it comes behind it (SIMDe 0.8.2)."""

HEAD = """/* For both ISAs: by SIMDe. */
#pragma GCC system_header
#pragma once
#ifndef SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_ENABLE_NATIVE_ALIASES 1
#endif
#ifndef SIMDE_FLOAT16_API
#define SIMDE_FLOAT16_API 1 /* the portable one: _Float16 is none of the neutral front end's types */
#endif
#ifndef SIMDE_NATURAL_VECTOR_SIZE
#define SIMDE_NATURAL_VECTOR_SIZE 128 /* of both ISAs */
#endif
#ifndef SIMDE_ACCURACY_PREFERENCE
#define SIMDE_ACCURACY_PREFERENCE 2 /* estimates at least as good as the processor's */
#endif
#include <transproc/convert.h>
"""


def install(simde: Path, own: Path, include: Path) -> None:
    """Adds SIMDe's headers (a package's `usr/include`), ours, and one of each name that programs include."""
    shutil.copytree(simde / "simde", include / "simde")
    shutil.copytree(own, include, dirs_exist_ok=True)
    for name, parts in HEADERS.items():
        lines = [*BEFORE.get(name, []), *(f"#include <simde/{part}>" for part in parts)]
        if name in WIDE:
            lines += ["#ifdef __AVX512F__", "#include <simde/x86/avx512.h>", "#endif"]
        if name not in NARROW:
            lines += ["#include <transproc/simde.h>", "#include <transproc/x86.h>"]
        (include / name).write_text(HEAD + "\n".join(lines) + "\n")
