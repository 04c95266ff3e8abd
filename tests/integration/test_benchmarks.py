"""The instrument of the benchmarks: instructions are counted right, on both ISAs, and belong to the right functions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import runtime
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
