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
	size_t __from = 0, __end = __count;
	while (__from < __end) {
		size_t __middle = (__from + __end) / 2;
		const char *__at = (const char *)__base + __middle * __size;
		int __order = __compare(__key, __at);
		if (!__order)
			return (void *)__at;
		if (__order < 0)
			__end = __middle;
		else
			__from = __middle + 1;
	}
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif
#endif
