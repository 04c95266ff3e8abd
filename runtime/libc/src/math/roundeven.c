/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* C23, which musl 1.2.5 does not have yet: to the nearest integer, halves to the even one, in every rounding mode. */
#include <math.h>

double roundeven(double x)
{
	double y = trunc(x), rest = fabs(x - y);
	if (rest > 0.5 || (rest == 0.5 && trunc(y * 0.5) != y * 0.5))
		y += copysign(1, x);
	return copysign(y, x);
}
