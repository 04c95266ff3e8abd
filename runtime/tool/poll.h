/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* poll(2). */
#ifndef TOOL_POLL_H
#define TOOL_POLL_H

#include "base.h"

enum { POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16 };

/* struct pollfd */
struct poll {
	int fd;
	int16_t events, found;
};

/* How many are ready within so many milliseconds (negative: in any time), or -errno. */
static inline long poll_for(struct poll *polls, size_t count, long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	return SYS(NR_ppoll, polls, count, milliseconds < 0 ? NULL : &time, 0, 0);
}

/* Waits until there is something to read; false when nobody reads any more what is written to `output`. */
static inline bool may_read(int input, int output)
{
	struct poll polls[2] = { { input, POLLIN, 0 }, { output, 0, 0 } };
	while (poll_for(polls, 2, -1) == -EINTR)
		;
	return !(polls[1].found & (POLLERR | POLLHUP));
}

#endif
