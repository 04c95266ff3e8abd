/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}
