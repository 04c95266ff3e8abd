/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* odd KIND: huge and odd memory; waits for a file `go`, then prints what it holds. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, MAPPINGS = 10000, THREADS = 500, TOUCHED = 500, GROWN = 1 << 20 };
static const size_t sparse_size = 16ul << 30, step = (16ul << 30) / TOUCHED / PAGE * PAGE;
static pthread_barrier_t barrier;

static char *map(size_t size, int more)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | more, -1, 0);
	if (memory == MAP_FAILED)
		exit(1);
	return memory;
}

static void wait_for_go(void)
{
	printf("ready\n");
	fflush(stdout);
	while (access("go", F_OK))
		usleep(20000);
}

static long sparse(void)
{
	char *memory = map(sparse_size, 0);
	long sum = 0;
	for (size_t i = 0; i < TOUCHED; i++)
		memory[i * step] = (char)(i % 97 + 1);
	wait_for_go();
	for (size_t i = 0; i < TOUCHED; i++)
		sum += (memory[i * step] + memory[i * step + PAGE]) * (long)i;
	return sum;
}

/* Every second page of a mapping cannot be touched: a guard. */
static long mappings(void)
{
	static char *memory[MAPPINGS];
	long sum = 0;
	for (int i = 0; i < MAPPINGS; i++) {
		memory[i] = map(2 * PAGE, 0);
		memory[i][0] = (char)i;
		mprotect(memory[i] + PAGE, PAGE, PROT_NONE);
	}
	wait_for_go();
	for (int i = 0; i < MAPPINGS; i++)
		sum += memory[i][0] * i;
	return sum;
}

static void *wait_at_barrier(void *number)
{
	pthread_barrier_wait(&barrier);
	return number;
}

static long threads(void)
{
	pthread_t started[THREADS];
	pthread_attr_t small;
	long sum = 0;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 1 << 16);
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&started[i], &small, wait_at_barrier, (void *)i);
	wait_for_go();
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++) {
		void *number;
		pthread_join(started[i], &number);
		sum += (long)number;
	}
	return sum;
}

static long grows(void)
{
	char *memory = map(GROWN, MAP_GROWSDOWN);
	memory[5] = 9;
	memory[GROWN - 1] = 4;
	wait_for_go();
	memory[GROWN / 2] = 1;
	return memory[5] * 100 + memory[GROWN - 1] * 10 + memory[GROWN / 2];
}

static long locked(void)
{
	char *memory = map(GROWN, 0);
	memset(memory, 3, GROWN);
	if (mlock(memory, GROWN))
		exit(1);
	wait_for_go();
	return memory[0] + memory[GROWN - 1];
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		long (*hold)(void);
	} kinds[] = { { "sparse", sparse }, { "mappings", mappings }, { "threads", threads }, { "grows", grows }, { "locked", locked } };
	for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(argv[1], kinds[i].name))
			printf("%ld\n", kinds[i].hold());
}
