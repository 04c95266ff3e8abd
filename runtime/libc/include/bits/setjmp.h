/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* as large as the largest ISA's; the contents are the ISA's own */
typedef unsigned long __jmp_buf[22];
