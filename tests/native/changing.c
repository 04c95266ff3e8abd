/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * changing MEGABYTES PERMILLE [sparse | CALL]: fills memory, and then writes random words, to PERMILLE of its pages a second, at least one, until there is a file `go`. It keeps a sum over all words
 * and their places, which each write brings up to date, and says at the end whether memory has it. Some pages are given back, and some become zeros, now and then.
 * With PERMILLE 0 it writes as fast as it can, and says each tenth of a second when that is (microseconds of CLOCK_REALTIME), and how often it has.
 * With `sparse` each second page was given back before; with the number of a system call a filter ends the program when it is made.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

static void clear(size_t page, int give_back)
{
	size_t first = page * WORDS;
	for (size_t i = 0; i < WORDS; i++)
		sum -= weigh(first + i, memory[first + i]);
	if (give_back)
		madvise(memory + first, PAGE, MADV_DONTNEED);
	else
		memset(memory + first, 0, PAGE);
}

static void change(size_t page)
{
	writes++;
	if (next() % 16)
		put(page * WORDS + next() % WORDS, next());
	else
		clear(page, next() % 2);
}

static double seconds_of(int clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void hurry(size_t pages)
{
	for (double told = 0; access("go", F_OK);) {
		for (int i = 0; i < 100; i++)
			change(next() % pages);
		double now = seconds_of(CLOCK_REALTIME);
		if (now - told < 0.1)
			continue;
		printf("%.0f %llu\n", now * 1e6, (unsigned long long)writes);
		fflush(stdout);
		told = now;
	}
}

/* linux/filter.h: load the number; unless it is this one, skip a step; SECCOMP_RET_KILL_PROCESS; SECCOMP_RET_ALLOW. */
static int forbid(unsigned call)
{
	struct step {
		unsigned short code;
		unsigned char yes, no;
		unsigned value;
	} steps[] = { { 0x20, 0, 0, 0 }, { 0x15, 0, 1, call }, { 6, 0, 0, 0x80000000 }, { 6, 0, 0, 0x7fff0000 } };
	struct {
		unsigned short count;
		struct step *steps;
	} filter = { 4, steps };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &filter);
}

int main(int argc, char **argv)
{
	unsigned call = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	if (call && forbid(call))
		return 1;
	size_t megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 16, pages = (megabytes << 20) / PAGE;
	double permille = argc > 2 ? atof(argv[2]) : 10, due = 0;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < pages * WORDS; i++)
		put(i, next());
	for (size_t page = 0; argc > 3 && !call && page < pages; page += 2)
		clear(page, 1);
	printf("filled\n");
	fflush(stdout);
	if (permille <= 0)
		hurry(pages);
	for (double begin = seconds_of(CLOCK_MONOTONIC), seconds; !writes || access("go", F_OK);) {
		usleep(TICK);
		seconds = seconds_of(CLOCK_MONOTONIC) - begin;
		begin += seconds;
		if (seconds > 0.1 || seconds < 0)
			seconds = 0.1;
		for (due += seconds * permille / 1000 * pages; due >= 1; due--)
			change(next() % pages);
	}
	uint64_t found = 0;
	for (size_t i = 0; i < pages * WORDS; i++)
		found += weigh(i, memory[i]);
	printf("%s\n", found == sum ? "right" : "wrong");
}
