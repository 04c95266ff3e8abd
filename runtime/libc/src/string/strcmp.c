/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "compare.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(int, first_time, (const char *left, const char *right), strcmp(left, right))

int strcmp(const char *left, const char *right)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	if (__builtin_expect(!crosses(a) && !crosses(b), 1)) {
		RETURN_IF_ENDS(0);
		a += VECTOR;
		b += VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strcmp(a, b), first_time(left, right));
	return compare_strings(a, b);
}
