/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * placing REGIONS move, or placing REGIONS direct|open|shut|calm FILE: fills regions of 2 MB, and changes them until there is a file `go` in ways in which no instruction writes to them, or not at their
 * addresses. It says at the end whether each page is what it was made.
 * - `move`: regions change places (mremap), or are made anew, given back and written again, forked, protected, written by process_vm_writev(2).
 * - `direct`: pages come from a file around the cache of the kernel, by one descriptor for all; `open`: by a descriptor for each read,
 *   `shut`: that is closed while the read is on its way.
 * - `calm`: the same, once; then the descriptor is kept, and nothing changes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, REGION = 2 << 20, PAGES = REGION / PAGE, MOST = 64, FILE_PAGES = 1024, CHUNK = 64 };

static char *regions; /* and one more, where a region waits for its place */
static size_t count;
static uint32_t made[MOST][PAGES]; /* of what each page was made last; 0: nothing */
static uint32_t serial;
static uint64_t state = 1;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static char *region(size_t number) { return regions + number * REGION; }

static void fill(char *page, uint32_t of)
{
	uint64_t word = of * 0x9e3779b97f4a7c15u;
	for (size_t i = 0; i < WORDS; i++, word += of)
		((uint64_t *)page)[i] = of ? word ^ word >> 31 : 0;
}

static void make(size_t number, size_t page)
{
	fill(region(number) + page * PAGE, made[number][page] = ++serial);
}

static void map(size_t number)
{
	mmap(region(number), REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	madvise(region(number), REGION, number % 2 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memset(made[number], 0, sizeof made[number]);
}

static void move(size_t from, size_t to)
{
	if (mremap(region(from), REGION, REGION, MREMAP_MAYMOVE | MREMAP_FIXED, region(to)) == MAP_FAILED)
		exit(3);
	memcpy(made[to], made[from], sizeof made[to]);
}

static void exchange(size_t one, size_t other)
{
	move(one, count);
	move(other, one);
	move(count, other);
}

static void write_from_kernel(size_t number, size_t page)
{
	static char from[PAGE];
	struct iovec here = { from, PAGE }, there = { region(number) + page * PAGE, PAGE };
	fill(from, made[number][page] = ++serial);
	if (process_vm_writev(getpid(), &here, 1, &there, 1, 0) != PAGE)
		exit(4);
}

static void write_some(size_t number)
{
	for (int i = 0; i < 8; i++)
		make(number, next() % PAGES);
}

static void fork_and_write(size_t number)
{
	pid_t child = fork();
	if (child == 0) {
		memset(region(number), 1, REGION);
		_exit(0);
	}
	write_some(number);
	waitpid(child, NULL, 0);
}

static void change(size_t number)
{
	switch (next() % 8) {
	case 0:
		map(number);
		/* fallthrough */
	case 1:
		for (size_t page = next() % 2; page < PAGES; page += 1 + next() % 3)
			make(number, page);
		break;
	case 2:
		madvise(region(number), REGION, MADV_DONTNEED);
		memset(made[number], 0, sizeof made[number]);
		for (size_t page = 0; page < PAGES; page += 2)
			make(number, page);
		break;
	case 3:
		mprotect(region(number), REGION, PROT_READ);
		usleep(1000);
		mprotect(region(number), REGION, PROT_READ | PROT_WRITE);
		write_some(number);
		break;
	case 4:
		write_from_kernel(number, next() % PAGES);
		break;
	case 5:
		if (next() % 8 == 0)
			fork_and_write(number);
		break;
	default:
		exchange(number, (number + 1) % count);
	}
}

/* --- from a file --------------------------------------------------------------------------------------------------- */

static const char *path;

static void make_file(void)
{
	static char page[PAGE];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (uint32_t i = 0; i < FILE_PAGES; i++) {
		fill(page, i + 1);
		if (write(fd, page, PAGE) != PAGE)
			exit(5);
	}
	fsync(fd);
	close(fd);
}

static void *close_soon(void *fd)
{
	usleep(500);
	close((int)(intptr_t)fd);
	return NULL;
}

/* A chunk of pages, each pass from another place. */
static void read_chunk(int fd, size_t at, size_t pass, int shuts)
{
	size_t first = (at + pass * 7 * CHUNK) % FILE_PAGES;
	usleep(shuts ? 30000 : 0); /* there is no descriptor for long */
	int mine = fd < 0 ? open(path, O_RDONLY | O_DIRECT) : fd;
	pthread_t closer;
	if (shuts && pthread_create(&closer, NULL, close_soon, (void *)(intptr_t)mine))
		exit(7);
	if (pread(mine, regions + at * PAGE, CHUNK * PAGE, first * PAGE) != CHUNK * PAGE)
		exit(6);
	if (shuts)
		pthread_join(closer, NULL);
	else if (fd < 0)
		close(mine);
	for (size_t i = 0; i < CHUNK; i++)
		made[(at + i) / PAGES][(at + i) % PAGES] = first + i + 1;
}

static void read_all(char way)
{
	int fd = way == 'o' || way == 's' ? -1 : open(path, O_RDONLY | O_DIRECT);
	for (size_t pass = 0; access("go", F_OK); pass++) {
		if (way == 'c' && pass) {
			usleep(1000);
			continue;
		}
		for (size_t at = 0; at < count * PAGES && access("go", F_OK); at += CHUNK)
			read_chunk(fd, at, pass, way == 's' && pass);
		if (pass == 0) {
			printf("filled\n");
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	static char page[PAGE];
	size_t wrong = 0;
	if (argc < 3 || (count = strtoul(argv[1], NULL, 10)) >= MOST)
		return 2;
	char *memory = mmap(NULL, (count + 2) * REGION, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	regions = (char *)(((uintptr_t)memory + REGION) & -(uintptr_t)REGION);
	for (size_t i = 0; i < count; i++)
		map(i);
	if (argc > 3) {
		path = argv[3];
		make_file();
		read_all(*argv[2]);
	} else {
		for (size_t i = 0; i < count * PAGES; i++)
			make(i / PAGES, i % PAGES);
		printf("filled\n");
		fflush(stdout);
		for (; access("go", F_OK); usleep(500))
			change(next() % count);
	}
	for (size_t i = 0; i < count * PAGES; i++) {
		fill(page, made[i / PAGES][i % PAGES]);
		wrong += memcmp(page, regions + i * PAGE, PAGE) != 0;
	}
	if (wrong)
		fprintf(stderr, "%zu pages of %zu\n", wrong, count * PAGES);
	printf("%s\n", wrong ? "wrong" : "right");
}
