/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The numbers of <sys/syscall.h>: those that can be used on both ISAs. */
#pragma once
#include <bits/syscall.h>
