/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "fold_case.h"

WIDE int __transproc_wide_strncasecmp(const unsigned char *a, const unsigned char *b, size_t n)
{
	return fold_compare(a, b, 1, n);
}
