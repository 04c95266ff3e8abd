/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "byte_set.h"

size_t strcspn(const char *string, const char *set)
{
	return set[0] && set[1] ? span(string, set, 0) : __strchrnul(string, set[0]) - string;
}
