/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "copy_string.h"

WIDE char *__transproc_wide_strcpy(unsigned char *to, const unsigned char *from)
{
	unsigned found;
	if (ends_within(from, found))
		copy_two(to, from, first(found) + 1);
	else
		copy_long(to, from);
	return (char *)to;
}
