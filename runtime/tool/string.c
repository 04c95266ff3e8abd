/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See string.h. */
#include "string.h"

void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	char *t = to;
	for (const char *f = from; count--;)
		*t++ = *f++;
	return to;
}

void *memmove(void *to, const void *from, size_t count)
{
	char *t = to;
	const char *f = from;
	if (t <= f)
		return memcpy(to, from, count);
	while (count--)
		t[count] = f[count];
	return to;
}

void *memset(void *to, int byte, size_t count)
{
	for (char *t = to; count--;)
		*t++ = (char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t count)
{
	const unsigned char *x = a, *y = b;
	for (; count--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *text)
{
	size_t size = 0;
	while (text[size])
		size++;
	return size;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}
