# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random programs of memory and descriptors move, while random things are killed; much more of it: `scripts/shake`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.native.shaken import Shaker, build, write_outside
from tests.native.shaking import Bounds, case_of

pytestmark = [pytest.mark.native, pytest.mark.toolchain]

FEW = Bounds(pages=512, moves=2)
SEEDS = [1, 2, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(100, 140))]
DEADLINE = 300.0
"""Seconds of a case; on an idle machine it takes five."""


@pytest.fixture(scope="module")
def shaker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shaker]:
    directory = tmp_path_factory.mktemp("shake")
    with Shaker(directory, build(directory), write_outside(directory)) as made:
        yield made


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost(shaker: Shaker, seed: int) -> None:
    try:
        shaker.carry_out(case_of(seed, FEW), DEADLINE)
    finally:
        print("\n".join(shaker.told))


def test_a_case_is_made_of_its_seed() -> None:
    assert case_of(7, Bounds()) == case_of(7, Bounds())
    assert case_of(7, Bounds(victims=[])).moves[0].strike is None
    assert case_of(7, Bounds(pages=9)).deeds == case_of(7, Bounds()).deeds
