/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(size_t, first_time, (const char *string, size_t n), strnlen(string, n))

size_t strnlen(const char *string, size_t n)
{
	const unsigned char *at = (const unsigned char *)string, *end;
	size_t left = n;
	if (!n)
		return 0;
	if (__builtin_expect(!crosses_widest(at), 1)) {
		unsigned found = zeros(load_loose(at));
		if (found)
			return first(found) < n ? first(found) : n;
		if (n <= VECTOR)
			return n;
		if ((found = zeros(load_loose(at + VECTOR))))
			return VECTOR + first(found) < n ? VECTOR + first(found) : n;
		if (n <= 2 * VECTOR)
			return n;
		at += 2 * VECTOR;
		left -= 2 * VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strnlen(string, at, n), first_time(string, n));
	end = find(at, 0, THE_END, 1, left);
	return end ? end - (const unsigned char *)string : n;
}
