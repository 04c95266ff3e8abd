/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"

size_t strnlen(const char *string, size_t n)
{
	const char *end = find_byte(string, 0, n);
	return end ? end - string : n;
}
