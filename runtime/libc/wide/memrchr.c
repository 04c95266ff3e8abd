/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_last.h"

WIDE void *__transproc_wide_memrchr(const unsigned char *start, int byte, size_t n)
{
	return find_last(start, byte, n);
}
