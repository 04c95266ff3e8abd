/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

static int by_bytes(const unsigned char *a, const unsigned char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a - *b;
}

// Bytes of the result are 0 where the strings end or differ.
#define ends(a, b) smaller(load_loose(a), load_loose(a) == load_loose(b))

int strcmp(const char *left, const char *right)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	for (;;) {
		unsigned to_page_a = SMALLEST_PAGE - ((uintptr_t)a & SMALLEST_PAGE - 1);
		unsigned to_page_b = SMALLEST_PAGE - ((uintptr_t)b & SMALLEST_PAGE - 1);
		unsigned left_in_page = to_page_a < to_page_b ? to_page_a : to_page_b;
		unsigned found;
		for (; left_in_page >= VECTOR; left_in_page -= VECTOR, a += VECTOR, b += VECTOR) {
			if ((found = zeros(ends(a, b))))
				return a[first(found)] - b[first(found)];
			for (; left_in_page >= BLOCK + VECTOR; left_in_page -= BLOCK, a += BLOCK, b += BLOCK) {
				bytes v = smaller(ends(a + 16, b + 16), ends(a + 32, b + 32));
				bytes w = smaller(ends(a + 48, b + 48), ends(a + 64, b + 64));
				if (zeros(smaller(v, w)))
					break;
			}
		}
		if (!left_in_page)
			continue;
		if (!readable(a) || !readable(b))
			return by_bytes(a, b);
		if ((found = zeros(ends(a, b))))
			return a[first(found)] - b[first(found)];
		a += VECTOR;
		b += VECTOR;
	}
}
