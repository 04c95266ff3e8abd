/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"
#include "processor.h"
#include "wide.h"

#define the_start(end) ((void)(end), to)

ASK_FIRST(char *, first_time, (char *to, const char *from), strcpy(to, from))

static __attribute__((noinline, cold)) char *move(char *to, const char *from)
{
	return memmove(to, from, strlen(from) + 1);
}

char *strcpy(char *to, const char *from)
{
	COPY_STRING(to, from, the_start, move(to, from), __transproc_wide_strcpy, first_time(to, from));
}
