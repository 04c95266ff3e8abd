/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef TRANSPROC_SORT_H
#define TRANSPROC_SORT_H

#include <stddef.h>

// musl's smoothsort, which needs no memory.
void __transproc_sort_in_place(void *base, size_t n, size_t width, int (*compare)(const void *, const void *, void *), void *argument);

#endif
