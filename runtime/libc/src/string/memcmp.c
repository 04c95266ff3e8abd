/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "compare.h"
#include "processor.h"
#include "wide.h"

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

ASK_FIRST(int, first_time, (const void *left, const void *right, size_t n), memcmp(left, right, n))

int memcmp(const void *left, const void *right, size_t n)
{
	const unsigned char *a = left, *b = right;
	if (n < VECTOR)
		return short_order(a, b, n);
	if (n <= 2 * VECTOR)
		return compare_two(a, b, n);
	WITH_ABILITY(wide, __transproc_wide_memcmp(a, b, n), first_time(left, right, n));
	return compare_memory(a, b, n);
}
