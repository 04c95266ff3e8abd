/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * changing MEGABYTES PERMILLE: fills memory, and then writes random words, to PERMILLE of its pages a second, until there is a file `go`. It keeps a sum over all words
 * and their places, which each write brings up to date, and says at the end whether memory has it. Some pages are given back, and some become zeros, now and then.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, TICK = 2000 /* microseconds */ };

static uint64_t *memory, state = 1, sum;
static volatile uint64_t writes;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* What a word at a place adds to the sum. */
static uint64_t weigh(size_t place, uint64_t word)
{
	uint64_t value = (word ^ (place * 0x9e3779b97f4a7c15u)) * 0xd6e8feb86659fd93u;
	return word ? value ^ value >> 31 : 0;
}

static void put(size_t place, uint64_t word)
{
	sum += weigh(place, word) - weigh(place, memory[place]);
	memory[place] = word;
}

static void change(size_t page)
{
	size_t first = page * WORDS;
	writes++;
	if (next() % 16) {
		put(first + next() % WORDS, next());
		return;
	}
	for (size_t i = 0; i < WORDS; i++)
		sum -= weigh(first + i, memory[first + i]);
	if (next() % 2)
		madvise(memory + first, PAGE, MADV_DONTNEED);
	else
		memset(memory + first, 0, PAGE);
}

int main(int argc, char **argv)
{
	size_t megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 16, pages = (megabytes << 20) / PAGE;
	double permille = argc > 2 ? atof(argv[2]) : 10, due = 0;
	struct timespec begin, now;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < pages * WORDS; i++)
		put(i, next());
	printf("filled\n");
	fflush(stdout);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (access("go", F_OK)) {
		usleep(TICK);
		clock_gettime(CLOCK_MONOTONIC, &now);
		double seconds = now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) / 1e9;
		begin = now;
		if (seconds > 0.1 || seconds < 0)
			seconds = 0.1;
		for (due += seconds * permille / 1000 * pages; due >= 1; due--)
			change(next() % pages);
	}
	uint64_t found = 0;
	for (size_t i = 0; i < pages * WORDS; i++)
		found += weigh(i, memory[i]);
	printf("%s\n", found == sum && writes ? "right" : "wrong");
}
