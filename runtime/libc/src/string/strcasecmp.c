/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include <string.h>
#include "bytes.h"

static inline int order(unsigned char a, unsigned char b)
{
	return lower_byte(a) - lower_byte(b);
}

int strcasecmp(const char *left, const char *right)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	for (; readable(a) && readable(b); a += VECTOR, b += VECTOR) {
		bytes v = lower(load_loose(a));
		unsigned found = zeros(smaller(v, (bytes)(v == lower(load_loose(b)))));
		if (found)
			return order(a[first(found)], b[first(found)]);
	}
	while (*a && !order(*a, *b)) {
		a++;
		b++;
	}
	return order(*a, *b);
}

int __strcasecmp_l(const char *left, const char *right, locale_t locale)
{
	return strcasecmp(left, right);
}

weak_alias(__strcasecmp_l, strcasecmp_l);
