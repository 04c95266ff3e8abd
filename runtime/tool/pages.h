/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Pages that follow a process (post-copy). What large memory holds is not dumped (withhold.c): it stays in the stopped process on
 * the source, where it is lent (lend.c), and comes to the process on the target when that touches it, or in the background (borrow.c).
 * Requests go one way, answers the other, in order; the host passes them on and reads the requests that are meant for it (transproc/cluster/owed.py).
 */
#ifndef TOOL_PAGES_H
#define TOOL_PAGES_H

#include "base.h"

enum { PAGE = 4096, PIECE_PAGES = 64, MOST_PIECE = PIECE_PAGES * PAGE, MOST_REGIONS = MOST_PIECE / 16 };
enum { SAME_PAGES = 64 * PIECE_PAGES, MOST_SAME = SAME_PAGES * PAGE }; /* one answer may say that they are as they were sent */

enum request_kind {
	ASK_PAGES, /* [start, end), at most MOST_PIECE: answers that cover it, in order */
	ASK_MAP, /* which pages of [start, end) there are: one answer, which may reach less far */
	TELL_LEFT, /* to the host: `start` bytes are still to come, and `end` have come over this link */
	TELL_DONE, /* to the host: all are there; `end` as above */
	ASK_ROUND, /* of a pre-copy (copy.c): another round, with number `start`; with `end` it is the last, and the tree stands */
	TELL_ROUND, /* to the host: round `pid` has come; `start` bytes were looked at, `end` of them sent */
	TELL_HELD, /* to who sends a pre-copy: the pages of [start, end), at most MOST_SAME, are there; their hashes follow */
	TELL_READY, /* to the host: all that is there was told */
};

struct page_request {
	uint32_t kind, pid;
	uint64_t start, end;
};

/* The last three are those of a pre-copy. SAME: pages are as they were sent, in this round as well, `check` is `check_hashes` of them, and of what lies
   below the last round tells nothing more; COVER: pages there of which no SAME of this round will tell do not exist; ROUND: its end, with number `pid`
   (`size` bytes follow none), `start` and `end` as in TELL_ROUND. */
enum answer_kind { PAGES, ZEROS, MAP, SAME, COVER, ROUND };

struct page_answer {
	uint32_t kind, pid;
	uint64_t start, end;
	uint64_t size, check; /* of what follows: pages; of MAP the ranges that there are, as struct range */
};

struct range {
	uint64_t start, end;
};

/* What PAGEMAP_SCAN takes and gives (linux/fs.h; Linux 6.7). */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_count, most_pages, inverted, mask, any_of, wanted;
};
_Static_assert(sizeof(struct scan) == 96, "struct pm_scan_arg");

struct region {
	uint64_t start, end, categories;
};

/* Of a page's contents. All zero: none is known. */
struct hash {
	uint64_t words[2];
};

#define PAGEMAP_SCAN 0xc0606610u

/* For errors of the line, not of an enemy: SSH keeps those away. */
static inline uint64_t checksum(const void *data, size_t size)
{
	const uint64_t *words = data, prime = 0x9e3779b97f4a7c15u;
	uint64_t lanes[4] = { 1, 2, 3, 4 };
	for (size_t i = 0; i + 4 <= size / 8; i += 4)
		for (size_t k = 0; k < 4; k++)
			lanes[k] = ((lanes[k] ^ words[i + k]) * prime) ^ (lanes[k] >> 29);
	for (size_t i = size / 8 & ~3ul; i < size / 8; i++)
		lanes[0] = ((lanes[0] ^ words[i]) * prime) ^ (lanes[0] >> 29);
	return (lanes[0] * 3 ^ lanes[1] * 5 ^ lanes[2] * 7 ^ lanes[3] * 11) + size;
}

static inline uint64_t mix(uint64_t word)
{
	word = (word ^ word >> 32) * 0xd6e8feb86659fd93u;
	word = (word ^ word >> 32) * 0xd6e8feb86659fd93u;
	return word ^ word >> 32;
}

/* Each lane keeps a bijection of its last word: one changed word always shows; that more of them cancel out is one chance in 2^64 for each lane that has any. */
static inline struct hash hash_page(const void *page)
{
	const uint64_t *words = page, prime = 0x9e3779b97f4a7c15u;
	uint64_t lanes[4] = { 1, 2, 3, 4 };
	for (size_t i = 0; i < PAGE / 8; i += 4)
		for (size_t k = 0; k < 4; k++) {
			uint64_t value = (lanes[k] ^ words[i + k]) * prime;
			lanes[k] = value ^ value >> 29;
		}
	uint64_t first = mix(lanes[0] + mix(lanes[1] + mix(lanes[2] + mix(lanes[3]))));
	uint64_t second = mix(lanes[3] ^ mix(lanes[2] ^ mix(lanes[1] ^ mix(lanes[0] + prime))));
	return (struct hash){ { first, second | 1 } };
}

static inline uint64_t check_hashes(uint64_t check, const struct hash *hash)
{
	return mix((check + hash->words[0]) * 0x9e3779b97f4a7c15u ^ hash->words[1]);
}

static inline bool is_zero_page(const char *page)
{
	const uint64_t *words = (const uint64_t *)page;
	uint64_t all = 0;
	for (size_t i = 0; i < PAGE / sizeof *words && !all; i += 8)
		all = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7];
	return !all;
}

/* From now on others come first: the program stands, and criu's work is what it waits for. */
void give_way(void);

/* Reads the next request from standard input; false at its end, or when nobody reads what is answered any more. */
bool next_request(struct page_request *request);

/*
 * The same as present_pages, for a process that is tracked (track.h): `written` says of each range whether it was written since it was last looked
 * at; it is looked at now, unless the process stands (`look`). -1 where the kernel does not track.
 */
long tracked_pages(int map, uint64_t start, uint64_t end, bool look, struct range *ranges, bool *written, uint64_t *walked);

/* Whether the kernel tracks the mapping of a page. */
bool is_tracked(int map, uint64_t page);

/* Whether it does, and says of a page that is there that it was not written since it was last looked at. */
bool is_unwritten(int map, uint64_t page);

/* The ranges of [start, end) with pages of the process alone that are there, at most MOST_REGIONS of them; how many, or -1. `walked`: so far they reach. */
long present_pages(int map, uint64_t start, uint64_t end, struct range *ranges, uint64_t *walked);
/* Opens what the kernel tells of a process's pages, or -errno; false if that ends: it has no memory any more, even before it is a zombie. */
bool has_memory(int pid, int *map);

#endif
