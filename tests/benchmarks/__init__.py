# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What transproc costs, measured: run time, transformation, downtime and size. `scripts/bench` runs it."""
