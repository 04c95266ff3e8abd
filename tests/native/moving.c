/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * moving MEGABYTES: memory that goes from one place to another (mremap) without a rest, until there is a file `go`; then prints its sum, which is
 * always the same.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 1 << 16, WORDS = PIECE / 8, LOOK = 256 };

int main(int argc, char **argv)
{
	size_t pieces = (argc > 1 ? strtoul(argv[1], NULL, 10) : 16) << 20 >> 16;
	char *arena = mmap(NULL, 2 * pieces * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t state = 1, sum = 0;
	size_t at = 0; /* pieces of the upper half that are in use; the others are in the lower one */
	for (size_t i = 0; i < pieces * WORDS; i++)
		((uint64_t *)arena)[i] = state = state * 6364136223846793005u + 1442695040888963407u;
	printf("filled\n");
	fflush(stdout);
	for (size_t n = 0; n % LOOK || access("go", F_OK); n++) {
		size_t piece = n * 7919 % pieces;
		char *low = arena + piece * PIECE, *high = low + pieces * PIECE;
		int up = n / pieces % 2 == 0; /* 7919 is prime: each piece once in each of these rounds */
		if (mremap(up ? low : high, PIECE, PIECE, MREMAP_MAYMOVE | MREMAP_FIXED, up ? high : low) == MAP_FAILED)
			return 1;
		at = n + 1;
	}
	for (size_t i = 0; i < pieces; i++) {
		size_t rounds = at / pieces, turns = rounds;
		for (size_t n = rounds * pieces; n < at; n++)
			turns += n * 7919 % pieces == i;
		uint64_t *from = (uint64_t *)(arena + (turns % 2 * pieces + i) * PIECE);
		for (size_t k = 0; k < WORDS; k++)
			sum = sum * 31 + from[k];
	}
	printf("%llx\n", (unsigned long long)sum);
}
