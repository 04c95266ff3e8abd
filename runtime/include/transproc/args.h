/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the start code and the transformer tell the C library. */
#ifndef TRANSPROC_ARGS_H
#define TRANSPROC_ARGS_H

#include <stdint.h>

/* Where the start code's copy of the arguments is: the transformer tells the kernel (prctl(2), PR_SET_MM), so that /proc/<pid>/cmdline
 * stays right. And what only the transformer changes, and transproc-self: the mapping of resume records, the number of migrations between
 * ISAs, and that of all migrations of the job (of moves of a thread onto itself in the upper half). */
extern struct transproc_args {
	uintptr_t arg_start, arg_end, env_start, env_end, auxv, stack_low, stack_high, records_start, records_end;
	uint64_t migrations, moves;
	uint64_t clocks_mark; /* TRANSPROC_CLOCKS, if the next word is there */
	struct transproc_clocks *clocks;
} __transproc_args;

/* Whoever makes something of several calls, of which a node's answer to one means nothing on another node, must not move in between:
 *
 *	do {
 *		moves = __transproc_moves();
 *		...
 *	} while (moves != __transproc_moves());
 */
static inline uint64_t __transproc_moves(void)
{
	return *(volatile uint64_t *)&__transproc_args.moves;
}

#define TRANSPROC_CLOCKS 0x314b4c4354505254 /* "TRPTCLK1" */
#define TRANSPROC_CHILDREN 256

/* Processor time in nanoseconds: all of it by the scheduler's clock, and its two parts as getrusage gives them. */
struct transproc_time {
	uint64_t total, user, system;
};

/* What the kernel of a new node does not know: the time that a process, and its children that it has waited for, had used when it moved the
 * last time; and for each child that lives on, or waits to be reaped, the time of that child and all below it. The transformer writes it,
 * to be added to what the kernel counts. It is that of process `pid`: a child that is made afterwards counts from 0. */
struct transproc_clocks {
	uint64_t pid;
	struct transproc_time process, waited;
	uint64_t thread;  /* address of a thread's struct transproc_thread_clock - that of its struct pthread */
	struct transproc_child {
		uint64_t pid; /* 0: no entry */
		struct transproc_time time;
	} children[TRANSPROC_CHILDREN];
};

struct transproc_thread_clock {
	uint64_t tid;
	struct transproc_time time;
};

#endif
