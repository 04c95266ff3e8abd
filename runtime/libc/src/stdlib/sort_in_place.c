/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <features.h>
#undef weak_alias
#define weak_alias(old, new) struct sort_in_place
#define __qsort_r __transproc_sort_in_place
#include <../stdlib/qsort.c>
