/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The values of bits/fcntl.h where the generic ones are others. */
#pragma once
#define O_DIRECTORY  040000
#define O_NOFOLLOW  0100000
#define O_DIRECT    0200000
#define O_LARGEFILE 0400000
#include <asm-generic/fcntl.h>
