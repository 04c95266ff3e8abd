/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "compare.h"

WIDE int __transproc_wide_memcmp(const unsigned char *a, const unsigned char *b, size_t n)
{
	return n <= 2 * VECTOR ? compare_two(a, b, n) : compare_memory(a, b, n);
}
