/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_byte.h"

WIDE size_t __transproc_wide_strlen(const char *string, const unsigned char *at)
{
	return find(at, 0, THE_END, 0, 0) - (const unsigned char *)string;
}
