/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* parting: fills memory. When there is a file `part`, a thread reads some of it, which another one gives back meanwhile; then says `parted`, and ends. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 16 << 20, TICK = 20000 /* microseconds */, AFTER = 25 /* ticks */ };

static char *memory;

static void *read_half(void *result)
{
	*(char *)result = *(volatile char *)(memory + SIZE / 2);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char found = 1;
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 7, SIZE);
	printf("filled\n");
	fflush(stdout);
	while (access("part", F_OK))
		usleep(TICK);
	pthread_create(&thread, NULL, read_half, &found);
	for (int i = 0; i < AFTER; i++)
		usleep(TICK);
	madvise(memory + SIZE / 2, SIZE / 2, MADV_DONTNEED);
	pthread_join(thread, NULL);
	printf("parted with %d\n", found);
}
