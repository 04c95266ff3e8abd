/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "copy_string.h"

WIDE char *__transproc_wide_stpncpy(unsigned char *to, const unsigned char *from, size_t n)
{
	return copy_within(to, from, n);
}
