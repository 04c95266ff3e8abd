/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <math.h>
#include <stdint.h>
#include "processor.h"

#define fma __transproc_fma_of_any
#include <../math/fma.c> // musl's, for what is not usual
#undef fma

// musl adds z also if it is 0, when x y may have been rounded to a 0 of the other sign.
static double fma_of_any(double x, double y, double z)
{
	return z || !x || !y ? __transproc_fma_of_any(x, y, z) : x * y;
}

#define FRACTION 52
#define SPARE 20 // zeros behind the product, which has 105 or 106 bits
#define BIAS (1023 + FRACTION)
#define RESULT_LEAST (-900) // exponents of sums of 63 bits that need no thought about the range of a double
#define RESULT_MOST 900

static inline double power_of_two(int exponent)
{
	return (union {uint64_t bits; double value;}){(uint64_t)(exponent + 1023) << FRACTION}.value;
}

static inline unsigned exponent_of(uint64_t bits)
{
	return bits >> FRACTION & 0x7ff;
}

static inline int usual(uint64_t bits)
{
	return exponent_of(bits) - 1 < 0x7fe;
}

static inline unsigned __int128 fraction_of(uint64_t bits)
{
	return bits & (1ull << FRACTION) - 1 | 1ull << FRACTION;
}

ASK_FIRST(double, first_time, (double x, double y, double z), fma(x, y, z))

// The sum as an integer of 127 bits, of which 63 go into the one rounding, with a last one that says whether the rest is 0.
double fma(double x, double y, double z)
{
	WITH_ABILITY(fused, __transproc_fma(x, y, z), first_time(x, y, z));
	uint64_t of_x = (union {double d; uint64_t bits;}){x}.bits, of_y = (union {double d; uint64_t bits;}){y}.bits;
	uint64_t of_z = (union {double d; uint64_t bits;}){z}.bits;
	if (!usual(of_x) || !usual(of_y) || !usual(of_z))
		return fma_of_any(x, y, z);
	int exponent = (int)(exponent_of(of_x) + exponent_of(of_y)) - 2 * BIAS - SPARE;
	int shift = (int)exponent_of(of_z) - BIAS - exponent;
	if (shift > 73) // z is far larger than the product
		return fma_of_any(x, y, z);
	unsigned __int128 sum = fraction_of(of_x) * fraction_of(of_y) << SPARE, other = fraction_of(of_z);
	if (shift >= 0)
		other <<= shift;
	else if (shift > -64)
		other = (uint64_t)other >> -shift | !!((uint64_t)other << 64 + shift);
	else
		other = 1;
	int negative = (of_x ^ of_y) >> 63;
	if (negative == (int)(of_z >> 63)) {
		sum += other;
	} else {
		int smaller = sum < other;
		sum = smaller ? other - sum : sum - other;
		negative ^= smaller;
	}
	uint64_t high = sum >> 64, low = sum;
	if (!high) // much or all has been cancelled
		return fma_of_any(x, y, z);
	int left = __builtin_clzll(high) - 1; // the sum is below 2^127
	if (left)
		high = high << left | low >> 64 - left;
	low <<= left;
	exponent += 64 - left;
	if (exponent < RESULT_LEAST || exponent > RESULT_MOST)
		return fma_of_any(x, y, z);
	int64_t rounded = high | !!low;
	return (double)(negative ? -rounded : rounded) * power_of_two(exponent);
}
