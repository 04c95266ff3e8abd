/* Calls that never happen, and of which back ends know so: at -O0 aarch64's drops the first ones of `choose`. */
#include <stdio.h>

volatile int turns;

__attribute__((noinline)) static unsigned touch(unsigned *p)
{
	unsigned sum = 0;
	for (int i = 0; i < 3; i++)
		sum += *p += turns++ & 1;
	return sum;
}

__attribute__((noinline)) static unsigned choose(unsigned x)
{
	unsigned first = x, second = x * 3;
	switch ((x | 0x3e826266u) & 3u) {
	case 0: return touch(&first);
	case 1: return touch(&second) + first;
	case 2: first += touch(&second); break;
	case 3: second += touch(&first); break;
	}
	return first * 31 + second + touch(&first);
}

int main(void)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < 500; i++)
		sum = sum * 31 + choose(i);
	printf("%u\n", sum);
	return 0;
}
