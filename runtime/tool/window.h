/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What of the memory of a process is sent in a round of a pre-copy (copy.c): looked at by windows of it, and told. */
#ifndef TOOL_WINDOW_H
#define TOOL_WINDOW_H

#include "track.h"

struct copied {
	int pid, map;
	size_t number;                 /* among all that were found */
	const struct tracked *tracked; /* NULL: contents are compared */
};

struct round {
	bool is_first; /* of who copies: somebody else may have sent pages before */
	bool is_last;
	bool awaits;   /* some read of a file was on its way when it began */
	uint8_t stamp; /* never 0 */
	uint64_t looked_at, sent;
};
extern struct round round_now;

/* Nothing is known of any page. False if no file can be made in memory. */
bool know_nothing(void);

/* The target has pages with these hashes. False if there is no room. */
bool know_pages(const struct copied *copy, uint64_t start, const struct hash *hashes, size_t count);

/* Nothing is known of these pages any more. */
void forget_pages(const struct copied *copy, struct range range);

/* All that is there of some memory, in order. `written`: it may be other than it was, else the kernel says that nobody has written it. False if that
   cannot be read, or told. */
bool copy_ranges(const struct copied *copy, const struct range *ranges, const bool *written, size_t number);

/* Of who copies: the kernel has not told of a change. */
void compare_from_now_on(void);

#endif
