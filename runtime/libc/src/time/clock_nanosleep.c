/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <time.h>
#include "syscall.h"
#include "cpu.h"

enum { SECOND = 1000000000 };

/* What of a processor clock's time `*end` is still to come: the kernel of another node counts from another moment. False if nothing. */
static int until(clockid_t clk, struct timespec *end)
{
	struct timespec now;
	if (__clock_gettime(clk, &now)) return 0;
	end->tv_sec -= now.tv_sec;
	end->tv_nsec -= now.tv_nsec;
	if (end->tv_nsec < 0) {
		end->tv_nsec += SECOND;
		end->tv_sec--;
	}
	return end->tv_sec >= 0 && (end->tv_sec || end->tv_nsec);
}

/* The request is also where the kernel writes the time that remains when it interrupts the sleep: so the call can be issued again, with
 * the same arguments, after a migration, and ends when it should. */
int __clock_nanosleep(clockid_t clk, int flags, const struct timespec *req, struct timespec *rem)
{
	if (clk == CLOCK_THREAD_CPUTIME_ID) return EINVAL;
	struct timespec left = *req;
	int absolute = flags & TIMER_ABSTIME;
	if (absolute && __is_cpu_clock(clk) && (unsigned long)left.tv_nsec < SECOND) {
		if (left.tv_sec >= 0 && !until(clk, &left)) return 0;
		flags &= ~TIMER_ABSTIME;
	}
	int r = __syscall_cp(SYS_clock_nanosleep, clk, flags, &left, &left);
	if (r == -EINTR && rem && !absolute) *rem = left;
	return -r;
}

weak_alias(__clock_nanosleep, clock_nanosleep);
