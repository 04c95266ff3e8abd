/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"

char *strcpy(char *to, const char *from)
{
	copy_string(to, from);
	return to;
}
