/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The memory of a process whose pages are still to come: which they are, and how they get to it by userfaultfd(2).
 *
 * A descriptor of userfaultfd that is closed lets the program read zeros. So two processes hold all of them (they share their descriptors), one that
 * works and one that watches; whichever is killed, the other goes on, and starts a new one. What they know is in shared memory, and each change of it is
 * one store: whoever takes over finds it whole. Should both be killed at once, the program is killed before it can read any zero (secure.h).
 */
#ifndef TOOL_BORROW_H
#define TOOL_BORROW_H

#include "pages.h"

enum { MOST_SPACES = 1024, MOST_EVENTS = 64, MOST_POSTPONED = 1024, NOBODY = INT32_MIN };

/* Pages that are still to come: at [start, end) of the copy, those of the source that lie `shift` bytes further on. */
struct owed {
	uint64_t start, end, shift;
};

/* By address. In place a range only gets shorter, or empty; all else is a new list. */
struct owed_list {
	size_t count, room;
	uint64_t event; /* the last that this list knows of */
	struct owed items[];
};

/* struct uffd_msg (linux/userfaultfd.h) */
struct event {
	uint8_t kind, pad[7];
	uint64_t values[3];
};
_Static_assert(sizeof(struct event) == 32, "struct uffd_msg");

/* An address space of the copy. */
struct borrower {
	uint32_t pid; /* of the source's process: of what was forked since, its parent's */
	int faults, process; /* the userfaultfd; a pidfd, or -1 */
	int armed, group_armed; /* secure.h; 0: not */
	struct owed_list *owed, *spare, *scratch; /* what room is used again for: of the last list, and of what a new one was made from */
	uint64_t mapped; /* it is known up to here which pages the source has at all */
	uint64_t placed; /* up to here what is held was put (held.h) */
	bool shifted; /* something was moved by mremap(2) */
	bool gone;
};

/* A fault that is met later. */
struct postponed {
	size_t space;
	uint64_t page;
};

/* What both processes share. */
struct shared {
	struct borrower spaces[MOST_SPACES];
	size_t count;
	bool eager; /* the program stands until all is there: nobody waits for one page rather than another */
	bool restored; /* criu is done: pages may come unasked */
	uint32_t high; /* descriptors from here on are those of secure.c */
	int32_t coming; /* what criu has said, and what is not done yet: a process whose descriptor comes next; NOBODY */
	bool finished; /* criu has said that it has restored all */
	bool unarmed; /* a process's end could not be bound to ours (secure.h) */
	bool failed; /* there was no place for an address space: nothing can be known about a process's memory any more */
	int listener, link_listener, criu, link[3]; /* the last: a socket, and what its other end reads from and writes to; -1 for none */
	size_t used, size; /* of this memory */
	struct event event; /* the last one that was read; of `event_space`, with the number `event_number` */
	size_t event_space;
	uint64_t event_number;
	struct postponed postponed[MOST_POSTPONED];
	size_t postponed_count;
	const struct held_head *held; /* of what is held (held.h) */
	int lock; /* see is_abandoned */
	int store, holder; /* that, and a socket which ends with who holds it; -1 for none */
	bool placing, settled; /* what is held comes to its place, before links are asked; of pages that do not exist this is known */
};

extern struct shared *shared;
/* The socket at which criu looks. */
extern const char criu_name[];

/* Memory that both processes share. */
void *allocate_shared(size_t size);

/* A list with room for `count` ranges. */
struct owed_list *make_list(size_t count);
/* The first range that ends above an address; `count` if there is none. */
size_t find_owed(const struct owed_list *list, uint64_t address);
uint64_t bytes_owed(const struct owed_list *list);
/* Of a space: [start, end) is no longer owed. */
void forget_owed(struct borrower *space, uint64_t start, uint64_t end);
/* Of [start, end), only `ranges` of the source's memory are owed: the rest there is zero. Both as the source has them. */
void keep_only(struct borrower *space, uint64_t start, uint64_t end, const struct range *ranges, size_t count);

/* What an event of userfaultfd says but for page faults; again after a take-over, if that was in the middle of it. */
void apply_event(void);
/* Reads events, not so many that a program which makes one after the other could keep us from everything else; false if there are none. Page faults are left to `fault`. */
bool take_events(size_t space, void (*fault)(struct borrower *space, uint64_t page));

/* Puts pages of the source, [start, end), where the copy owes them; `data` NULL: zeros. False if the copy's memory cannot be written. */
bool put_pages(uint32_t pid, uint64_t start, uint64_t end, const char *data, void (*fault)(struct borrower *space, uint64_t page));
/* A page that was never there. */
void put_zero(struct borrower *space, uint64_t page);
/* Whether a space owes any of the source's [start, end). */
bool owes(const struct borrower *space, uint64_t start, uint64_t end);
/* For a time at which a fault cannot be met: notes it; and meets all that were noted, in order. */
void postpone(struct borrower *space, uint64_t page);
void meet_postponed(void (*fault)(struct borrower *space, uint64_t page));
/* Whoever waits for owed pages asks anew. */
void wake_all(struct borrower *space);
/* The same for all, and for who asked last: nobody may have heard that. */
void ask_again(void);

#endif
