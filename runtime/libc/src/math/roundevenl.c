/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include <math.h>

/* long double is double. */
long double roundevenl(long double x)
{
	return roundeven(x);
}
