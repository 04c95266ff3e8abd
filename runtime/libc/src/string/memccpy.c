/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

void *memccpy(void *restrict to, const void *restrict from, int byte, size_t n)
{
	const char *found = memchr(from, byte, n);
	if (!found) {
		memcpy(to, from, n);
		return 0;
	}
	n = found + 1 - (const char *)from;
	return (char *)memcpy(to, from, n) + n;
}
