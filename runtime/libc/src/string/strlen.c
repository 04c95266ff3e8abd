/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(size_t, first_time, (const char *string), strlen(string))

size_t strlen(const char *string)
{
	const unsigned char *at = (const unsigned char *)string;
	if (__builtin_expect(!crosses_widest(at), 1)) {
		unsigned found = zeros(load_loose(at));
		if (found)
			return first(found);
		if ((found = zeros(load_loose(at + VECTOR))))
			return VECTOR + first(found);
		at += 2 * VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_strlen(string, at), first_time(string));
	return find(at, 0, THE_END, 0, 0) - (const unsigned char *)string;
}
