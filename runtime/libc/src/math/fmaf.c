/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include "processor.h"

// The sum as a double, whose last bit says whether it is exact, so that rounding it once more is rounding the exact sum: musl's is wrong by one
// unit for some subnormal results. (Rounded in one direction twice is as rounded once.)
static float in_two_steps(float x, float y, float z)
{
	double product = (double)x * y, sum = product + z; // the product is exact
	double added = sum - product, rest = (product - (sum - added)) + (z - added);
	union {double value; uint64_t bits;} odd = {sum};
	if (rest != 0 && !(odd.bits & 1) && isfinite(sum) && fegetround() == FE_TONEAREST)
		odd.bits += (rest > 0) == (sum > 0) ? 1 : -1;
	return odd.value;
}

ASK_FIRST(float, first_time, (float x, float y, float z), fmaf(x, y, z))

float fmaf(float x, float y, float z)
{
	WITH_ABILITY(fused, __transproc_fmaf(x, y, z), first_time(x, y, z));
	return in_two_steps(x, y, z);
}
