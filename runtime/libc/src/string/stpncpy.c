/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

char *__stpncpy(char *restrict to, const char *restrict from, size_t n)
{
	size_t length = strnlen(from, n);
	memcpy(to, from, length);
	if (length < n)
		memset(to + length, 0, n - length);
	return to + length;
}

weak_alias(__stpncpy, stpncpy);
