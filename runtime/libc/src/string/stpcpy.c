/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>
#include "copy_string.h"
#include "processor.h"
#include "wide.h"

#define the_end(end) (end)

ASK_FIRST(char *, first_time, (char *to, const char *from), __stpcpy(to, from))

static __attribute__((noinline, cold)) char *move(char *to, const char *from)
{
	size_t length = strlen(from);
	return (char *)memmove(to, from, length + 1) + length;
}

char *__stpcpy(char *to, const char *from)
{
	COPY_STRING(to, from, the_end, move(to, from), __transproc_wide_stpcpy, first_time(to, from));
}

weak_alias(__stpcpy, stpcpy);
