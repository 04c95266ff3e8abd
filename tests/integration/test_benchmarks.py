# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The instrument of the benchmarks: instructions are counted right, on both ISAs, and belong to the right functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import foreign, runtime, suites
from tests.benchmarks.workloads import WITH_PASS

ROUNDS = 200_000
SOURCE = f"""
static volatile unsigned sink;
__attribute__((noinline)) void busy(void) {{ for (unsigned i = 0; i < {ROUNDS}; i++) sink = i; }}
int main(void) {{ busy(); return 0; }}
"""


@pytest.mark.toolchain
@pytest.mark.skipif(
    not runtime.counts_instructions(),
    reason="Debian 13's qemu-user is linked statically: it takes no plugins",
)
@pytest.mark.parametrize("isa", ["x86_64", "aarch64"])
def test_instructions_by_function(isa: str, tmp_path: Path) -> None:
    source = tmp_path / "busy.c"
    source.write_text(SOURCE)
    program = WITH_PASS.build(source, tmp_path, isa)
    counts = runtime.executed(program, [], tmp_path, isa)
    functions = runtime.by_function(counts, program)
    assert sum(functions.values()) == sum(counts.values())
    assert functions.most_common(1)[0][0] == "busy"
    assert 2 * ROUNDS <= functions["busy"] <= 8 * ROUNDS, "a store, a counter, a branch, and little else"


RECIPE = """
list(APPEND CPPFLAGS -DSPEED=3 -DVERSION="1.0")
if(LARGE_PROBLEM_SIZE)
  set(RUN_OPTIONS 900)
else()
  if(SMALL_PROBLEM_SIZE)
    set(RUN_OPTIONS 1)
  else()
    set(RUN_OPTIONS 70 < numbers)
  endif()
endif()
llvm_multisource(spin)
"""
SPIN = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    int n; volatile long sum = 0;
    if (argc != 2 || scanf("%d", &n) != 1) return 1;
    for (long i = 0; i < SPEED * n * atol(argv[1]); i++) sum += i;
    printf(VERSION " %ld\\n", sum);
}
"""


@pytest.mark.toolchain
def test_a_foreign_suite_is_read_built_and_compared(tmp_path: Path) -> None:
    place = tmp_path / "MultiSource/Benchmarks/Olden/spin"
    place.mkdir(parents=True)
    for name, text in (("CMakeLists.txt", RECIPE), ("spin.c", SPIN), ("numbers", "1000000\n")):
        (place / name).write_text(text)
    [program] = suites.programs(tmp_path, tmp_path)
    assert program.arguments == ("70",) and program.stdin == "numbers"
    found = foreign.measure(program, tmp_path, pairs=1, plain=False)
    assert isinstance(found, foreign.Foreign), found
    assert 0.1 < found.ratios["clang"][0] < 10 and sum(found.clang) > foreign.SHORTEST
    (place / "spin.c").write_text(SPIN.replace("sum);", "sum + (sizeof(long double) == 8));"))
    assert foreign.measure(program, tmp_path, pairs=1, plain=False) == "prints something else"
