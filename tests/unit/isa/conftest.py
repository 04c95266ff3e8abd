# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Settings of the tests in this directory."""

from __future__ import annotations

from hypothesis import settings

# The time of one example says nothing on a busy machine.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
