/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* See contents.h. */
#include "contents.h"

enum { SEEK_END = 2, SEEK_DATA = 3, ENXIO = 6 };

static char piece[MOST_PIECE] __attribute__((aligned(PAGE)));

bool is_block(uint64_t block)
{
	return block >= PAGE && block <= MOST_PIECE && !(block & (block - 1));
}

uint64_t block_of(uint64_t size)
{
	uint64_t block = PAGE;
	while (block < MOST_PIECE && size / block > MOST_BLOCKS)
		block *= 2;
	return block;
}

long read_at(int fd, char *data, size_t size, uint64_t place)
{
	size_t have = 0;
	while (have < size) {
		long got = SYS(NR_pread64, fd, data + have, size - have, place + have);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return got;
		if (!got)
			break;
		have += (size_t)got;
	}
	return (long)have;
}

static void fold(struct hash *sum, const struct hash *hash)
{
	sum->words[0] = check_hashes(sum->words[0], hash);
	sum->words[1] = mix(sum->words[1] * 3 + hash->words[1]) ^ hash->words[0];
}

/* How much of a piece is a hole, in whole pieces or up to the end of the file. */
static long hole_at(int fd, long at, long end)
{
	long data = SYS(NR_lseek, fd, at, SEEK_DATA), room = end - at < MOST_PIECE ? end - at : MOST_PIECE;
	bool hole = data == -ENXIO || (data >= 0 && data - at >= room);
	return room > 0 && hole ? room : 0;
}

long hash_contents(int fd, uint64_t block, struct hash *whole, struct text *hashes)
{
	static const char zeros[PAGE] __attribute__((aligned(PAGE)));
	const struct hash none = hash_page(zeros);
	long got, end = SYS(NR_lseek, fd, 0, SEEK_END);
	*whole = (struct hash){ { 1, 2 } };
	for (long at = 0;; at += got) {
		long hole = got = hole_at(fd, at, end);
		if (!hole)
			got = read_at(fd, piece, sizeof piece, (uint64_t)at);
		if (got <= 0)
			return got;
		size_t size = ((size_t)got + PAGE - 1) & -(size_t)PAGE;
		if (!hole)
			memset(piece + got, 0, size - (size_t)got);
		for (size_t start = 0; start < size; start += block) {
			struct hash sum = { { 1, 2 } };
			for (size_t page = start; page < size && page < start + block; page += PAGE) {
				struct hash hash = hole ? none : hash_page(piece + page);
				fold(&sum, &hash);
			}
			fold(whole, &sum);
			if (hashes)
				append(hashes, (const char *)&sum, sizeof sum);
		}
	}
}
