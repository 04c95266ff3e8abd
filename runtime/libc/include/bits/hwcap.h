/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Programs that choose code by the machine's features cannot migrate: AT_HWCAP is 0. */
