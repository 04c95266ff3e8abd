/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The processor time that a tree has used, which the kernel of the node that it goes to cannot know. */
#ifndef TOOL_CLOCKS_H
#define TOOL_CLOCKS_H

#include "proc.h"

/*
 * Writes to `path` a line for each process, zombies as well, and for each of its threads; 0 or -errno.
 *
 *   process PID PARENT NANOSECONDS USER SYSTEM USER-OF-CHILDREN SYSTEM-OF-CHILDREN FAULTS-OF-CHILDREN
 *   thread TID NANOSECONDS USER SYSTEM
 *
 * User and system time are in ticks of 10 ms; children are those waited for.
 */
long list_clocks(int pid, const char *path);

#endif
