/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory that has come to the target before its process (pre-copy): one file in memory (memfd_create(2)), full of holes, in which each byte has a place of
 * its own: that at an address A of the process with number N lies at held_page(N, A), and what is known of its page at held_mark(N, A). Who holds it
 * (hold.c) writes it; who borrows (held.c) has it, too, and takes from it what need not come over a link any more.
 */
#ifndef TOOL_HELD_H
#define TOOL_HELD_H

#include "borrow.h"

enum { MOST_HELD = 1024, MOST_COVERS = 1 << 16, MARK_NONE = 0, MARK_SENT = 1, MARK_TRUE = 2 /* the process stands, and has this */ };

struct cover {
	uint64_t process, start, end;
};

/* At HELD_HEAD. What is in it is written before it is counted. */
struct held_head {
	uint64_t complete; /* all pages of all `covers` that exist are marked as true */
	uint64_t processes, covers_count;
	uint32_t pids[MOST_HELD];
	uint64_t until[MOST_HELD]; /* in the last round: it is known of all pages below */
	struct cover covers[MOST_COVERS];
};

#define HELD_HEAD (1ul << 60)
#define HELD_END (1ul << 47) /* of addresses */

static inline uint64_t held_page(size_t process, uint64_t address)
{
	return (uint64_t)process << 48 | address;
}

static inline uint64_t held_mark(size_t process, uint64_t address)
{
	return 1ul << 58 | (uint64_t)process << 48 | address / PAGE;
}

extern const char hold_name[]; /* the socket of who holds, in the directory above the image */

/* --- for who borrows ----------------------------------------------------------------------------------------------- */

/* Takes what is held, if there was a pre-copy. */
void find_held(void);
/* Something has come, or who holds has ended. */
void attend_holder(void);
/* Whether the link shall wait: what is held comes first. */
bool is_held_first(void);
/* Some pages for whoever comes first; false if there are none at the moment. */
bool put_held(void);
/* The pages around one that is waited for; false if it is not held. */
bool put_held_at(struct borrower *space, const struct owed *item, uint64_t page);

#endif
