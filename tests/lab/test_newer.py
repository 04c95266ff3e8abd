# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What programs have open moves between the ISAs also with the kernel and the criu of Debian's testing release."""

from __future__ import annotations

import pytest

from tests.lab.test_migration import built, test_a_migrated_run_equals_an_unmigrated_one
from transproc.lab.rootfs import SUITES

__all__ = ["built", "test_a_migrated_run_equals_an_unmigrated_one"]

pytestmark = [pytest.mark.lab, pytest.mark.toolchain, pytest.mark.nightly]

SUITE = SUITES["testing"]
