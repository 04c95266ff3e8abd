/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// The library's own square roots are instructions, not calls.
#ifndef TRANSPROC_MATH_H
#define TRANSPROC_MATH_H

#include_next <math.h>

#define sqrt(x) __builtin_elementwise_sqrt((double)(x))
#define sqrtf(x) __builtin_elementwise_sqrt((float)(x))

#endif
