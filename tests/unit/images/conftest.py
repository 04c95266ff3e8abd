# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A real dump; tests/data/counter.c says how it was made."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from transproc.images.directory import ImageDirectory

# The time of one example says nothing on a busy machine.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

COUNTER = Path(__file__).parents[2] / "data" / "counter-x86_64"


@pytest.fixture
def counter() -> ImageDirectory:
    return ImageDirectory(COUNTER)
