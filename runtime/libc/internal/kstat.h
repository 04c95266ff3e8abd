/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The numbers of fstat and newfstatat are hidden from musl, because their struct differs between kernels; it then uses statx. */
