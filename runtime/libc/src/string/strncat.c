/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

char *strncat(char *restrict to, const char *restrict from, size_t n)
{
	size_t length = strnlen(from, n);
	char *end = to + strlen(to);
	memcpy(end, from, length);
	end[length] = 0;
	return to;
}
