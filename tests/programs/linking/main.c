// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls by names that are bound to other functions than this file shows, each of which works for long.
#include "linking.h"
#include <stdio.h>
#include <stdlib.h>

static unsigned total;

int replaced(int x) { return x; }
int by_default(int x) __attribute__((weak, alias("replaced")));

static void at_exit(void)
{
	for (int i = 0; i < 200; i++)
		total = total * 3 + work(i);
	printf("%u\n", total);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	atexit(at_exit);
	for (int i = 0; i < rounds; i++)
		total = total * 31 + by_default(i) + caller(i) + wrapped(i) + rand() % 7 + joined(i);
	printf("%u %d\n", total, &pulled ? pulled : 0);
	return 0;
}
