/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a worker (borrow.c) has left that was killed. A call returns a descriptor before it can be written down whose it is, and the descriptor lasts, since
 * the other process has it as well: so whoever goes on looks through what is open and not noted.
 */
#ifndef TOOL_LEFT_H
#define TOOL_LEFT_H

/* A userfaultfd that belongs to no address space; -1 if there is none. */
int find_userfault(void);
/* A connection that has come to a socket of that name (listen_at), and is no link; -1 if there is none. */
int find_connection(const char *name);
/* Closes the rest, but for one: a link that was being taken, which whoever brought it then brings again. */
void close_left(int but, const char *name);

#endif
