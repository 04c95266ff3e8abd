/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "compare.h"

WIDE int __transproc_wide_strcmp(const unsigned char *a, const unsigned char *b)
{
	return compare_strings(a, b);
}
