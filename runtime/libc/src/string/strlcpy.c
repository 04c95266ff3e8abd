/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _BSD_SOURCE
#include <string.h>

size_t strlcpy(char *to, const char *from, size_t n)
{
	size_t length = strlen(from), copied = length < n ? length : n - 1;
	if (n) {
		memcpy(to, from, copied);
		to[copied] = 0;
	}
	return length;
}
