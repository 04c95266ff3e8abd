# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The HTTP interface, below `/api/v1`."""
