/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Comparison without regard to case, for strcasecmp and strncasecmp.
#ifndef TRANSPROC_FOLD_CASE_H
#define TRANSPROC_FOLD_CASE_H

#include "bytes.h"

// Bytes of the result are 0 where the strings end or differ. Long ones are mostly written alike: cases are folded where they are not.
#define same(a, b) smaller(load_loose(a), load_loose(a) == load_loose(b))
#define folded(a, b) \
	({ \
		bytes folded_ = lower(load_loose(a)); \
		smaller(folded_, (bytes)(folded_ == lower(load_loose(b)))); \
	})

// How many bytes may be read from both before one comes to the end of its page.
static inline size_t to_page_end(const unsigned char *a, const unsigned char *b)
{
	size_t of_a = SMALLEST_PAGE - ((uintptr_t)a & SMALLEST_PAGE - 1), of_b = SMALLEST_PAGE - ((uintptr_t)b & SMALLEST_PAGE - 1);
	return of_a < of_b ? of_a : of_b;
}

static inline int fold_order(unsigned char a, unsigned char b)
{
	return lower_byte(a) - lower_byte(b);
}

// Compares up to the end, or, if `bounded`, at most n bytes, at least one.
static inline int fold_compare(const char *left, const char *right, int bounded, size_t n)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	for (;;) {
		for (int i = 0; i < BLOCK / VECTOR; i++, a += VECTOR, b += VECTOR, n -= VECTOR) {
			unsigned part = bounded && n < VECTOR ? n : VECTOR, found;
			if (__builtin_expect(crosses(a) || crosses(b), 0)) {
				for (found = 0; found < part; found++)
					if (!a[found] || fold_order(a[found], b[found]))
						return fold_order(a[found], b[found]);
			} else if ((found = zeros(folded(a, b)))) {
				found = first(found);
				return !bounded || found < part ? fold_order(a[found], b[found]) : 0;
			}
			if (bounded && n <= VECTOR)
				return 0;
		}
		for (size_t left = to_page_end(a, b); left >= BLOCK && (!bounded || n > BLOCK); left -= BLOCK) {
			bytes v = smaller(same(a, b), same(a + 16, b + 16));
			bytes w = smaller(same(a + 32, b + 32), same(a + 48, b + 48));
			if (zeros(smaller(v, w)))
				break;
			a += BLOCK;
			b += BLOCK;
			n -= BLOCK;
		}
	}
}

#endif
