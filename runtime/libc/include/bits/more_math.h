/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions of C23 that are ours, as musl 1.2.5 does not have them yet: math.h includes this at its end. */
#ifndef _TRANSPROC_MORE_MATH_H
#define _TRANSPROC_MORE_MATH_H

#if defined(_GNU_SOURCE) || __STDC_VERSION__ >= 202311L

#ifdef __cplusplus
extern "C" {
#endif

double roundeven(double);
float roundevenf(float);
long double roundevenl(long double);

#ifdef __cplusplus
}
#endif

#endif
#endif
