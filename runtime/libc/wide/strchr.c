/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_byte.h"

WIDE char *__transproc_wide_strchr(const unsigned char *at, int byte)
{
	at = find(at, byte, EITHER, 0, 0);
	return *at == (unsigned char)byte ? (char *)at : 0;
}
