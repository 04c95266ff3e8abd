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
#define ends(i) smaller(load_loose(a + (i)), load_loose(a + (i)) == load_loose(b + (i)))

// Returns from the function if they do so in the 16 bytes at a + i and b + i.
#define RETURN_IF_ENDS(i) \
	do { \
		unsigned found_ = zeros(ends(i)); \
		if (found_) \
			return (a + (i))[first(found_)] - (b + (i))[first(found_)]; \
	} while (0)

int strcmp(const char *left, const char *right)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	for (;;) {
		unsigned room = to_page_end(a, b);
		if (room >= BLOCK) { // most strings are short
			RETURN_IF_ENDS(0);
			RETURN_IF_ENDS(16);
			RETURN_IF_ENDS(32);
			RETURN_IF_ENDS(48);
			for (;;) {
				room -= BLOCK;
				a += BLOCK;
				b += BLOCK;
				if (room < BLOCK)
					break;
				bytes v = ends(0), w = ends(16), x = ends(32), y = ends(48);
				if (zeros(smaller(smaller(v, w), smaller(x, y)))) {
					RETURN_IF_ENDS(0);
					RETURN_IF_ENDS(16);
					RETURN_IF_ENDS(32);
					RETURN_IF_ENDS(48);
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
