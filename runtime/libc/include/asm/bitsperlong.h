/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#pragma once
#define __BITS_PER_LONG 64
#include <asm-generic/bitsperlong.h>
