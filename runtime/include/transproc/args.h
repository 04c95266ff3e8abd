/* What the start code and the transformer tell the C library. */
#ifndef TRANSPROC_ARGS_H
#define TRANSPROC_ARGS_H

#include <stdint.h>

/* Where the start code's copy of the arguments is: the transformer tells the kernel (prctl(2), PR_SET_MM), so that /proc/<pid>/cmdline
 * stays right. And what only the transformer changes: the mapping of resume records, the number of migrations between ISAs, and that of
 * all migrations of the job. */
extern struct transproc_args {
	uintptr_t arg_start, arg_end, env_start, env_end, auxv, stack_low, stack_high, records_start, records_end;
	uint64_t migrations, moves;
} __transproc_args;

#endif
