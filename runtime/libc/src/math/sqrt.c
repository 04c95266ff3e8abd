/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <math.h>

double (sqrt)(double x)
{
	return sqrt(x);
}
