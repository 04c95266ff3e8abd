/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a dump leaves out of large anonymous mappings: all but their ends, and what is around the stack pointers of threads. */
#ifndef TOOL_WITHHELD_H
#define TOOL_WITHHELD_H

#include "pages.h"

/* What is kept back of a process. `asked`: up to where criu was told that nothing is there. */
struct kept {
	struct range range;
	uint64_t asked;
};

struct withheld {
	int pid;
	struct kept *items;
	size_t count, room;
	uint64_t eager; /* bytes that are not */
	struct withheld *next;
};

/* Of each process of a tree; NULL if one has a filter of its own, which criu could not lift while it has one itself. */
struct withheld *withheld_of_tree(int pid);

/* What a dump of that process would withhold now, by address; how many. Where its threads run, stacks are in it as well. */
size_t withheld_ranges(int pid, struct range **ranges);

/* Mappings of anonymous memory of which a dump may withhold something, as wholes; how many. */
size_t large_mappings(int pid, struct range **ranges);

#endif
