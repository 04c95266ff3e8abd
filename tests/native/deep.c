/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Waits for a file `go` below thousands of frames, more than a dump without large memory has; then prints what they held. */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

enum { FRAMES = 3000, WORDS = 40 };

__attribute__((noinline)) static uint64_t descend(uint64_t n)
{
	volatile uint64_t own[WORDS];
	uint64_t result = 1;
	for (int i = 0; i < WORDS; i++)
		own[i] = n * WORDS + (uint64_t)i;
	if (n) {
		result = descend(n - 1);
	} else {
		printf("deep\n");
		fflush(stdout);
		while (access("go", F_OK))
			usleep(20000);
	}
	for (int i = 0; i < WORDS; i++)
		result = result * 31 + own[i];
	return result;
}

int main(void)
{
	printf("%llx\n", (unsigned long long)descend(FRAMES));
}
