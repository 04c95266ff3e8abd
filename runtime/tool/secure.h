/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * If both who borrow (borrow.h) are killed at once: the program is killed before it can read a zero in place of what it is owed, and whoever restores it
 * hears whether that is certain.
 */
#ifndef TOOL_SECURE_H
#define TOOL_SECURE_H

#include "borrow.h"

/* Binds the end of a space's process to ours. Its children, of which nobody tells us more than their memory, are in its group as a rule. */
void arm_space(struct borrower *space);
/* Who is gone, or executes another program, owes nothing; in the end nobody does. */
void disarm_spaces(bool all);
/* Leaves the lower half of all descriptors to everything else. */
void make_room_for_arms(void);
/*
 * criu does not mind that nobody takes what it sends: a descriptor that had not come here yet when both were killed would be closed, and nothing would
 * have been armed. So whoever restores lets the program go on only after this word (`is_secured`).
 */
void say_secured(void);
/* What was said of an earlier restore. */
void forget_words(void);
/* A lock that ends with the last of those who borrow. */
int lock_directory(void);

/* For whoever has restored from a directory of images without all memory: whether its processes will be killed before they could read a zero, should nobody
   be left who holds their pages. Waits for those who borrow to say so; false if they are gone or do not. Stays in the directory. */
bool is_secured(const char *directory);
/* While criu still restores: whether that can come to no good any more, for nobody is left who borrows, and that was never said. */
bool is_abandoned(const char *directory);

#endif
