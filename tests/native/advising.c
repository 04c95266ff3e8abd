/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * advising MICROSECONDS: changes what is told of a large mapping by madvise(2), again and again with so long a rest, and looks each time whether that is as it
 * left it, until there is a file `go`. With 0 it changes nothing.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 32 << 20 };

static char *memory;

static int is_told(const char *flag)
{
	char line[512], start[32];
	int found = 0, here = 0;
	FILE *file = fopen("/proc/self/smaps", "r");
	snprintf(start, sizeof start, "%lx-", (unsigned long)memory);
	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, start, strlen(start)) == 0)
			here = 1;
		if (here && strncmp(line, "VmFlags:", 8) == 0) {
			found = strstr(line, flag) != NULL;
			break;
		}
	}
	fclose(file);
	return found;
}

int main(int argc, char **argv)
{
	long pause = argc > 1 ? atol(argv[1]) : 0, changes = 0;
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 1, SIZE);
	printf("filled\n");
	fflush(stdout);
	for (int dumped = 1; access("go", F_OK) != 0; changes++) {
		if (is_told(" dd") == dumped && is_told(" dd") == dumped) { /* if it moves while it reads, that may come from two places */
			printf("change %ld is lost\n", changes);
			return 1;
		}
		if (pause) {
			dumped = !dumped;
			madvise(memory, SIZE, dumped ? MADV_DODUMP : MADV_DONTDUMP);
		}
		usleep(pause ? pause : 1000);
	}
	printf("right\n");
}
