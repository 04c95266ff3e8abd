/*
 * Prints the numbers below COUNT, with MICROSECONDS between them, and a sum over MEGABYTES of memory that it has filled: any page
 * that is lost or stale changes the result.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 10, delay = argc > 2 ? atol(argv[2]) : 0, megabytes = argc > 3 ? atol(argv[3]) : 0;
	size_t words = (size_t)megabytes << 17;
	uint64_t *memory = malloc(words * 8 + 8), state = 1, sum = 0;
	for (size_t i = 0; i < words; i++)
		memory[i] = state = state * 6364136223846793005u + 1442695040888963407u;
	for (long n = 0; n < count; n++) {
		printf("%ld\n", n);
		fflush(stdout);
		usleep(delay);
	}
	while (argc > 4 && access(argv[4], F_OK))
		usleep(1000);
	for (size_t i = 0; i < words; i++)
		sum = sum * 31 + memory[i];
	printf("sum %llx\n", (unsigned long long)sum);
}
