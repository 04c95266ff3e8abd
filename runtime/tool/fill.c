/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Pages that have come are put where they are owed. See borrow.h and owed.h. */
#include "owed.h"
#include "poll.h"

enum { PAUSE = 20, EVENT_TIME = 1 /* ms */ };

struct copy {
	uint64_t target, source, size, mode;
	int64_t copied;
};

struct zeropage {
	struct range range; /* start and length */
	uint64_t mode;
	int64_t done;
};

void put_zero(struct borrower *space, uint64_t page)
{
	struct zeropage zero = { { page, PAGE }, 0, 0 };
	long result = SYS(NR_ioctl, space->faults, UFFDIO_ZEROPAGE, &zero);
	if (result == -ESRCH)
		space->gone = true;
	else if (result < 0)
		wake(space, page); /* it is there by now, or nowhere; or (EAGAIN) memory changes: then the fault comes again */
}

/* As much of [start, end) as goes at once: bytes, or -errno. */
static long fill(const struct borrower *space, uint64_t start, uint64_t end, const char *data)
{
	if (data) {
		struct copy copy = { start, (uint64_t)data, end - start, 0, 0 };
		long result = SYS(NR_ioctl, space->faults, UFFDIO_COPY, &copy);
		return copy.copied > 0 ? copy.copied : result < 0 ? result : (long)(end - start);
	}
	struct zeropage zero = { { start, end - start }, 0, 0 };
	long result = SYS(NR_ioctl, space->faults, UFFDIO_ZEROPAGE, &zero);
	return zero.done > 0 ? zero.done : result < 0 ? result : (long)(end - start);
}

/* For a moment: the thread whose call that is needs this processor, perhaps. */
static void await_event(const struct borrower *space)
{
	struct poll poll = { space->faults, POLLIN, 0 };
	poll_for(&poll, 1, EVENT_TIME);
}

static bool put_in_space(size_t number, uint64_t start, uint64_t end, const char *data, void (*fault)(struct borrower *space, uint64_t page))
{
	struct borrower *space = &shared->spaces[number];
	struct owed part;
	uint64_t missing = 1; /* where there was no mapping a moment ago */
	uint64_t most = end - start; /* that goes at once: less where two mappings meet */
	while (!space->gone && find_part(space, start, end, &part)) {
		const char *from = data ? data + (part.start + part.shift - start) : NULL;
		uint64_t size = part.end - part.start < most ? part.end - part.start : most;
		long done = fill(space, part.start, part.start + size, from);
		if (done > 0) {
			forget_owed(space, part.start, part.start + (uint64_t)done);
			most = end - start;
		} else if (done == -EEXIST) {
			forget_owed(space, part.start, part.start + PAGE);
			wake(space, part.start);
		} else if (done == -ESRCH) {
			space->gone = true;
		} else if (done == -EAGAIN) {
			/* Memory changes: first it must be known how. Then at once: a program may change it again and again. */
			if (!read_event(number, fault))
				await_event(space);
		} else if (done == -ENOENT && size > PAGE) {
			most = size / 2 & -(uint64_t)PAGE; /* not one mapping: mprotect(2) and madvise(2) divide them, and nobody tells */
		} else if (done == -ENOENT) {
			/*
			 * No mapping. It may have moved just now: then the next attempt says EAGAIN until that is known. Only what is missing twice without
			 * any news has been unmapped, or another program executes there; or (before the end of a restore) is not there yet.
			 */
			if (take_events(number, fault) || part.start != missing) {
				missing = part.start;
				continue;
			}
			if (!shared->restored)
				return true;
			forget_owed(space, part.start, part.start + PAGE);
		} else if (done == -ENOMEM) {
			rest(PAUSE);
		} else {
			return false;
		}
	}
	return true;
}

bool put_pages(uint32_t pid, uint64_t start, uint64_t end, const char *data, void (*fault)(struct borrower *space, uint64_t page))
{
	bool good = true;
	for (size_t i = 0; i < shared->count; i++)
		if (shared->spaces[i].pid == pid)
			good = put_in_space(i, start, end, data, fault) && good;
	return good;
}
