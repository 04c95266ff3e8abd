// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
static __attribute__((noinline, unused)) unsigned work(unsigned n)
{
	unsigned hash = n;
	for (unsigned i = 0; i < 8000 + n % 7; i++)
		hash = (hash ^ hash >> 7) * 1103515245u + 12345u;
	return hash & 1023;
}

int by_default(int), caller(int), wrapped(int), joined(int);
extern int pulled __attribute__((weak));
