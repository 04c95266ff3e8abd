/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

char *__stpcpy(char *restrict to, const char *restrict from)
{
	size_t n = strlen(from);
	return (char *)memcpy(to, from, n + 1) + n;
}

weak_alias(__stpcpy, stpcpy);
