/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a program writes, told by the kernel: each process of a tree opens a userfaultfd, which we take from it, and whose kernel notes for each page
 * of memory registered there whether it was written since it was last looked at (UFFD_FEATURE_WP_ASYNC, PM_SCAN_WP_MATCHING; Linux 6.7). To open it
 * the tree is stopped for a moment, guarded as in a pause; nothing of it stays in the program. Where that cannot be, contents are compared.
 */
#ifndef TOOL_TRACK_H
#define TOOL_TRACK_H

#include "index.h"
#include "pages.h"

enum { MOST_TRACKED = 1024 };

struct tracked {
	int pid, faults; /* the userfaultfd */
};

/* Processes that can be tracked; how many. The tree runs on, whatever comes of it. */
size_t track_tree(int root, struct tracked tracked[MOST_TRACKED]);

/* Closes, in a process, what was opened there and not taken; a thread of it that stands in an event stop makes the calls. */
void close_tracked(int pid, int tid, const struct index *index);

/*
 * Registers all anonymous memory that has come to it since, and gives the mappings that were not registered before; how many. What was known of their
 * places is of another memory: what mremap(2) has moved there, kernels before 6.13 may tell as not written. `map`: its page map.
 */
size_t track_memory(const struct tracked *tracked, int map, struct range **fresh);

#endif
