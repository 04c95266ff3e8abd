/* Where on the stack am I? Comparisons of objects' addresses, as interpreters have them that watch their stack. */
#include <stdint.h>
#include <stdio.h>

static char area[8192];
static char *deepest = area;
volatile int turns;

__attribute__((noinline)) static long touch(long *p)
{
	long sum = 0;
	for (int i = 0; i < 3; i++)
		sum += *p += turns++ & 1;
	return sum;
}

__attribute__((noinline)) static long outside(int depth, long *above)
{
	long here = depth, sum;
	uintptr_t place = (uintptr_t)&here;
	if (place < (uintptr_t)area || place >= (uintptr_t)area + sizeof area)
		sum = touch(&here) + (above && (char *)above > (char *)&here);
	else
		sum = -1;
	if ((char *)&here < deepest || (char *)&here == (char *)above)
		sum += touch(&here);
	if (depth)
		sum = sum * 3 + outside(depth - 1, &here);
	return sum + here;
}

int main(void)
{
	long sum = 0;
	for (int i = 0; i < 300; i++)
		sum = sum * 31 + outside(i % 7, 0);
	printf("%ld\n", sum);
	return 0;
}
