/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* C23, which musl 1.2.5 does not have yet: to the nearest integer, halves to the even one, in every rounding mode. */
#include <math.h>

float roundevenf(float x)
{
	float y = truncf(x), rest = fabsf(x - y);
	if (rest > 0.5f || (rest == 0.5f && truncf(y * 0.5f) != y * 0.5f))
		y += copysignf(1, x);
	return copysignf(y, x);
}
