/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Makes holes of the pages in a file that are all zero, so that they are neither sent nor kept: criu writes every page that a process has
 * touched, and of a huge page (THP) the most part may never have been.
 */
#include "commands.h"

enum { PAGE = 4096 };

static char piece[1 << 18] __attribute__((aligned(PAGE)));

static bool is_zero(const char *page)
{
	const uint64_t *words = (const uint64_t *)page;
	uint64_t all = 0;
	for (size_t i = 0; i < PAGE / sizeof *words && !all; i += 8)
		all = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7];
	return !all;
}

/* A file system without holes keeps the zeros. */
static void dig(int fd, long start, long end)
{
	if (start < end)
		SYS(NR_fallocate, fd, PUNCH_HOLE, start, end - start);
}

static long dig_holes(const char *path)
{
	long at = 0, start = 0, got; /* from `start` to `at` all is zero */
	int fd = open_file(path, O_RDWR);
	if (fd < 0)
		return fd;
	while ((got = SYS(NR_pread64, fd, piece, sizeof piece, at)) > 0) {
		for (long page = 0; page + PAGE <= got; page += PAGE) {
			if (is_zero(piece + page))
				continue;
			dig(fd, start, at + page);
			start = at + page + PAGE;
		}
		at += got / PAGE * PAGE;
		if (got < PAGE)
			break; /* a part of a page stays as it is */
	}
	dig(fd, start, at);
	SYS(NR_close, fd);
	return got < 0 ? got : 0;
}

int command_sparse(const struct options *options)
{
	for (char **path = options->launch.argv; *path; path++) {
		long result = dig_holes(*path);
		if (result < 0)
			return report_failure("system", format("%s: errno %d", *path, -result));
	}
	return 0;
}
