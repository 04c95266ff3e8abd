/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "compare.h"

WIDE int __transproc_wide_strncmp(const unsigned char *a, const unsigned char *b, size_t n)
{
	return compare_strings_within(a, b, n);
}
