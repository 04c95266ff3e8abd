/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#define _GNU_SOURCE
#include <sys/resource.h>
#include "syscall.h"
#include "../time/cpu.h"

static void add(int who, struct rusage *usage)
{
	if (who == RUSAGE_THREAD) {
		__transproc_add_usage(__transproc_thread_time(), usage);
		return;
	}
	const struct transproc_clocks *clocks = __transproc_process_clocks();
	if (clocks) __transproc_add_usage(who == RUSAGE_CHILDREN ? &clocks->waited : &clocks->process, usage);
}

int getrusage(int who, struct rusage *usage)
{
	uint64_t moves;
	long result;
	do {
		moves = __transproc_moves();
		result = __syscall(SYS_getrusage, who, usage);
		if (!result && moves) add(who, usage);
	} while (moves != __transproc_moves());
	return __syscall_ret(result);
}
