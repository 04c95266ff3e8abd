/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _BSD_SOURCE
typedef int (*COMPARISON)(const void *, const void *, void *);
#define COMPARE(a, b) compare(a, b, argument)
#include "merge_sort.h"
#include "sort.h"

void __qsort_r(void *base, size_t n, size_t width, COMPARISON compare, void *argument)
{
	if (!merge_sort(base, n, width, compare, argument))
		__transproc_sort_in_place(base, n, width, compare, argument);
}

weak_alias(__qsort_r, qsort_r);
