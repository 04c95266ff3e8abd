/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * pinned MEGABYTES FILE: fills memory, which it registers with an io_uring(7); then the kernel alone writes to its pages, one each millisecond, with what is in
 * the file, until there is a file `go`. No page faults for that. It says at the end whether each page is what it was made.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, FILE_PAGES = 64, PAUSE = 1000 /* microseconds */ };

static struct io_uring_params about;
static char *ring, *memory;
static struct io_uring_sqe *entry;
static int rings;

static void fill(char *page, uint64_t of)
{
	for (size_t i = 0; i < WORDS; i++)
		((uint64_t *)page)[i] = of * 0x9e3779b97f4a7c15u + i;
}

static uint32_t *word_at(uint32_t offset) { return (uint32_t *)(ring + offset); }

static void open_ring(size_t size)
{
	struct iovec buffer = { memory, size };
	rings = (int)syscall(SYS_io_uring_setup, 1, &about);
	if (rings < 0 || syscall(SYS_io_uring_register, rings, IORING_REGISTER_BUFFERS, &buffer, 1))
		exit(3);
	size_t room = about.cq_off.cqes + about.cq_entries * sizeof(struct io_uring_cqe);
	ring = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, rings, IORING_OFF_SQ_RING);
	entry = mmap(NULL, sizeof *entry, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, rings, IORING_OFF_SQES);
	if (!(about.features & IORING_FEAT_SINGLE_MMAP) || ring == MAP_FAILED || entry == MAP_FAILED)
		exit(4);
}

/* One page of the file comes to one of memory. */
static void read_page(int file, size_t page, size_t from)
{
	uint32_t *tail = word_at(about.sq_off.tail), *head = word_at(about.cq_off.head);
	*entry = (struct io_uring_sqe){ .opcode = IORING_OP_READ_FIXED, .fd = file, .off = from * PAGE, .addr = (uintptr_t)memory + page * PAGE, .len = PAGE };
	*word_at(about.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, rings, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		exit(5);
	const struct io_uring_cqe *done = (struct io_uring_cqe *)(ring + about.cq_off.cqes) + (*head & (about.cq_entries - 1));
	if (done->res != PAGE)
		exit(6);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	static char page[PAGE];
	if (argc != 3)
		return 2;
	size_t pages = (strtoul(argv[1], NULL, 10) << 20) / PAGE, wrong = 0;
	int file = open(argv[2], O_RDWR | O_CREAT, 0600);
	uint32_t *made = calloc(pages, sizeof *made), state = 1;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < FILE_PAGES; i++) {
		fill(page, i);
		if (pwrite(file, page, PAGE, (off_t)(i * PAGE)) != PAGE)
			return 7;
	}
	for (size_t i = 0; i < pages; i++)
		fill(memory + i * PAGE, made[i] = FILE_PAGES + i);
	open_ring(pages * PAGE);
	printf("filled\n");
	fflush(stdout);
	for (; access("go", F_OK); usleep(PAUSE)) {
		state = state * 1664525 + 1013904223;
		size_t at = (state >> 8) % pages;
		read_page(file, at, made[at] = state >> 26);
	}
	for (size_t i = 0; i < pages; i++) {
		fill(page, made[i]);
		wrong += memcmp(page, memory + i * PAGE, PAGE) != 0;
	}
	printf("%s\n", wrong ? "wrong" : "right");
}
