/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What /proc says about processes (proc(5)). */
#ifndef TOOL_PROC_H
#define TOOL_PROC_H

#include "base.h"

struct numbers {
	int *items;
	size_t count, room;
};

void add_number(struct numbers *list, int item);
bool contains(const struct numbers *list, int item);

/* Threads of a process; empty if it is gone. */
struct numbers threads_of(int pid);

/* A process and all its descendants, parents first; empty if it is gone. Zombies are left out. */
struct numbers tree_of(int pid);

/* The children of a process that have ended and were not waited for. */
struct numbers zombies_of(int pid);

/* A numeric field of /proc/TID/status, e.g. "TracerPid", or -1. */
long status_number(int tid, const char *field);

/* State letter of a thread: R, S, D, T (stopped), t (traced), Z; 0 if it is gone. */
char state_of(int pid, int tid);

/* Program counter (and number of the system call that it waits in, -1: none) of a thread that does not run; false if it runs. */
bool position_of(int pid, int tid, long *call, uint64_t *pc);

/* The system call that it waits in, and its first argument; false if it waits in none. */
bool call_of(int pid, int tid, uint64_t *call, uint64_t *first);

/* Whether a descriptor, by its path in /proc, is a userfaultfd. */
bool is_userfault(const char *path);

/* Its stack pointer; false if it runs. */
bool stack_of(int pid, int tid, uint64_t *sp);

#endif
