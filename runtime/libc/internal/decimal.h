/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef TRANSPROC_DECIMAL_H
#define TRANSPROC_DECIMAL_H

// A number as digits 10^exponent.
struct decimal {
	const char *end; // behind its text; null: something that is not read here
	unsigned long long digits;
	int exponent;
	int negative;
};

struct decimal __transproc_decimal(const char *text);
int __transproc_decimal_to_double(const struct decimal *number, double *result); // 0: not done
int __transproc_decimal_to_float(const struct decimal *number, float *result);

#endif
