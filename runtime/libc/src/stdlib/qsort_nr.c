/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _BSD_SOURCE
typedef int (*COMPARISON)(const void *, const void *);
#define COMPARE(a, b) compare(a, b)
#include "merge_sort.h"
#include "sort.h"

static int with_argument(const void *a, const void *b, void *compare)
{
	return ((COMPARISON)compare)(a, b);
}

void qsort(void *base, size_t n, size_t width, COMPARISON compare)
{
	if (!merge_sort(base, n, width, compare, 0))
		__transproc_sort_in_place(base, n, width, with_argument, (void *)compare);
}
