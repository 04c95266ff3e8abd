/* Not the function by the name that other files call, but alive by another name. */
#include "../weak.h"

__attribute__((weak, noinline)) long chosen(long n)
{
	long locals[9] = {n};
	sink(locals);
	for (long i = 0; i < 8; i++)
		locals[i + 1] = step(locals[i] % 1000) ^ step(i);
	return locals[8] + step(n % 7) * 11;
}

long second_chosen(long n) __attribute__((alias("chosen")));
