/* A file of the same name, with a weak function of the same name, is in the directory beside: the linker takes this one's. */
#include "../weak.h"

__attribute__((weak, noinline)) long chosen(long n)
{
	long sum = 1;
	for (long i = 0; i < 3; i++)
		sum += step(n + i) * 3;
	return sum;
}

__attribute__((weak, noinline)) long replaced(long n)
{
	long local = n;
	sink(&local);
	return step(n) + step(local) + 5;
}

long first_chosen(long n) __attribute__((alias("chosen")));
long first_replaced(long n) __attribute__((alias("replaced")));
