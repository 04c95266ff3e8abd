/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include "fold_case.h"

int strncasecmp(const char *left, const char *right, size_t n)
{
	return n ? fold_compare(left, right, 1, n) : 0;
}

int __strncasecmp_l(const char *left, const char *right, size_t n, locale_t locale)
{
	return strncasecmp(left, right, n);
}

weak_alias(__strncasecmp_l, strncasecmp_l);
