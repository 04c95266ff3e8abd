# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weak functions: the name that LLVM's stack maps call them by may be bound to another object's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from transproc.binary import build
from transproc.binary.elf import Elf
from transproc.binary.sites import SITE_IN_RESUME, Index
from transproc.errors import StackMapError
from transproc.isa import ALL
from transproc.process.selfmove import Plan, Work, stress
from transproc.run import run
from transproc.toolchain import driver
from transproc.toolchain.options import parse
from transproc.toolchain.sysroot import toolchain

pytestmark = pytest.mark.toolchain

SOURCES = Path(__file__).parents[1] / "programs" / "weak"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its two files of one name are named alike to the compiler, too: each is compiled where it lies."""
    place = tmp_path_factory.mktemp("weak")
    objects = [place / f"{name}.o" for name in ("main", "first", "second")]
    for source, output in zip((".", "first", "second"), objects, strict=True):
        name = "main.c" if source == "." else "part.c"
        run(["transproc-cc", "-O2", "-c", name, "-o", output], cwd=SOURCES / source, timeout=300)
    run(["transproc-cc", *objects, "-o", place / "prog"], timeout=300)
    return place / "prog"


def test_each_function_has_its_own_sites(program: Path) -> None:
    for isa in ALL:
        index = Index(Elf(program.with_name(f"prog.{isa.name}")))
        counts: dict[str, int] = {}
        for site in index.sites[index.sites["flags"] & SITE_IN_RESUME == 0]:
            row = index.functions[site["function"]]
            assert row["address"] < site["pc"] <= row["address"] + row["size"], index.name(site["function"])
            name = index.name(site["function"])
            counts[name] = counts.get(name, 0) + 1
        functions = [index.name(number) for number in range(len(index.functions))]
        assert functions.count("chosen") == 2
        assert counts["chosen"] >= 4
        assert counts["replaced"] >= 2


@pytest.mark.parametrize(("isa", "rate", "rounds"), [("x86_64", 5000.0, 300000), ("aarch64", 200.0, 50000)])
def test_what_is_replaced_migrates_by_its_other_names(
    program: Path, isa: str, rate: float, rounds: int
) -> None:
    verdict = stress(Work(program, [str(rounds)]), isa, Plan(1, rate, 10))
    assert verdict.differences == []
    assert verdict.migrations > 5


def test_a_site_elsewhere_is_noticed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = build._bound
    monkeypatch.setattr(build, "_bound", lambda *a: replace(bound(*a), pc=bound(*a).pc + np.uint64(1 << 20)))
    words = [
        *(str(program.with_name(f"{name}.o")) for name in ("main", "first", "second")),
        "-o",
        str(program),
    ]
    with pytest.raises(StackMapError, match="outside of its function"):
        driver.execute(parse(words), toolchain())
