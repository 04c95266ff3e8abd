/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_byte.h"

WIDE void *__transproc_wide_memchr(const unsigned char *at, int byte, size_t left)
{
	return (void *)find(at, byte, THE_BYTE, 1, left);
}
