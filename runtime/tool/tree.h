/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The files of a job that has a copy on another node: what is different there, by contents.
 *
 * An inventory says of each file, directory, link and pipe below a directory what it is: a path and a description, each ended by NUL, and then a
 * `struct blocks`, which of large files is followed by a hash of each block; parents first, and an empty path at the end. A description holds type, mode, owner, count of names, size, time of change and a hash of the
 * contents: whoever writes to mapped memory, or sets times, changes a file and neither its size nor its time. It is compared, never interpreted, but
 * for its first letter, the type. The hash (pages.h) is one for errors, not for enemies: who makes two files of one hash harms his own job.
 */
#ifndef TOOL_TREE_H
#define TOOL_TREE_H

#include "base.h"

struct blocks {
	uint32_t block /* bytes; 0: none are told */, count;
};

/* What makes a copy what the directory is: three lists. */
struct difference {
	struct text *changed; /* what is to be sent as a whole: paths below the name of the directory, each ended by NUL, all directories with them */
	struct text *patched; /* files of which some blocks are to be sent (patch.h); NULL: they go as a whole */
	struct text *removed; /* first how many files are in the second; then what is to be removed from the copy first: paths below it, children first */
};

/* Appends the inventory of a directory. 0 or -errno. */
long take_inventory(const char *directory, struct text *text);

/* Compares a directory with the inventory of its copy. -EINVAL: the inventory is damaged. */
long compare_tree(const char *directory, struct text *known, const struct difference *difference);

/* Removes those from a copy; they come from another machine: nothing beyond the directory is touched. 0 or -errno. */
long remove_all(const char *directory, struct text *paths);

#endif
