/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include "fold_case.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(int, first_time, (const char *left, const char *right), strcasecmp(left, right))

int strcasecmp(const char *left, const char *right)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	if (__builtin_expect(!crosses_widest(a) && !crosses_widest(b), 1)) {
		RETURN_IF_FOLDED(0);
		RETURN_IF_FOLDED(VECTOR);
		a += 2 * VECTOR;
		b += 2 * VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strcasecmp(a, b), first_time(left, right));
	return fold_compare(a, b, 0, 0);
}

int __strcasecmp_l(const char *left, const char *right, locale_t locale)
{
	return strcasecmp(left, right);
}

weak_alias(__strcasecmp_l, strcasecmp_l);
