/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"
#include "processor.h"
#include "wide.h"

ASK_FIRST(void *, first_time, (const void *memory, int byte, size_t n), memchr(memory, byte, n))

void *memchr(const void *memory, int byte, size_t n)
{
	const unsigned char *at = memory;
	if (!n)
		return 0;
	size_t left = n;
	if (__builtin_expect(!crosses(at), 1)) {
		unsigned found = zeros(load_loose(at) ^ all_of(byte));
		if (found)
			return first(found) < n ? (void *)(at + first(found)) : 0;
		if (n <= VECTOR)
			return 0;
		at += VECTOR;
		left -= VECTOR;
	}
	WITH_ABILITY(wide, __transproc_wide_memchr(at, byte, left), first_time(memory, byte, n));
	return (void *)find(at, byte, THE_BYTE, 1, left);
}
