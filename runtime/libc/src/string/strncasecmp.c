/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include "fold_case.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(int, first_time, (const char *left, const char *right, size_t n), strncasecmp(left, right, n))

int strncasecmp(const char *left, const char *right, size_t n)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	if (!n)
		return 0;
	if (__builtin_expect(!crosses_widest(a) && !crosses_widest(b), 1)) {
		for (int i = 0; i < 2; i++) {
			unsigned found = zeros(folded(a, b));
			if (found)
				return first(found) < n ? fold_order(a[first(found)], b[first(found)]) : 0;
			if (n <= VECTOR)
				return 0;
			a += VECTOR;
			b += VECTOR;
			n -= VECTOR;
		}
	}
	WITH_ABILITY(wide, __transproc_wide_strncasecmp(a, b, n), first_time((const char *)a, (const char *)b, n));
	return fold_compare(a, b, 1, n);
}

int __strncasecmp_l(const char *left, const char *right, size_t n, locale_t locale)
{
	return strncasecmp(left, right, n);
}

weak_alias(__strncasecmp_l, strncasecmp_l);
