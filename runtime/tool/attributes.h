/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What processes and sockets have set for themselves, and criu does not carry over: it is listed at a dump, and set again in what was restored. A line each,
 * numbers in hexadecimal but for processes, threads and descriptors:
 *   wipe PID START END              memory that children do not get (MADV_WIPEONFORK)
 *   slack TID NANOSECONDS           of timers (PR_SET_TIMERSLACK)
 *   io TID PRIORITY                 ioprio_set(2)
 *   core PID FILTER                 /proc/PID/coredump_filter
 *   option PID FD LEVEL NAME VALUE  of a socket (setsockopt(2)), where it is another one than a new socket of its kind has there
 */
#ifndef TOOL_ATTRIBUTES_H
#define TOOL_ATTRIBUTES_H

#include "base.h"

/*
 * Of a stopped tree; `mappings`: NULL, or the directory of watch.h: what that tells of a process's mappings is not asked again, and what was asked is told there. 0 or
 * -errno.
 */
long list_attributes(int pid, const char *path, const char *mappings);

/* In a tree that was restored, and stands. 0, or -errno if memory would not be what it was; `lost`: how many of the others could not be set. */
long set_attributes(const char *path, long *lost);

#endif
