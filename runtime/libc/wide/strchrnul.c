/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_byte.h"

WIDE char *__transproc_wide_strchrnul(const unsigned char *at, int byte)
{
	return (char *)find(at, byte, EITHER, 0, 0);
}
