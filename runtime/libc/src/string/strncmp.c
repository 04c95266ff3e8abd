/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

#define ends(a, b) smaller(load_loose(a), load_loose(a) == load_loose(b))

// A string that differs early may be shorter than n without an end: across pages nothing is read in advance.
int strncmp(const char *left, const char *right, size_t n)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	unsigned found;
	while (n) {
		size_t readable = to_page_end(a, b);
		size_t step = n < readable ? n : readable, i = 0;
		for (; i + BLOCK <= step; i += BLOCK) {
			bytes v = smaller(ends(a + i, b + i), ends(a + i + 16, b + i + 16));
			bytes w = smaller(ends(a + i + 32, b + i + 32), ends(a + i + 48, b + i + 48));
			if (zeros(smaller(v, w)))
				break;
		}
		for (; i < step && i + VECTOR <= readable; i += VECTOR)
			if ((found = zeros(ends(a + i, b + i))))
				return i + first(found) < n ? a[i + first(found)] - b[i + first(found)] : 0;
		for (; i < step; i++)
			if (!a[i] || a[i] != b[i])
				return a[i] - b[i];
		n -= step;
		a += step;
		b += step;
	}
	return 0;
}
