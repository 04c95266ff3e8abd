/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames of C that an exception passes, compiled with -fexceptions: what they have to clean up is cleaned up. Part of foreign.cpp. */
#include <stdio.h>

void moment_of_c(const char *name);
void note(const char *what, long value);

static void clean(const long *value)
{
	moment_of_c("cleanup of C");
	note("cleanup of C", *value);
}

/* An array that is as long as it turns out, so the frame is one with a dynamic size. */
long through_c(long n, long (*call)(long))
{
	__attribute__((cleanup(clean))) long outer = n;
	char text[n + 8];
	long sum = 0;
	snprintf(text, sizeof text, "%ld", n);
	{
		__attribute__((cleanup(clean))) long inner = n + 100;
		sum = call(n) + inner;
	}
	note(text, sum);
	return sum + outer;
}
