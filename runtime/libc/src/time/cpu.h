/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Processor time goes on where it was when the process moved: what it had used before (transproc/args.h) is added to what the kernel counts.
 * Whoever asks the kernel and adds must not move in between (`__transproc_moves`). */
#ifndef TIME_CPU_H
#define TIME_CPU_H

#include <stdint.h>
#include <sys/resource.h>
#include <time.h>
#include <transproc/args.h>

extern hidden _Thread_local struct transproc_thread_clock __transproc_thread_clock;

/* Whether a clock counts processor time; include/linux/posix-timers_types.h: negative ones hold an id and, in the lowest bits, which time
 * is meant (3: a clock of a device). */
static inline int __is_cpu_clock(clockid_t clock)
{
	return clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID || (clock < 0 && (clock & 3) != 3);
}

/* What to add; null: nothing. */
hidden const struct transproc_clocks *__transproc_process_clocks(void);
hidden const struct transproc_time *__transproc_thread_time(void);

/* Adds to the answer of clock_gettime. */
hidden void __transproc_add_clock(clockid_t clock, struct timespec *time);
/* Adds to the two times of a struct rusage. */
hidden void __transproc_add_usage(const struct transproc_time *time, struct rusage *usage);
/* To be called when a child has been waited for; `usage`: the answer about it, or null. */
hidden void __transproc_reaped(pid_t child, struct rusage *usage);

#endif
