/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "compare.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(int, first_time, (const char *left, const char *right, size_t n), strncmp(left, right, n))

int strncmp(const char *left, const char *right, size_t n)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	if (!n)
		return 0;
	if (__builtin_expect(!crosses(a) && !crosses(b), 1)) {
		unsigned found = zeros(ends(a, b));
		if (found)
			return first(found) < n ? a[first(found)] - b[first(found)] : 0;
		if (n <= VECTOR)
			return 0;
		a += VECTOR;
		b += VECTOR;
		n -= VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strncmp(a, b, n), first_time((const char *)a, (const char *)b, n));
	return compare_strings_within(a, b, n);
}
