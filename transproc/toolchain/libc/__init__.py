# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C library: musl, with what `runtime/libc` puts in the place of its files, and mimalloc, for all ISAs at once."""
