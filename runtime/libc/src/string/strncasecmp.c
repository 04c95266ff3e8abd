/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <strings.h>
#include "bytes.h"

int strncasecmp(const char *left, const char *right, size_t n)
{
	const unsigned char *a = (const unsigned char *)left, *b = (const unsigned char *)right;
	while (n) {
		size_t step = n < VECTOR ? n : VECTOR, i = 0;
		if (crosses(a) || crosses(b)) {
			while (i < step && a[i] && lower_byte(a[i]) == lower_byte(b[i]))
				i++;
		} else {
			bytes v = lower(load_loose(a));
			unsigned found = zeros(smaller(v, (bytes)(v == lower(load_loose(b)))));
			i = found ? first(found) : VECTOR;
		}
		if (i < step)
			return lower_byte(a[i]) - lower_byte(b[i]);
		n -= step;
		a += step;
		b += step;
	}
	return 0;
}

int __strncasecmp_l(const char *left, const char *right, size_t n, locale_t locale)
{
	return strncasecmp(left, right, n);
}

weak_alias(__strncasecmp_l, strncasecmp_l);
