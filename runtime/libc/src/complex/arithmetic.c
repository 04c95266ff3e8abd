/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Complex multiplication and division, which the front end calls: their calling convention is the front end's, so compiler-rt's do
 * not fit. C11, annex G.5.1. */
#include <math.h>

#define MULTIPLY(name, T, copysign)                                                              \
	T _Complex name(T a, T b, T c, T d)                                                      \
	{                                                                                        \
		T ac = a * c, bd = b * d, ad = a * d, bc = b * c, x = ac - bd, y = ad + bc;      \
		int again = 0;                                                                   \
		if (isnan(x) && isnan(y)) {                                                      \
			if (isinf(a) || isinf(b)) {                                              \
				a = copysign(isinf(a) ? 1 : 0, a);                               \
				b = copysign(isinf(b) ? 1 : 0, b);                               \
				if (isnan(c)) c = copysign(0, c);                                \
				if (isnan(d)) d = copysign(0, d);                                \
				again = 1;                                                       \
			}                                                                        \
			if (isinf(c) || isinf(d)) {                                              \
				c = copysign(isinf(c) ? 1 : 0, c);                               \
				d = copysign(isinf(d) ? 1 : 0, d);                               \
				if (isnan(a)) a = copysign(0, a);                                \
				if (isnan(b)) b = copysign(0, b);                                \
				again = 1;                                                       \
			}                                                                        \
			if (!again && (isinf(ac) || isinf(bd) || isinf(ad) || isinf(bc))) {      \
				if (isnan(a)) a = copysign(0, a);                                \
				if (isnan(b)) b = copysign(0, b);                                \
				if (isnan(c)) c = copysign(0, c);                                \
				if (isnan(d)) d = copysign(0, d);                                \
				again = 1;                                                       \
			}                                                                        \
			if (again) {                                                             \
				x = (T)INFINITY * (a * c - b * d);                               \
				y = (T)INFINITY * (a * d + b * c);                               \
			}                                                                        \
		}                                                                                \
		return __builtin_complex(x, y);                                                  \
	}

#define DIVIDE(name, T, copysign, logb, scalbn, fmax, fabs)                                      \
	T _Complex name(T a, T b, T c, T d)                                                      \
	{                                                                                        \
		int scale = 0;                                                                   \
		T log = logb(fmax(fabs(c), fabs(d)));                                            \
		if (isfinite(log)) {                                                             \
			scale = (int)log;                                                        \
			c = scalbn(c, -scale);                                                   \
			d = scalbn(d, -scale);                                                   \
		}                                                                                \
		T divisor = c * c + d * d;                                                       \
		T x = scalbn((a * c + b * d) / divisor, -scale);                                 \
		T y = scalbn((b * c - a * d) / divisor, -scale);                                 \
		if (isnan(x) && isnan(y)) {                                                      \
			if (divisor == 0 && (!isnan(a) || !isnan(b))) {                          \
				x = copysign((T)INFINITY, c) * a;                                \
				y = copysign((T)INFINITY, c) * b;                                \
			} else if ((isinf(a) || isinf(b)) && isfinite(c) && isfinite(d)) {       \
				a = copysign(isinf(a) ? 1 : 0, a);                               \
				b = copysign(isinf(b) ? 1 : 0, b);                               \
				x = (T)INFINITY * (a * c + b * d);                               \
				y = (T)INFINITY * (b * c - a * d);                               \
			} else if (isinf(log) && log > 0 && isfinite(a) && isfinite(b)) {        \
				c = copysign(isinf(c) ? 1 : 0, c);                               \
				d = copysign(isinf(d) ? 1 : 0, d);                               \
				x = 0 * (a * c + b * d);                                         \
				y = 0 * (b * c - a * d);                                         \
			}                                                                        \
		}                                                                                \
		return __builtin_complex(x, y);                                                  \
	}

MULTIPLY(__mulsc3, float, copysignf)
MULTIPLY(__muldc3, double, copysign)
DIVIDE(__divsc3, float, copysignf, logbf, scalbnf, fmaxf, fabsf)
DIVIDE(__divdc3, double, copysign, logb, scalbn, fmax, fabs)
