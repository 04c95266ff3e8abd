/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// sinf and cosf: computed as double, from a quarter turn around 0 that is found without cases.
#ifndef TRANSPROC_FLOAT_ANGLE_H
#define TRANSPROC_FLOAT_ANGLE_H

#include <stdint.h>
#include "libm.h"

#define EIGHTH_TURN 0x3f490fdb // pi / 4, as a float
#define LARGE 0x4dc90fdb // 2^28 pi / 2: further out a turn wants more bits than there are here

// Polynomials of least greatest error for |y| <= pi / 4 (Remez): 4.9e-12 for sin y / y, 5.4e-11 for cos y.
static inline double sine(double y)
{
	double z = y * y;
	double p = -0x1.5555554cb90edp-3 + z * 0x1.11110895aa97dp-7, q = -0x1.a00f9d2375f99p-13 + z * 0x1.6cd838cf99dabp-19;
	return y * (1 + z * (p + z * z * q)); // -0 remains -0
}

static inline double cosine(double y)
{
	double z = y * y;
	double p = -0x1.ffffffd0bc76cp-2 + z * 0x1.55553e0cd7ba1p-5, q = -0x1.6c087d15276fdp-10 + z * 0x1.9933d6554c472p-16;
	return 1 + z * (p + z * z * q);
}

// sin(x + quarters * pi / 2)
static inline float shifted_sine(float x, unsigned quarters)
{
	uint32_t size = (union {float f; uint32_t bits;}){x}.bits & 0x7fffffff;
	double y = x;
	if (size > EIGHTH_TURN) {
		if (size < LARGE) {
			double turns = __builtin_elementwise_roundeven(y * 0x1.45f306dc9c883p-1); // 2 / pi, whatever the rounding mode
			quarters += (int32_t)turns;
			y = y - turns * 0x1.921fb5p0 - turns * 0x1.110b4611a6263p-26; // pi / 2: 25 bits, whose product is exact, and the others
		} else {
			quarters += __rem_pio2f(x, &y);
		}
	}
	double result = quarters & 1 ? cosine(y) : sine(y);
	return quarters & 2 ? -result : result;
}

#endif
