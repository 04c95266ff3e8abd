/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * follow MEGABYTES MICROSECONDS: memory that is touched, given back, moved, unmapped and inherited in ROUNDS rounds, with MICROSECONDS between them
 * until there is a file `go`. What is printed depends on nothing but MEGABYTES, however late pages come.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 64, PAGE = 4096 };

static uint64_t *memory;
static size_t words_each;

static uint64_t sum(const uint64_t *from, size_t count)
{
	uint64_t total = 0;
	for (size_t i = 0; i < count; i++)
		total = total * 31 + from[i];
	return total;
}

static void *sum_last(void *result)
{
	*(uint64_t *)result = sum(memory + (ROUNDS - 1) * words_each, words_each);
	return NULL;
}

static uint64_t sum_in_thread(void)
{
	uint64_t result = 0;
	pthread_t thread;
	pthread_create(&thread, NULL, sum_last, &result);
	pthread_join(thread, NULL);
	return result;
}

/* A child of which the parent waits for the answer; it touches pages that the parent has not, and changes some of them. */
static uint64_t sum_in_child(uint64_t *from)
{
	int ends[2];
	uint64_t answer = 0;
	if (pipe(ends))
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		from[1] = 7;
		answer = sum(from, words_each);
		if (write(ends[1], &answer, sizeof answer) != sizeof answer)
			_exit(1);
		_exit(0);
	}
	if (read(ends[0], &answer, sizeof answer) != sizeof answer)
		exit(1);
	close(ends[0]);
	close(ends[1]);
	waitpid(child, NULL, 0);
	return answer;
}

static uint64_t act(int round)
{
	size_t size = words_each * sizeof *memory;
	uint64_t *mine = memory + round * words_each;
	uint64_t *fresh;
	switch (round % 8) {
	case 1: /* the first half is given back */
		madvise(mine, size / 2, MADV_DONTNEED);
		break;
	case 2: /* goes elsewhere and comes back, by another way */
		fresh = mremap(mine, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		return sum(fresh, words_each);
	case 3: /* other memory in its place */
		munmap(mine, size);
		if (mmap(mine, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			exit(1);
		mine[3] = 5;
		break;
	case 4:
		return sum_in_child(mine);
	case 5:
		return sum_in_thread() + sum(mine, words_each);
	case 6: /* written before it is read */
		memset(mine, 1, size / 4);
		break;
	}
	return sum(mine, words_each);
}

int main(int argc, char **argv)
{
	size_t megabytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 16;
	useconds_t pause = argc > 2 ? (useconds_t)atol(argv[2]) : 0;
	uint64_t state = 1;
	words_each = (megabytes << 20) / ROUNDS / PAGE * PAGE / sizeof *memory;
	memory = mmap(NULL, ROUNDS * words_each * sizeof *memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < ROUNDS * words_each; i++)
		if (i / (PAGE / sizeof *memory) % 5) /* each fifth page was never touched */
			memory[i] = state = state * 6364136223846793005u + 1442695040888963407u;
	printf("filled\n");
	fflush(stdout);
	for (int round = 0; round < ROUNDS; round++) {
		printf("%d %llx\n", round, (unsigned long long)act(round));
		fflush(stdout);
		if (access("go", F_OK))
			usleep(pause);
	}
}
