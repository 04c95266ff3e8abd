/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* No struct of registers: those belong to one ISA. <linux/ptrace.h> needs the file. */
#pragma once
