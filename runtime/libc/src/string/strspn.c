/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "byte_set.h"

size_t strspn(const char *string, const char *set)
{
	return set[0] ? span(string, set, 1) : 0;
}
