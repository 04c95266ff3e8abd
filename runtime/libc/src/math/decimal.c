/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Numbers as people and programs mostly write them: at most 19 digits, small exponents, no infinities, nothing hexadecimal. What is not
// done here, musl's own function does. Rounded once, in the current mode, from an integer of 63 bits; nothing is rounded before.
//
// A leaf, other than strtod() itself, which is one with musl's reading of files.
#include <stdint.h>
#include "decimal.h"

#define MOST_DIGITS 19
#define MOST_POWER 27 // 5^27 < 2^63

static const uint64_t powers_of_five[MOST_POWER + 1] = {
	1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625, 30517578125,
	152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125, 2384185791015625,
	11920928955078125, 59604644775390625, 298023223876953125, 1490116119384765625, 7450580596923828125,
};

#define EXACT 22 // 10^22 is a double
static const double powers_of_ten[EXACT + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static int is_digit(char c)
{
	return (unsigned)c - '0' < 10;
}

static int is_space(char c)
{
	return c == ' ' || (unsigned)c - '\t' < 5;
}

struct decimal __transproc_decimal(const char *text)
{
	struct decimal found = {0, 0, 0, 0}, other = {0, 0, 0, 0};
	while (is_space(*text))
		text++;
	if (*text == '+' || *text == '-')
		found.negative = *text++ == '-';
	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		return other;
	const char *begin = text, *point = 0;
	for (; *text == '0'; text++)
		;
	const char *first = text;
	for (; is_digit(*text); text++)
		found.digits = found.digits * 10 + (*text - '0');
	long count = text - first, before = text - begin, behind = 0;
	if (*text == '.') {
		point = ++text;
		if (!count)
			for (; *text == '0'; text++)
				;
		first = text;
		for (; is_digit(*text); text++)
			found.digits = found.digits * 10 + (*text - '0');
		count += text - first;
		behind = text - point;
	}
	if (count > MOST_DIGITS || before + behind == 0 || behind > 1000)
		return other;
	int exponent = 0;
	if ((*text | 0x20) == 'e') {
		const char *at = text + 1;
		int negative = *at == '-';
		at += *at == '+' || *at == '-';
		if (is_digit(*at)) {
			for (; is_digit(*at); at++)
				if (exponent < 10000)
					exponent = exponent * 10 + (*at - '0');
			exponent = negative ? -exponent : exponent;
			text = at;
		}
	}
	found.exponent = exponent - (int)behind;
	found.end = text;
	return found;
}

// The number's size as `whole` 2^`binary`, where `whole` has 62 or 63 bits, of which the last tells whether there are more.
static int as_binary(const struct decimal *number, uint64_t *whole, int *binary)
{
	int power = number->exponent < 0 ? -number->exponent : number->exponent;
	if (power > MOST_POWER)
		return 0;
	uint64_t five = powers_of_five[power], high, low;
	int shift = __builtin_clzll(number->digits);
	uint64_t digits = number->digits << shift; // 2^63 or more
	if (number->exponent >= 0) {
		int more = __builtin_clzll(five);
		unsigned __int128 product = (unsigned __int128)digits * (five << more); // 2^126 or more
		high = product >> 64;
		low = product;
		*binary = power - shift - more + 64;
	} else {
		int more = __builtin_clzll(five);
		unsigned __int128 dividend = (unsigned __int128)(digits >> 1) << 64;
		dividend |= (unsigned __int128)(digits & 1) << 63;
		uint64_t divisor = five << more;
		high = dividend / divisor; // from 2^62 to 2^64
		low = dividend - (unsigned __int128)high * divisor != 0;
		*binary = -power - shift + more - 63;
	}
	if (high >> 63) {
		low |= high & 1;
		high >>= 1;
		++*binary;
	}
	*whole = high | !!low;
	return 1;
}

static double power_of_two(int exponent)
{
	return (union {uint64_t bits; double value;}){(uint64_t)(exponent + 1023) << 52}.value;
}

int __transproc_decimal_to_double(const struct decimal *number, double *result)
{
	int64_t whole;
	int binary;
	if (number->digits < 1ull << 53 && number->exponent >= -EXACT && number->exponent <= EXACT) {
		double digits = number->digits;
		digits = number->negative ? -digits : digits;
		*result = number->exponent < 0 ? digits / powers_of_ten[-number->exponent] : digits * powers_of_ten[number->exponent];
		return 1;
	}
	if (!number->digits || !as_binary(number, (uint64_t *)&whole, &binary))
		return 0;
	*result = (double)(number->negative ? -whole : whole) * power_of_two(binary);
	return 1;
}

int __transproc_decimal_to_float(const struct decimal *number, float *result)
{
	int64_t whole;
	int binary;
	if (!number->digits) {
		*result = number->negative ? -0.0f : 0.0f;
		return 1;
	}
	if (number->exponent > 18 || !as_binary(number, (uint64_t *)&whole, &binary))
		return 0;
	*result = (double)(float)(number->negative ? -whole : whole) * power_of_two(binary);
	return 1;
}
