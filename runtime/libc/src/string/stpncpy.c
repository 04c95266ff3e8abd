/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"

// The first n bytes of a vector, and zeros.
#define beginning(v, n) \
	((v) & (bytes)((bytes){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} < all_of(n)))

char *__stpncpy(char *target, const char *string, size_t n)
{
	unsigned char *to = (unsigned char *)target;
	const unsigned char *from = (const unsigned char *)string;
	if (!n)
		return target;
	if (__builtin_expect(crosses(from) || moves_down(to, from), 0)) {
		size_t length = strnlen(string, n);
		memmove(to, from, length);
		memset(to + length, 0, n - length);
		return target + length;
	}
	bytes v = load_loose(from);
	unsigned found = zeros(v);
	size_t length = found ? first(found) : VECTOR; // copied, if there is room
	v = beginning(v, length);
	if (n < VECTOR) {
		copy_short(to, (const unsigned char *)&v, n);
		return target + (length < n ? length : n);
	}
	store_loose(to, v);
	if (!found) {
		const unsigned char *at = align_down(from + VECTOR, VECTOR), *end = from + n;
		while (end - at >= VECTOR) {
			unsigned char *copy = to + (at - from);
			if ((uintptr_t)at % BLOCK == 0 && end - at >= BLOCK) {
				bytes a = load(at), b = load(at + 16), c = load(at + 32), d = load(at + 48);
				if (!zeros(smaller(smaller(a, b), smaller(c, d)))) {
					store_loose(copy, a);
					store_loose(copy + 16, b);
					store_loose(copy + 32, c);
					store_loose(copy + 48, d);
					at += BLOCK;
					continue;
				}
			}
			v = load(at);
			if ((found = zeros(v)))
				break;
			store_loose(copy, v);
			at += VECTOR;
		}
		if (!found && at < end)
			found = zeros(load(at));
		length = found ? at + first(found) - from : n;
		if (length > n)
			length = n;
		store_loose(to + length - VECTOR, load_loose(from + length - VECTOR));
		if (length < n)
			memset(to + length, 0, n - length);
	} else if (n > VECTOR) {
		memset(to + VECTOR, 0, n - VECTOR);
	}
	return target + length;
}

weak_alias(__stpncpy, stpncpy);
