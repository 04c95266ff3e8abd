/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "bytes.h"

#define equal(a, b) ((bytes)(load_loose(a) == load_loose(b)))

static inline uint64_t big_endian(const unsigned char *at)
{
	uint64_t v;
	__builtin_memcpy(&v, at, sizeof v);
	return __builtin_bswap64(v);
}

static inline uint32_t big_endian_32(const unsigned char *at)
{
	uint32_t v;
	__builtin_memcpy(&v, at, sizeof v);
	return __builtin_bswap32(v);
}

// The difference of the bytes that differ first.
static inline int order(uint64_t a, uint64_t b)
{
	if (a == b)
		return 0;
	unsigned shift = __builtin_clzll(a ^ b) & -8;
	return (int)(a << shift >> 56) - (int)(b << shift >> 56);
}

// Below 16 bytes: two numbers that overlap.
static inline int short_order(const unsigned char *a, const unsigned char *b, size_t n)
{
	if (n >= 8) {
		uint64_t x = big_endian(a), y = big_endian(b);
		return x != y ? order(x, y) : order(big_endian(a + n - 8), big_endian(b + n - 8));
	}
	if (n >= 4) {
		uint64_t x = (uint64_t)big_endian_32(a) << 32 | big_endian_32(a + n - 4);
		return order(x, (uint64_t)big_endian_32(b) << 32 | big_endian_32(b + n - 4));
	}
	if (!n)
		return 0;
	uint64_t x = a[0] << 16 | a[n / 2] << 8 | a[n - 1];
	return order(x, b[0] << 16 | b[n / 2] << 8 | b[n - 1]);
}

int memcmp(const void *left, const void *right, size_t n)
{
	const unsigned char *a = left, *b = right;
	if (n < VECTOR)
		return short_order(a, b, n);
	const unsigned char *last_a = a + n - VECTOR;
	ptrdiff_t distance = b - a;
	unsigned differ;
	for (; a + BLOCK <= last_a; a += BLOCK) {
		b = a + distance;
		bytes v = equal(a, b) & equal(a + 16, b + 16) & equal(a + 32, b + 32) & equal(a + 48, b + 48);
		if (zeros(v))
			break;
	}
	for (; a < last_a; a += VECTOR)
		if ((differ = zeros(equal(a, a + distance))))
			goto found;
	a = last_a;
	differ = zeros(equal(a, a + distance));
	if (!differ)
		return 0;
found:
	a += first(differ);
	return a[0] - a[distance];
}
