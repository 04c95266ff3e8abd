/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"

char *__stpcpy(char *to, const char *from)
{
	return copy_string(to, from);
}

weak_alias(__stpcpy, stpcpy);
