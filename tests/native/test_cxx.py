# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of C++ and OpenMP move between two nodes at moments that they choose: in destructors while an exception is on its way,
in handlers, before main, while threads wait in a barrier. What they do is what the same program does of another compiler.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from tests.native.performing import context_of, onto_itself
from tests.programs.moments import (
    CONSTRUCTS,
    EXCEPTIONS,
    FOREIGN,
    LOCALES,
    NOEXCEPT,
    THROWS,
    UNCAUGHT,
    Subject,
    compiled,
    moved,
    reference,
)
from transproc.binary.pair import PairStore
from transproc.cluster.node import SshNode
from transproc.transform import pipeline

pytestmark = [pytest.mark.native, pytest.mark.toolchain]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


class InTurn:
    """As the image is, and as for another ISA, by turns: so frames, records, and stacks of both are unwound."""

    def __init__(self) -> None:
        self._ways = itertools.cycle((onto_itself, pipeline.carry))

    def __call__(self, source: Path, target: Path, *, pairs: PairStore, to: str) -> pipeline.TransformReport:
        return next(self._ways)(source, target, pairs=pairs, to=to)


@pytest.mark.parametrize(
    "subject",
    [
        *(EXCEPTIONS, UNCAUGHT, NOEXCEPT, FOREIGN),
        *(pytest.param(one, marks=pytest.mark.nightly) for one in (THROWS, LOCALES, CONSTRUCTS)),
    ],
    ids=lambda subject: subject.name,
)
def test_moves_at_moments(subject: Subject, nodes: dict[str, SshNode], built: Path, tmp_path: Path) -> None:
    context = replace(context_of(tmp_path / "state", nodes), transform=InTurn())
    run = moved(subject, compiled(subject, built), context, ["na", "nb"])
    assert run == replace(reference(subject, built), moved=subject.moments)
