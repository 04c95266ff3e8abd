/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A program whose processes and threads do, each by itself, what its seed says with memory and descriptors, and know at any time what must be there:
 *
 *     shake SEED PROCESSES THREADS PAGES REST KINDS FILE|- [STEPS...]
 *
 * PAGES of each thread's memory; REST: microseconds after a step, at most; KINDS: names of what is done, with commas, or `all`; FILE: one outside of the working directory, for direct
 * reads, of OUTSIDE bytes (see `outside_byte`). It goes on until there is a file `stop`, or each thread has made its number of STEPS; then prints how many each has made, and a sum over all that it found, which
 * is the same at each run with these numbers. What is not as it must be ends it at once, with a line that begins with `wrong`, and status 9.
 */
#ifndef SHAKE_H
#define SHAKE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, MOST_PROCESSES = 8, MOST_THREADS = 8, MOST_PAGES = 1 << 15, OUTSIDE = 1 << 20, WRONG = 9 };

/* What all processes share. */
struct board {
	volatile int stop, failed;
	struct result {
		uint64_t steps, digest;
		bool done;
		sem_t asked, answered; /* somebody in the first process answers (signals.c) */
		uint64_t question, answer;
	} results[MOST_PROCESSES * MOST_THREADS];
};

/* A thread, and what it knows. Threads share nothing else. */
struct worker {
	int process, thread, number; /* the last: among all */
	bool child; /* made by `forked`: it has its parent's private memory, and uses nothing else */
	uint64_t random, digest, step;
	const char *doing;
	struct result *result;
	struct arena *arena;
	struct files *files;
	struct channels *channels;
	struct waits *waits;
};

extern struct board *board;
extern const char *outside;
extern int processes, threads;

/* One kind of thing that a worker does. */
struct deed {
	const char *name;
	int weight;
	void (*act)(struct worker *worker);
};
extern const struct deed memory_deeds[], object_deeds[], file_deeds[], channel_deeds[], wait_deeds[], process_deeds[]; /* each ends with one without a name */

uint64_t next(struct worker *worker);
/* Less than a bound. */
static inline size_t below(struct worker *worker, size_t bound)
{
	return (size_t)(next(worker) >> 11) % bound;
}
static inline bool one_in(struct worker *worker, size_t bound)
{
	return below(worker, bound) == 0;
}
/* Something that must be the same at each run. */
void found(struct worker *worker, uint64_t value);
/* Ends the program. */
_Noreturn void wrong(const struct worker *worker, const char *text, uint64_t seen, uint64_t expected);
#define MUST(worker, condition) ((condition) ? (void)0 : wrong(worker, #condition, (uint64_t)errno, __LINE__))

void prepare_memory(struct worker *worker, size_t pages);
void check_memory(struct worker *worker);
/* A page for what the kernel is to write or read, filled by `bytes`; and a page that was written, whose contents are to be believed. */
char *lend_page(struct worker *worker);
void believe_page(struct worker *worker, const char *page);
/* In a child: what is not private is forgotten. */
void forget_objects(struct worker *worker);

void prepare_files(struct worker *worker);
void check_files(struct worker *worker);
char outside_byte(size_t place);

void prepare_channels(struct worker *worker);
void check_channels(struct worker *worker);

void prepare_waits(struct worker *worker);
void check_waits(struct worker *worker);
void serve_questions(void);
void start_ticking(void);
/* Raises what each process has had by now: ticks of its timer. */
extern volatile int ticks;

/* Steps of a worker, chosen among the deeds that were asked for. */
void step(struct worker *worker);
void check_all(struct worker *worker);

#endif
