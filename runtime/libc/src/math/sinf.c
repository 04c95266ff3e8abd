/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "float_angle.h"

float sinf(float x)
{
	return shifted_sine(x, 0);
}
