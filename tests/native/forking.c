/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * forking MEGABYTES: children one after the other, each of which adds up a page of the memory that it has inherited, until there is a file `go`; for
 * each a character is written to the file `children`. Fails if a sum is wrong.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 512 };

int main(int argc, char **argv)
{
	size_t pages = (argc > 1 ? strtoul(argv[1], NULL, 10) : 8) << 20 >> 12;
	uint64_t *memory = aligned_alloc(4096, pages * 4096);
	FILE *children = fopen("children", "w");
	int status = 0;
	for (size_t i = 0; i < pages * WORDS; i++)
		memory[i] = i;
	printf("filled\n");
	fflush(stdout);
	for (size_t n = 0; access("go", F_OK); n++) {
		size_t first = n * 7919 % pages * WORDS;
		pid_t child = fork();
		if (child == 0) {
			uint64_t sum = 0;
			for (size_t i = 0; i < WORDS; i++)
				sum += memory[first + i];
			_exit(sum == WORDS * first + WORDS * (WORDS - 1) / 2 ? 7 : 8);
		}
		if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
			return 1;
		fputc('.', children);
		fflush(children);
	}
	return 0;
}
