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

static inline int fold_order(unsigned char a, unsigned char b)
{
	return lower_byte(a) - lower_byte(b);
}

// Leaves the function, if the vectors at a + i and b + i end or differ.
#define RETURN_IF_FOLDED(i) \
	do { \
		unsigned found_ = zeros(folded(a + (i), b + (i))); \
		if (found_) { \
			found_ = first(found_) + (i); \
			return fold_order(a[found_], b[found_]); \
		} \
	} while (0)

// Compares up to the end, or, if `bounded`, at most n bytes, at least one.
static inline int fold_compare(const unsigned char *a, const unsigned char *b, int bounded, size_t n)
{
	for (;;) {
		unsigned room = to_page_end(a, b);
		if (room >= BLOCK && (!bounded || n >= BLOCK)) {
			RETURN_IF_FOLDED(0);
			RETURN_IF_FOLDED(VECTOR);
			RETURN_IF_FOLDED(2 * VECTOR);
			RETURN_IF_FOLDED(3 * VECTOR);
			for (unsigned step = BLOCK - (uintptr_t)a % VECTOR;; step = BLOCK) {
				a += step;
				b += step;
				n -= step;
				room -= step;
				if (room < BLOCK || bounded && n < BLOCK)
					break;
				bytes v = smaller(same(a, b), same(a + VECTOR, b + VECTOR));
				bytes w = smaller(same(a + 2 * VECTOR, b + 2 * VECTOR), same(a + 3 * VECTOR, b + 3 * VECTOR));
				if (zeros(smaller(v, w)))
					break;
			}
		} else {
			unsigned part = bounded && n < VECTOR ? n : VECTOR, found;
			if (__builtin_expect(room < VECTOR, 0)) {
				for (found = 0; found < part; found++)
					if (!a[found] || fold_order(a[found], b[found]))
						return fold_order(a[found], b[found]);
			} else if ((found = zeros(folded(a, b)))) {
				found = first(found);
				return !bounded || found < part ? fold_order(a[found], b[found]) : 0;
			}
			a += part;
			b += part;
			n -= part;
		}
		if (bounded && !n)
			return 0;
	}
}

#endif
