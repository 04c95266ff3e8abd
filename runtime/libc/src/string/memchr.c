/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "find_byte.h"

void *memchr(const void *memory, int byte, size_t n)
{
	return find_byte(memory, byte, n);
}
