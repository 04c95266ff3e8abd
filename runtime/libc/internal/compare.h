/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Comparison of strings and of memory.
#ifndef TRANSPROC_COMPARE_H
#define TRANSPROC_COMPARE_H

#include "bytes.h"

// Bytes of the result are 0 where the strings end or differ.
#define ends(a, b) smaller(load_loose(a), load_loose(a) == load_loose(b))
#define equal(a, b) ((bytes)(load_loose(a) == load_loose(b)))
#define unlike(a, b) (load_loose(a) ^ load_loose(b))
// 0 where both are. (Of `|` clang 19 makes comparisons of each, which are then negated.)
#define either(a, b) __builtin_elementwise_add_sat(a, b)
#define differing(equals) (mask(equals) ^ ALL_LANES)

#define ends_in_block(a, b) \
	smaller(smaller(ends(a, b), ends((a) + VECTOR, (b) + VECTOR)), smaller(ends((a) + 2 * VECTOR, (b) + 2 * VECTOR), ends((a) + 3 * VECTOR, (b) + 3 * VECTOR)))

static inline int by_bytes(const unsigned char *a, const unsigned char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a - *b;
}

// Returns from the function if they do so in the vectors at a + i and b + i.
#define RETURN_IF_ENDS(i) \
	do { \
		unsigned found_ = zeros(ends(a + (i), b + (i))); \
		if (found_) \
			return (a + (i))[first(found_)] - (b + (i))[first(found_)]; \
	} while (0)

// (Where the strings go on, one of them is read from multiples of a vector: loads across lines of the cache take twice as long.)
static inline int compare_strings(const unsigned char *a, const unsigned char *b)
{
	for (;;) {
		unsigned room = to_page_end(a, b);
		if (room >= BLOCK) { // most strings are short
			RETURN_IF_ENDS(0);
			RETURN_IF_ENDS(VECTOR);
			RETURN_IF_ENDS(2 * VECTOR);
			RETURN_IF_ENDS(3 * VECTOR);
			unsigned step = BLOCK - (uintptr_t)a % VECTOR;
			for (;;) {
				room -= step;
				a += step;
				b += step;
				step = BLOCK;
				if (room < BLOCK)
					break;
				if (zeros(ends_in_block(a, b))) {
					RETURN_IF_ENDS(0);
					RETURN_IF_ENDS(VECTOR);
					RETURN_IF_ENDS(2 * VECTOR);
					RETURN_IF_ENDS(3 * VECTOR);
				}
			}
		}
		for (; room >= VECTOR; room -= VECTOR, a += VECTOR, b += VECTOR)
			RETURN_IF_ENDS(0);
		if (!room)
			continue;
		if (!readable(a) || !readable(b))
			return by_bytes(a, b);
		RETURN_IF_ENDS(0);
		a += VECTOR;
		b += VECTOR;
	}
}

// A string that differs early may be shorter than n without an end: across pages nothing is read in advance.
static inline int compare_strings_within(const unsigned char *a, const unsigned char *b, size_t n)
{
	unsigned found;
	while (n) {
		size_t readable = to_page_end(a, b);
		size_t step = n < readable ? n : readable, i = 0;
		if (step >= BLOCK) {
			RETURN_IF_ENDS(0);
			i = VECTOR - (uintptr_t)a % VECTOR;
			for (; i + BLOCK <= step; i += BLOCK)
				if (zeros(ends_in_block(a + i, b + i)))
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

// One vector, or up to two.
static inline int compare_two(const unsigned char *a, const unsigned char *b, size_t n)
{
	unsigned found = differing(equal(a, b));
	if (!found) {
		a += n - VECTOR;
		b += n - VECTOR;
		if (!(found = differing(equal(a, b))))
			return 0;
	}
	return a[first(found)] - b[first(found)];
}

// More than two vectors. They are compared four at a time, from the second turn on where `a` is a multiple of a vector; of the last four
// some may be those that were compared before.
static inline int compare_memory(const unsigned char *a, const unsigned char *b, size_t n)
{
	ptrdiff_t distance = b - a;
	const unsigned char *last = a + n - BLOCK;
	unsigned found;
	if (n > BLOCK) {
		for (unsigned step = BLOCK - (uintptr_t)a % VECTOR; a < last; a += step, step = BLOCK) {
			b = a + distance;
			bytes v = either(unlike(a, b), unlike(a + VECTOR, b + VECTOR));
			bytes w = either(unlike(a + 2 * VECTOR, b + 2 * VECTOR), unlike(a + 3 * VECTOR, b + 3 * VECTOR));
			if (zeros(either(v, w)) != ALL_LANES)
				break;
		}
		a = a < last ? a : last;
		n = BLOCK;
	}
	b = a + distance;
	bytes v = unlike(a, b), w = unlike(a + VECTOR, b + VECTOR);
	const unsigned char *c = a + n - 2 * VECTOR, *d = c + distance;
	if (zeros(either(either(v, w), either(unlike(c, d), unlike(c + VECTOR, d + VECTOR)))) == ALL_LANES)
		return 0;
	if ((found = differing(v == 0)))
		return a[first(found)] - b[first(found)];
	if ((found = differing(w == 0)))
		return (a + VECTOR)[first(found)] - (b + VECTOR)[first(found)];
	if (!(found = differing(equal(c, d)))) {
		c += VECTOR;
		d += VECTOR;
		found = differing(equal(c, d));
	}
	return c[first(found)] - d[first(found)];
}

#endif
