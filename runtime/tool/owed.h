/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files share that see to owed memory (borrow.h): the lists of what is owed, who waits for a page, and how pages are put in place. */
#ifndef TOOL_OWED_H
#define TOOL_OWED_H

#include "borrow.h"

#define UFFDIO_COPY 0xc028aa03u
#define UFFDIO_ZEROPAGE 0xc020aa04u
#define UFFDIO_WAKE 0x8010aa02u

/* Orders what the other process may find: a list before the pointer to it. */
static inline void publish(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- lists (owed.c) --- */

/* A space owes what this list says; what it had before is used again. */
void exchange(struct borrower *space, struct owed_list *list);
/* Both: a new list. What is owed outside of [start, end), with room for so many more; and after an mremap(2), of what was owed at [from, from + size). */
struct owed_list *without(struct borrower *space, uint64_t start, uint64_t end, size_t more);
struct owed_list *moved(struct borrower *space, uint64_t from, uint64_t to, uint64_t size);
/* The first part of the source's [start, end) that a space owes; false if there is none. */
bool find_part(const struct borrower *space, uint64_t start, uint64_t end, struct owed *part);

/* --- who waits (faults.c) --- */

/* Whoever waits for that page touches it again. */
void wake(const struct borrower *space, uint64_t page);
/* One event; false if there is none. */
bool read_event(size_t space, void (*fault)(struct borrower *space, uint64_t page));

#endif
