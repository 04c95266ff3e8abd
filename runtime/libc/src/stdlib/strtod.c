/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include "decimal.h"

#define strtod __transproc_strtod_of_any
#define strtof __transproc_strtof_of_any
#define strtold __transproc_strtold_of_any
#include <../stdlib/strtod.c> // musl's, for what is not usual
#undef strtod
#undef strtof
#undef strtold

double strtod(const char *restrict text, char **restrict end)
{
	double result;
	struct decimal number = __transproc_decimal(text);
	if (!number.end || !__transproc_decimal_to_double(&number, &result))
		return __transproc_strtod_of_any(text, end);
	if (end)
		*end = (char *)number.end;
	return result;
}

float strtof(const char *restrict text, char **restrict end)
{
	float result;
	struct decimal number = __transproc_decimal(text);
	if (!number.end || !__transproc_decimal_to_float(&number, &result))
		return __transproc_strtof_of_any(text, end);
	if (end)
		*end = (char *)number.end;
	return result;
}

long double strtold(const char *restrict text, char **restrict end)
{
	return strtod(text, end); // the same type
}
