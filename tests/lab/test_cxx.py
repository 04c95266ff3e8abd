# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs of C++ and OpenMP move between the ISAs at moments that they choose, and do what another compiler's do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.native.performing import context_of
from tests.programs.moments import (
    BETWEEN_ISAS,
    CONSTRUCTS,
    CXX,
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
from transproc import log
from transproc.cluster.node import SshNode
from transproc.cluster.rehearsal import Plan, Rehearsal
from transproc.cluster.start import Program

pytestmark = [pytest.mark.lab, pytest.mark.toolchain]

ALL = (EXCEPTIONS, UNCAUGHT, NOEXCEPT, THROWS, FOREIGN, LOCALES, CONSTRUCTS)
HOPS = (300, 3000, 3000)
"""Sites of library.cpp between migrations."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.mark.parametrize(
    "subject",
    [BETWEEN_ISAS, *(pytest.param(one, marks=pytest.mark.nightly) for one in ALL)],
    ids=lambda subject: subject.name,
)
def test_moves_at_moments(subject: Subject, nodes: dict[str, SshNode], built: Path, tmp_path: Path) -> None:
    context = context_of(tmp_path / "state", nodes)
    run = moved(subject, compiled(subject, built), context, ["x86", "arm"])
    assert run == replace(reference(subject, built), moved=subject.moments)


@pytest.mark.nightly
def test_the_library(nodes: dict[str, SshNode], built: Path, tmp_path: Path) -> None:
    """Containers, streams, threads, coroutines, files: stopped at sites, wherever those are."""
    library = Subject("library", [], [CXX / "library.cpp"], options=["-std=c++20"])
    context = replace(context_of(tmp_path / "state", nodes), events=log)
    program = Program([str(compiled(library, built)), "5"])
    verdict = Rehearsal(context, program, ["x86", "arm"], plan=Plan(at=HOPS)).run()
    assert verdict.passed, verdict
    assert len(verdict.hops) == len(HOPS)
