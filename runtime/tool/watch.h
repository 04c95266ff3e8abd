/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What /proc/PID/smaps says of large processes, told before they are stopped: for that the kernel goes through all page tables, some 15 ms for each GB, and
 * criu needs only what it says of the mappings themselves (madvise(2) and the like). So it is read while the tree runs, traced from system call to
 * system call: of a process that has made none since which could change a mapping, it is still true when that stands.
 */
#ifndef TOOL_WATCH_H
#define TOOL_WATCH_H

#include "session.h"

/* Of a tree that stands still; it runs meanwhile, and stands still again. What cannot be told in time is not. */
void watch_mappings(struct session *session);
/* When it stands where it shall: what is not true any more is forgotten. */
void end_watch(struct session *session);
/* A call that a thread is about to make. */
void note_call(struct space *space, long number, const uint64_t arguments[6]);

/* In a directory, what is told of a process, as it stands; -1 if nothing is, or its mappings are not those any more. */
int open_watched(const char *directory, int pid);
/* Tells there what was read of one that stands. */
void tell_watched(const char *directory, int pid, const char *text);

#endif
