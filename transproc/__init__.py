# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""transproc: live migration of native Linux processes between x86_64 and aarch64."""

__version__ = "0.1.0"
