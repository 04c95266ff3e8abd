/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// Numbers for scanf: those that lie whole in the stream's buffer, with what comes behind them, are read as strtod() reads them.
#define __floatscan __transproc_floatscan_of_any
#include <../internal/floatscan.c> // musl's, for what is not usual
#undef __floatscan

#include "decimal.h"

#define MOST_TEXT 40

static int in_number(unsigned char c)
{
	return c - '0' < 10u || c == '.' || c == '-' || c == '+' || (c | 0x20) == 'e';
}

// Whether there was such a number; the stream goes on behind it.
static int from_buffer(FILE *f, int precision, double *result)
{
	const unsigned char *at = f->rpos, *end = f->shend;
	char text[MOST_TEXT + 1];
	unsigned n = 0;
	while (at < end && isspace(*at))
		at++;
	for (; at < end && n < MOST_TEXT && in_number(*at); at++)
		text[n++] = *at;
	if (at >= end || n == MOST_TEXT || (*at | 0x20) == 'x')
		return 0;
	text[n] = 0;
	struct decimal number = __transproc_decimal(text);
	float single;
	if (number.end != text + n || !(precision ? __transproc_decimal_to_double(&number, result) : __transproc_decimal_to_float(&number, &single)))
		return 0;
	if (!precision)
		*result = single;
	f->rpos = (unsigned char *)at;
	return 1;
}

long double __floatscan(FILE *f, int precision, int whole)
{
	double result;
	return !whole && from_buffer(f, precision, &result) ? result : __transproc_floatscan_of_any(f, precision, whole);
}
