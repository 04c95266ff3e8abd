// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What takes the places of others: of a weak alias, of the C library's rand, of a function that the linker wraps.
#include "linking.h"

int by_default(int x) { return work(x); }

int target(int x) { return work(x + 1); }
int other_name(int x) __attribute__((alias("target")));
__attribute__((noinline)) int caller(int x) { return other_name(x) + 1; }

static unsigned state = 1;
int rand(void)
{
	for (int i = 0; i < 1000; i++)
		state = (state ^ state >> 5) * 1103515245u + 12345u;
	return state >> 17;
}

int wrapped(int x) { return work(x) + 1; }
int joined(int x) { return wrapped(x) * 2; }

int __real_wrapped(int);
int __wrap_wrapped(int x) { return __real_wrapped(x) + (int)work(x + 2); }
