/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_byte.h"

WIDE size_t __transproc_wide_strnlen(const char *string, const unsigned char *at, size_t n)
{
	const unsigned char *end = find(at, 0, THE_END, 1, n - (at - (const unsigned char *)string));
	return end ? end - (const unsigned char *)string : n;
}
