/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * dividing MEGABYTES: fills memory; when there is a file `divide` each second page may only be read from then on, so that each is a mapping of its own; when there is a
 * file `go` it says whether all is there.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8 };

static void await(const char *name)
{
	while (access(name, F_OK))
		usleep(2000);
}

int main(int argc, char **argv)
{
	size_t pages = (argc > 1 ? strtoul(argv[1], NULL, 10) : 4) << 20 >> 12, wrong = 0;
	uint64_t *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < pages * WORDS; i++)
		memory[i] = i + 1;
	printf("filled\n");
	fflush(stdout);
	await("divide");
	for (size_t page = 1; page < pages; page += 2)
		if (mprotect(memory + page * WORDS, PAGE, PROT_READ))
			return 1;
	printf("divided\n");
	fflush(stdout);
	await("go");
	for (size_t i = 0; i < pages * WORDS; i++)
		wrong += memory[i] != i + 1;
	printf("%zu words are wrong\n", wrong);
}
