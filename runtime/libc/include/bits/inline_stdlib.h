/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* bsearch in line, so that the comparison can be too: stdlib.h includes this at its end. A call that is not put in line is the library's. */
#ifndef _TRANSPROC_INLINE_STDLIB_H
#define _TRANSPROC_INLINE_STDLIB_H

#if defined(__OPTIMIZE__) && !defined(__NO_INLINE__)

#ifdef __cplusplus
extern "C" {
#endif

extern __inline __attribute__((__gnu_inline__)) void *bsearch(const void *__key, const void *__base, size_t __count, size_t __size,
	int (*__compare)(const void *, const void *))
{
	const char *__from = (const char *)__base;
	while (__count) {
		const char *__middle = __from + __count / 2 * __size;
		int __order = __compare(__key, __middle);
		if (!__order)
			return (void *)__middle;
		if (__order > 0) {
			__from = __middle + __size;
			__count--;
		}
		__count /= 2;
	}
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif
#endif
