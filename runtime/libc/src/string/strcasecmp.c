/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include "fold_case.h"

int strcasecmp(const char *left, const char *right)
{
	return fold_compare(left, right, 0, 0);
}

int __strcasecmp_l(const char *left, const char *right, locale_t locale)
{
	return strcasecmp(left, right);
}

weak_alias(__strcasecmp_l, strcasecmp_l);
