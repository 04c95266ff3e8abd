/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wide.h"
#include "find_last.h"

WIDE char *__transproc_wide_strrchr(const char *string, int byte)
{
	return find_last_in_string(string, byte);
}
