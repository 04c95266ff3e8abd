/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* long double is double: musl needs nothing from here. */
