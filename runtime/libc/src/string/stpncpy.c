/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(char *, first_time, (char *to, const char *from, size_t n), __stpncpy(to, from, n))

char *__stpncpy(char *target, const char *string, size_t n)
{
	unsigned char *to = (unsigned char *)target;
	const unsigned char *from = (const unsigned char *)string;
	if (!n)
		return target;
	if (__builtin_expect(crosses_widest(from) || moves_down(to, from), 0)) {
		size_t length = strnlen(string, n);
		memmove(to, from, length);
		memset(to + length, 0, n - length);
		return target + length;
	}
	if (n < VECTOR) {
		bytes v = load_loose(from);
		unsigned found = zeros(v);
		size_t length = found ? first(found) : VECTOR;
		v = beginning(v, length);
		copy_short(to, (const unsigned char *)&v, n);
		return target + (length < n ? length : n);
	}
	if (n > WIDEST)
		WITH_ABILITY(wide, __transproc_wide_stpncpy(to, from, n), first_time(target, string, n));
	return copy_within(to, from, n);
}

weak_alias(__stpncpy, stpncpy);
