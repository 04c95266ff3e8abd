/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <math.h>

float (sqrtf)(float x)
{
	return sqrtf(x);
}
