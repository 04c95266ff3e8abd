# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a program that calls the intrinsics of x86 with many arguments, and prints a line about the results of each.

Compiled for the processor itself it tells what is right; compiled by transproc-cc it must print the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PARTS = ("sse", "sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "avx", "avx2", "fma", "f16c", "aes", "clmul")
FLAGS = ("avx2", "fma", "f16c", "pclmulqdq", "aes")
"""Of /proc/cpuinfo."""
OPTIONS = ("-mavx2", "-mfma", "-mf16c", "-mpclmul", "-maes", "-O1", "-w", "-ffp-contract=off")

VECTORS = {f"simde__m{bits}{kind}" for bits in (128, 256) for kind in ("", "i", "d")}
SCALARS = {
    "simde_float32": "float",
    "simde_float64": "double",
    "int": "int",
    "unsigned int": "unsigned",
    **{f"{sign}int{bits}_t": f"{sign}int{bits}_t" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
FREE = re.compile(r"_undefined|rcp|rsqrt|_x_|cast\w\w128_")
"""What may differ: estimates, and vectors whose upper half is undefined."""
DEFINITION = re.compile(
    r"^([a-z][\w ]*?)\s*\n(simde_mm(?:256)?_\w+) \(([^)]*)\)\s*?((?:\n|SIMDE_REQ)[^{]*)?\{", re.M
)
RANGE = re.compile(r"RANGE\((\w+), *(\d+), *(\d+)\)")


def calls(simde: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Name, type of the result and arguments of each intrinsic, by SIMDe's definitions; constants as they are."""
    seen = set()
    for part in PARTS:
        for result, name, arguments, required in DEFINITION.findall((simde / f"{part}.h").read_text()):
            if name in seen or FREE.search(name) or "*" in arguments or not _known(result):
                continue
            seen.add(name)
            yield from _instances(name.replace("simde", ""), result, arguments, RANGE.search(required))


def _known(kind: str) -> bool:
    return kind in VECTORS or kind in SCALARS


def _instances(
    name: str, result: str, arguments: str, limits: re.Match[str] | None
) -> Iterator[tuple[str, str, list[str]]]:
    kinds = []
    for argument in arguments.replace("const ", "").split(","):
        kind, _, word = argument.strip().rpartition(" ")
        constant = limits is not None and word == limits[1]
        immediate = word in ("imm8", "rounding", "index", "imm") or (word == "count" and "alignr" in name)
        if not constant and (immediate or not _known(kind)):
            return
        kinds.append("" if constant else kind)
    for value in _constants(name, limits) if "" in kinds and limits else [0]:
        yield name, result, [kind or str(value) for kind in kinds]


def _constants(name: str, limits: re.Match[str]) -> list[int]:
    if "round" in name:
        return [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]
    low, high = int(limits[2]), int(limits[3])
    if "cmp" in name:
        return list(range(low, high + 1))
    return sorted({low, low + 1, min(low + 2, high), (low + high) // 2, (low + 2 * high) // 3, high})


def program(simde: Path) -> str:
    """The text of the program."""
    bodies, rows = [], []
    for number, (name, result, arguments) in enumerate(calls(simde)):
        words, body = [], ""
        for place, kind in enumerate(arguments):
            if kind.isdigit():
                words.append(kind)
                continue
            words.append(f"a{place}")
            body += f"{_type(kind)} a{place}; memcpy(&a{place}, in + {place} * 32, sizeof a{place}); "
        body += f"{_type(result)} r = {name}({', '.join(words)}); memcpy(out, &r, sizeof r);"
        bodies.append(f"static void t{number}(const char *in, char *out) {{ {body} }}")
        shape = "f" if result in ("simde__m128", "simde__m256", "simde_float32") else "d"
        shape = shape if "int" not in result and not result.endswith("i") else "i"
        constants = " ".join(word for word in words if word.isdigit())
        rows.append(f"{{\"{name} {constants}\", t{number}, '{shape}'}},")
    return "\n".join([HEAD, *bodies, "static const struct test tests[] = {", *rows, "};", MAIN])


def _type(kind: str) -> str:
    return kind.replace("simde__", "__") if kind in VECTORS else SCALARS[kind]


HEAD = """#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
struct test { const char *name; void (*run)(const char *, char *); char shape; };"""

MAIN = r"""
static uint64_t state = 88172645463325252;
static uint64_t next(void) { state ^= state << 13; state ^= state >> 7; return state ^= state << 17; }
static const double special[] = {0, -0.0, 0.5, -0.5, 1.5, -1.5, 2.5, 3e9, -3e9, 1e19, -1e19, 2147483647.5, -2147483648.5,
	2147483648.0, 1e300, -1e300, INFINITY, -INFINITY, NAN, 1e-310, 4.0, 0.49999999999999994};
static void fill(char *in, int mode)
{
	for (int i = 0; i < 128; i++) {
		uint64_t v = next();
		double d = mode == 1 ? special[v % 22] : (int)(v % 4000 - 2000) / 8.0;
		float f[2] = {mode == 2 ? (float)special[v % 22] : (float)d, mode == 2 ? (float)special[v / 22 % 22] : -(float)d};
		if (mode == 1 || mode == 5)
			memcpy(&v, &d, 8);
		else if (mode == 2 || mode == 4)
			memcpy(&v, f, 8);
		else if (mode == 3)
			v &= 0x0f0f0f0f0f0f0f0f;
		memcpy(in + i * 8, &v, 8);
	}
}
/* All that are no numbers count as one: their signs and payloads differ between ISAs. */
static void unify(char *out, char shape)
{
	for (int i = 0; shape == 'f' && i < 8; i++) {
		uint32_t v;
		memcpy(&v, out + i * 4, 4);
		if ((v & 0x7fffffff) > 0x7f800000)
			memcpy(out + i * 4, "NaN", 4);
	}
	for (int i = 0; shape == 'd' && i < 4; i++) {
		uint64_t v;
		memcpy(&v, out + i * 8, 8);
		if ((v & INT64_MAX) > 0x7ff0000000000000)
			memcpy(out + i * 8, "a NaN!", 8);
	}
}
int main(void)
{
	for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
		printf("%s", tests[i].name);
		for (int mode = 0; mode < 6; mode++) {
			uint32_t sum = 1;
			for (int n = 0; n < 60; n++) {
				_Alignas(32) char in[32 * 32], out[32] = {0};
				fill(in, mode);
				tests[i].run(in, out);
				unify(out, tests[i].shape);
				for (int j = 0; j < 32; j++)
					sum = (sum ^ (unsigned char)out[j]) * 16777619;
			}
			printf(" %08x", sum);
		}
		printf("\n");
	}
	return 0;
}"""
