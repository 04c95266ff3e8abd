/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The way of a copy's pages: a link to the source, which comes and goes, and what is asked for on it. */
#ifndef TOOL_WIRE_H
#define TOOL_WIRE_H

#include "borrow.h"

/* How `link` ends: all pages are there; there may be another link; nobody knows what is missing. */
enum { DELIVERED = 0, AGAIN = 3, LOST_FOR_GOOD = 4 };

extern const char link_name[];

/* A link is there: takes the place of the last. */
void accept_link(void);
void drop_link(void);
/* What has come. */
void take_answers(void);
/* Asks for what comes next, as much as the link can take. */
void ask_ahead(void);
/* A page is waited for. */
void on_fault(struct borrower *space, uint64_t page);

bool all_delivered(void);
/* Leaves word for the host, here and at the link; the status to end with. */
int say_delivered(void);
/* Removes such words, also those of `say_lost`. */
void forget_ends(void);
/* Leaves word that nobody knows what is missing: whoever holds the descriptors keeps the program from reading zeros. */
void say_lost(void);

#endif
