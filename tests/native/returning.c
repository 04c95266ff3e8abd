/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * returning MEGABYTES THREADS: fills memory; then threads read pages of its lower half, at random, while another one gives back pages of the upper half
 * and fills them anew, until there is a file `go`. Says `right` if nobody has ever seen another word than was written last.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, MOST_THREADS = 16 };

static uint64_t *memory;
static uint8_t *times; /* each page was filled; 0: it was given back */
static size_t pages;
static atomic_int over;
static atomic_ulong wrong;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t meant(size_t page, size_t word)
{
	return times[page] ? (page * WORDS + word) * 256 + times[page] : 0;
}

static void fill(size_t page)
{
	for (size_t word = 0; word < WORDS; word++)
		memory[page * WORDS + word] = meant(page, word);
}

static void look(size_t page, size_t word)
{
	wrong += memory[page * WORDS + word] != meant(page, word);
}

static void *reader(void *argument)
{
	uint64_t state = (uintptr_t)argument + 1;
	while (!over) {
		size_t page = next(&state) % (pages / 2);
		look(page, next(&state) % WORDS);
	}
	return NULL;
}

static void change(size_t page, uint64_t *state)
{
	times[page] = times[page] ? 0 : 1 + next(state) % 255;
	if (times[page])
		fill(page);
	else
		madvise(memory + page * WORDS, PAGE, MADV_DONTNEED);
}

int main(int argc, char **argv)
{
	size_t megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 64, count = argc > 2 ? strtoul(argv[2], NULL, 10) : 2;
	uint64_t state = 88172645463325252u;
	pthread_t threads[MOST_THREADS];
	pages = (megabytes << 20) / PAGE;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	times = malloc(pages);
	for (size_t page = 0; page < pages; page++) {
		times[page] = 1 + page % 255;
		fill(page);
	}
	for (size_t i = 0; i < count && i < MOST_THREADS; i++)
		pthread_create(&threads[i], NULL, reader, (void *)i);
	printf("filled\n");
	fflush(stdout);
	while (access("go", F_OK))
		change(pages / 2 + next(&state) % (pages / 2), &state);
	over = 1;
	for (size_t i = 0; i < count && i < MOST_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t page = 0; page < pages; page++)
		for (size_t word = 0; word < WORDS; word++)
			look(page, word);
	printf("%s\n", wrong ? "wrong" : "right");
}
